"""Residents' requests: repair, complaint and enquiry in one object, followed by whoever took it first."""
