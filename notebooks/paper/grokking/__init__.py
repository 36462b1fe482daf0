"""Algorithmic tasks and grokking (Section 3.5)."""
