"""Rehearsal: which orders alarms of a replay would have become, by the decisions dispatch takes."""
