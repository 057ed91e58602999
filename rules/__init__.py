"""Readings to alarms: the rule language, the pure engine, its memory, and checks of rule files."""
