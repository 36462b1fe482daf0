"""What ended at a limit: counted by hand, on runs and learnings that are made up."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lib.metalearning import Settings
from lib.networks import Activation, Network
from lib.training import Optimiser
from notebooks.paper.experiments.learn import Learn
from notebooks.paper.experiments.train import Train
from notebooks.paper.figures import limits
from notebooks.paper.figures.limits import at_edge, capped, in_words
from notebooks.paper.records.frames import Collected
from notebooks.paper.records.store import Outcome, Store
from notebooks.paper.sections import KINDS

RUN = Train(
    section="tables",
    role="final",
    arm="ReLU",
    data="credit",
    task="binary",
    network=Network(1, 1, width=8),
    optimiser=Optimiser("rmsprop", 1e-3),
    steps=100,
    seed=1,
    split=0,
    patience=3,
)
LEARN = Learn(
    section="tables",
    arm="learned",
    data=("credit",),
    task="binary",
    network=Network(1, 1, width=8, depth=1, activation=Activation("spline")),
    settings=Settings(episodes=20),
    seed=0,
)


@pytest.fixture
def put(tmp_path):
    store = Store(tmp_path, fingerprints=lambda name: f"sha256 of {name}")

    def put(*pairs):
        for experiment, numbers in pairs:
            arrays = {"psi_hidden": np.zeros(3)} if isinstance(experiment, Learn) else {}
            store.put(experiment, Outcome({"diverged": False} | numbers, arrays), datetime.now(UTC), 1.0)
        return Collected(list(store.records()), 0, kinds=KINDS)

    return put


def test_runs_that_ended_at_their_cap_are_counted_per_arm(put):
    results = put(
        (RUN, {"stopped": "cap"}),
        (replace(RUN, seed=2), {"stopped": "patience"}),
        (replace(RUN, seed=3), {"stopped": "diverged"}),
        (replace(RUN, arm="tanh"), {"stopped": "patience"}),
        (replace(RUN, seed=4, patience=0), {}),  # a fixed horizon is no cap
        (replace(RUN, seed=5, role="trial"), {"stopped": "cap"}),
        (LEARN, {"episodes": 20}),
        (replace(LEARN, seed=1), {"episodes": 12}),
        (replace(LEARN, seed=2), {"episodes": 20, "diverged": True}),
        (replace(LEARN, data=("credit", "pol")), {"episodes": 20}),
    )
    rows = {tuple(row[:3]): tuple(row[3:]) for row in capped(results).itertuples(index=False)}
    assert rows == {
        ("credit", "ReLU", "train"): (3, 1), ("credit", "tanh", "train"): (1, 0),
        ("credit", "learned", "learn"): (3, 1), ("2 datasets", "learned", "learn"): (1, 1),
    }  # fmt: skip
    assert in_words(results) == (
        "At a limit: 1 of 4 final runs ended at their cap (ReLU on credit 1); "
        "2 of 4 learnings ended at their cap (learned on 2 datasets 1, learned on credit 1)."
    )


def test_searches_whose_best_is_at_an_edge_are_found(put):
    trial = replace(RUN, role="rate trial")
    merits = {(1e-3, 1): 0.7, (1e-3, 2): 0.7, (3e-3, 1): 0.9, (3e-3, 2): 0.6, (1e-2, 1): 0.6, (1e-2, 2): 0.6}
    inside = [
        (replace(trial, optimiser=Optimiser("rmsprop", rate), seed=seed), {"validation_accuracy": merit})
        for (rate, seed), merit in merits.items()
    ]
    outside = [
        (replace(run, scaling="quantile"), {"validation_accuracy": run.optimiser.lr}) for run, _ in inside
    ]  # the greatest is the best
    found = at_edge(put(*inside, *outside))
    assert found[["data", "scaling", "best", "least", "greatest"]].values.tolist() == [
        ["credit", "quantile", 1e-2, 1e-3, 1e-2]
    ]


def test_nothing_is_said_where_nothing_ended_at_a_limit(put):
    assert in_words(put((RUN, {"stopped": "patience"}), (LEARN, {"episodes": 12}))) == ""


def test_fixed_steps_say_rates_at_an_edge_and_runs_that_are_best_at_their_last_step():
    def tried(data, lr, accuracy, arm="ReLU"):
        return {
            "role": "tuning",
            "arm": arm,
            "data": data,
            "optimiser.name": "adam",
            "optimiser.lr": lr,
            "validation_accuracy": accuracy,
        }

    rows = [tried("a", 0.1, 0.5), tried("a", 0.2, 0.6), tried("a", 0.4, 0.7), tried("a", 9.0, 1.0, "tanh")]
    rows += [tried("b", 0.1, 0.5), tried("b", 0.2, 0.6), tried("b", 0.4, 0.5), tried("c", 0.1, 0.5)]
    rows += [
        {
            "role": "final",
            "arm": "ReLU",
            "data": "b",
            "steps": 100,
            "best_step": 1,
            "optimiser.name": "adam",
            "optimiser.lr": 0.2,
        }
    ]
    rows += [
        {
            "role": "final",
            "arm": arm,
            "data": "a",
            "steps": 100,
            "best_step": best,
            "optimiser.name": "adam",
            "optimiser.lr": 0.4,
        }
        for arm, best in (("ReLU", 100), ("ReLU", 90), ("learned", 100))
    ]
    frame = pd.DataFrame(rows)
    results = SimpleNamespace(frame=lambda role: frame[frame.role == role].reset_index(drop=True))
    assert limits.of_fixed_steps(results) == (
        "At a limit: 1 of the 2 rates that were tuned with ReLU are the least or greatest that was tried (a with Adam 0.4); "
        "2 of 4 final runs are best at their last step, so they may not have converged (ReLU 1 of 3, learned 1 of 1)."
    )
    rows = [row | {"best_step": 50} for row in rows[-4:]]
    frame = pd.DataFrame(rows)
    assert limits.of_fixed_steps(results) == ""
