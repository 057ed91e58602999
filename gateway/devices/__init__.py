"""Devices as people register them: one by one, from sheets, or adopted; and what the broker knows of them."""
