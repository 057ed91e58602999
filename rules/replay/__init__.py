"""Replay: what changed rules would have found in the readings and events that are stored."""
