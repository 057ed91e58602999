"""Readings to alarms: the rule language, the pure engine, its memory in PostgreSQL, and the check and test of rule files."""
