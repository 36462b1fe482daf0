"""The baselines of the tables against exact answers, and what they refuse."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lib import metrics
from notebooks.paper.experiments import baseline
from notebooks.paper.experiments import parts as experiments_parts
from notebooks.paper.experiments.baseline import MODELS, Baseline, accuracy, candidates, fit
from notebooks.paper.experiments.parts import Parts, Rows, load_parts

TREES = {"learning_rate": 0.1, "max_leaf_nodes": 31, "min_samples_leaf": 2, "l2": 0.0, "max_features": 1.0}


def rows(rule, n, seed, columns=2):
    x = 2 * torch.rand(n, columns, generator=torch.Generator().manual_seed(seed)) - 1
    labels = rule(x).long()
    return Rows(x, labels.float()[:, None], labels)


def parts_of(rule, n=400, columns=2):
    return Parts(*(rows(rule, m, seed, columns) for seed, m in enumerate((n, 100, 300))), 2, columns, 1)


def run(model, **changes):
    fields = {"section": "tabular", "role": "final", "arm": model, "data": "wine", "model": model} | changes
    experiment = Baseline(**{"seed": 0, "split": 0, "validation": 0.2} | fields)
    return experiment, experiment.run(SimpleNamespace(data_dir=None, report=lambda message: None))


def test_linear_finds_a_half_plane_and_scores_a_complexity_of_zero():
    parts = parts_of(lambda x: x[:, 0] > 0.5 * x[:, 1])
    scores = fit("linear", {"inverse_penalty": 1000.0}, parts, 0)
    assert accuracy(scores, parts.test) > 0.98
    tv = metrics.total_variation(scores, parts.train.x, parts.train.labels, generator=torch.Generator())
    assert tv.mean < 1e-5 * scores(parts.test.x).abs().max()


def test_trees_find_a_chequerboard_that_no_line_separates():
    parts = parts_of(lambda x: (x[:, 0] > 0.1) ^ (x[:, 1] > -0.2))
    assert accuracy(fit("boosted trees", TREES, parts, 0), parts.test) > 0.95
    assert accuracy(fit("linear", {"inverse_penalty": 1.0}, parts, 0), parts.test) < 0.7


def test_k_nn_is_the_vote_of_the_nearest_by_the_metric():
    parts = parts_of(lambda x: x.sum(1) > 0, n=30, columns=3)
    for metric, order in (("manhattan", 1), ("euclidean", 2)):
        scores = fit("k-NN", {"neighbours": 5, "metric": metric}, parts, 0)
        distances = torch.cdist(parts.test.x, parts.train.x, p=order)
        votes = parts.train.labels[distances.topk(5, largest=False).indices].float().mean(1)
        torch.testing.assert_close(scores(parts.test.x)[:, 0], votes - 0.5)


def test_more_neighbours_than_rows_are_all_rows():
    parts = parts_of(lambda x: x[:, 0] > 0, n=20)
    share = parts.train.labels.float().mean() - 0.5
    scores = fit("k-NN", {"neighbours": 200, "metric": "euclidean"}, parts, 0)(parts.test.x)
    torch.testing.assert_close(scores, torch.full((300, 1), share.item()))


def test_candidates():
    grid = list(candidates("k-NN", 1, 0))
    assert {c["metric"] for c in grid} == {"manhattan", "euclidean"}
    assert (grid[0]["neighbours"], grid[-1]["neighbours"]) == (1, 200)
    search = list(candidates("boosted trees", 12, 3))
    assert len(search) == 12 and search[0]["learning_rate"] == 0.1 and search[0]["max_leaf_nodes"] == 31
    assert search == list(candidates("boosted trees", 12, 3))
    assert search[1:] != list(candidates("boosted trees", 12, 4))[1:]


@pytest.mark.parametrize("model", MODELS)
def test_the_record_is_the_candidate_with_the_best_validation_accuracy(model):
    _, outcome = run(model, trials=3)
    parts = load_parts("wine", "binary", 0, 0.2)
    tried = [accuracy(fit(model, c, parts, 0), parts.validation) for c in candidates(model, 3, 0)]
    np.testing.assert_allclose(outcome.arrays["tried"], tried)
    best = list(candidates(model, 3, 0))[int(np.argmax(tried))]
    assert outcome.numbers["settings"] == best
    assert outcome.numbers["validation_accuracy"] == max(tried)
    assert outcome.numbers["test_accuracy"] == accuracy(fit(model, best, parts, 0), parts.test) > 0.8


def test_test_rows_have_no_part_in_the_choice(monkeypatch):
    _, before = run("k-NN")
    original = experiments_parts.load_parts

    def other_tests(*arguments):
        parts = original(*arguments)
        return replace(parts, test=Rows(parts.test.x.flip(0), parts.test.y, parts.test.labels))

    monkeypatch.setattr(baseline, "load_parts", other_tests)
    _, after = run("k-NN")
    assert before.numbers["settings"] == after.numbers["settings"]
    assert before.numbers["test_accuracy"] != after.numbers["test_accuracy"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: run("forest"), "one of .*, got 'forest'"),
        (lambda: run("boosted trees", trials=0), "trials must be at least 1, got 0"),
        (lambda: next(candidates("trees", 1, 0)), "got 'trees'"),
        (lambda: fit("trees", {}, None, 0), "got 'trees'"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()
