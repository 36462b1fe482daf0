"""Tables (Section 3.3)."""
