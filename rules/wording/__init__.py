"""Rules in plain sentences of both languages, for people who do not read how they are written."""
