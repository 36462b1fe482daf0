"""What the notebooks show: the paper's experiments, their records, tables, figures and verdicts, one room per section."""
