"""Envelopes: each turns one vendor's bytes into the house's types, whole, or refuses them whole."""
