"""Ablations of the method (Appendix D)."""
