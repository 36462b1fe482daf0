"""Shortcut learning (Section 3.4)."""
