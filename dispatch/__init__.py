"""Alarms, plans and requests become work that gets done: orders, offers, deadlines, maintenance records."""
