"""A community as people write it down in YAML: read, checked as a whole, and loaded in one transaction."""
