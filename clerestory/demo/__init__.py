"""The demo: the sample community with a month of history, living sensors, and accounts to look at it with."""
