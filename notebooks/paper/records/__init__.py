"""One result, one record: configurations and their names, the store, the sweep that fills it, checks and intervals."""
