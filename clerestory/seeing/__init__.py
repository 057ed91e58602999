"""Seeing inside a running process: its figures, whether it is ready, and its sign of life."""
