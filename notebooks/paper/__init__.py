"""What the notebooks show: the paper's experiments, records, tables, figures and verdicts, one room per section."""
