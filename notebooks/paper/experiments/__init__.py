"""Frozen configurations that compute one record each, and the protocol by which sections combine them."""
