"""The table and the sentences on the delay between memorising and generalising, on runs made up by hand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from notebooks.paper.grokking import tables as grokking_tables


def test_the_delay_is_a_bound_where_the_test_pairs_are_never_learned():
    def grokking(arm, train, test):
        arrays = {
            "step": np.array([0, 10, 100, 1000]),
            "train_accuracy": np.array(train),
            "test_accuracy": np.array(test),
        }
        return {"seed": 1, "arm": arm, "steps": 1000, "record": SimpleNamespace(arrays=arrays)}

    runs = pd.DataFrame([
        grokking("ReLU", [0, 0.5, 1, 1], [0, 0, 0.1, 0.5]),
        grokking("learned from zeros", [0, 1, 1, 1], [0, 0, 1, 1]),
    ])  # fmt: skip
    found = grokking_tables.delays(runs)
    assert (
        found.ratio.tolist() == [10, 10] and found.gap.tolist() == [900, 90] and found.bound.tolist() == [True, False]
    )
    row = grokking_tables.steps_table(runs).iloc[0].tolist()
    assert row == [1, "100", "not within 1,000", "at least 10.0", "10", "100", "10.0", "at least 10.0"]
    assert "from at least 900 to 90, by at least 10." in grokking_tables.delay_words(runs)
    assert "cannot be said" in grokking_tables.delay_words(runs[:1])
