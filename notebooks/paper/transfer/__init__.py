"""Transfer of learned activations across tasks (Section 4)."""
