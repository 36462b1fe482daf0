"""Plots that several pages share, how arms look, and how a page shows what it has."""
