"""Versions of rule files, switched on while the house runs."""
