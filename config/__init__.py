"""Settings, the clock, bilingual text, and the shipped defaults."""
