"""A transformer and a convolutional network: against plain PyTorch, the rule on numbers made up, the small plan."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lib import learner, splines
from lib.training import Batches, Optimiser
from notebooks.paper import sections
from notebooks.paper.architectures import figures, tables
from notebooks.paper.architectures.plan import ADDITION, ARMS, FASHION, GELU, HAND, LEARNED, PLANS, RELU, OneStudy
from notebooks.paper.architectures.tables import Result
from notebooks.paper.experiments.architectures import (
    Convolutional,
    LearnModule,
    Subject,
    TrainModule,
    Transformer,
    load,
)

PAIRS, DIGITS = Subject("transformer", 8, "a+b mod 7", 0, 0.375), Subject("cnn", 2, "digits", 200, 0.1)
ABOUT = {"section": "t", "arm": "t", "optimiser": Optimiser("adam", 0.01), "batch": 64}


def test_the_transformer_is_that_of_pytorch():
    torch.manual_seed(0)
    mine = Transformer(nn.GELU(), (10,), 5, 8).double()
    attention = nn.MultiheadAttention(8, 4, bias=False, batch_first=True).double()
    with torch.no_grad():
        attention.in_proj_weight.copy_(torch.cat([mine.query.weight, mine.key.weight, mine.value.weight]))
        attention.out_proj.weight.copy_(mine.mix.weight)
    pairs = torch.randint(5, (6, 2))
    x = mine.tokens[torch.cat([pairs, torch.full((6, 1), 5)], 1)] + mine.places
    x = x + attention(x, x, x)[0]  # all places
    x = x + mine.mlp(x)
    torch.testing.assert_close(mine(pairs), mine.read(x)[:, -1])


def test_images_keep_their_rows_and_colours():
    seen = []
    model = Convolutional(nn.ReLU(), (4, 6, 3), 5, 2)
    model.layers[0].register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    image = torch.arange(72.0).reshape(4, 6, 3)
    assert model(image.reshape(1, -1)).shape == (1, 5)
    assert torch.equal(seen[0][0, 2], image[:, :, 2])


def test_rows_to_choose_by_are_not_trained_on():
    data = load("a+b mod 7", 0, 0.375, 0)
    whole = {tuple(pair) for part in (data.train, data.validation, data.test) for pair in part.x.tolist()}
    assert len(whole) == 49 == len(data.train) + len(data.validation) + len(data.test) and len(data.train) == 24
    assert all((a + b) % 7 == y for (a, b), y in zip(data.test.x.tolist(), data.test.labels.tolist(), strict=True))


@pytest.mark.parametrize("subject, function", [(PAIRS, "GELU"), (DIGITS, "ReLU")])
def test_a_training_is_that_of_pytorch(subject, function):
    run = TrainModule(role="t", subject=subject, function=function, steps=40, seed=3, split=0, evaluations=4, **ABOUT)
    outcome = run.run(SimpleNamespace(store=None, data_dir=None))
    data, generator = subject.load(0, None), torch.Generator().manual_seed(3)
    torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
    kind = {"transformer": Transformer, "cnn": Convolutional}[subject.model]
    model = kind({"GELU": nn.GELU, "ReLU": nn.ReLU}[function](), data.shape, data.classes, subject.width)
    optimiser, batches = torch.optim.Adam(model.parameters(), 0.01), Batches(len(data.train), 64, generator)

    def right(rows):
        return float((model(rows.x).argmax(1) == rows.labels).double().mean())

    expected = [right(data.test)]
    for step in range(1, 41):
        rows = batches.next()
        rows = slice(None) if rows is None else rows
        optimiser.zero_grad()
        F.cross_entropy(model(data.train.x[rows]), data.train.y[rows]).backward()
        optimiser.step()
        expected += [right(data.test)] if step % 10 == 0 else []
    assert outcome.arrays["step"].tolist() == [0, 10, 20, 30, 40]
    assert outcome.arrays["test_accuracy"].tolist() == expected and outcome.numbers["test_accuracy"] == expected[-1]
    assert outcome.numbers["train_accuracy"] == right(data.train) > expected[0]


def test_with_patience_the_best_step_on_validation_rows_counts():
    about = {"role": "t", "subject": DIGITS, "function": "ReLU", "steps": 300, "seed": 0, "split": 0} | ABOUT
    context = SimpleNamespace(store=None, data_dir=None)
    outcome = TrainModule(evaluations=30, patience=3, **about | {"optimiser": Optimiser("adam", 0.05)}).run(context)
    curve, steps = outcome.arrays["validation_accuracy"], outcome.arrays["step"]
    assert outcome.numbers["stopped"] == "patience" and "test_accuracy" not in outcome.arrays
    assert outcome.numbers["best_step"] == steps[curve.argmax()] and len(curve) == curve.argmax() + 4
    assert outcome.numbers["validation_accuracy"] == curve.max()


def test_a_function_has_to_be_somewhere():
    about = {"role": "t", "subject": PAIRS, "steps": 1, "seed": 0, "split": 0, "evaluations": 1} | ABOUT
    with pytest.raises(ValueError, match="function must be one of"):
        TrainModule(function="hidden", **about)
    with pytest.raises(ValueError, match="model must be one of"):
        Subject("mlp", 1, "digits", 0, 0.1)
    run = TrainModule(function="sine", learned="learn-module-000000000000", **about)
    with pytest.raises(ValueError, match="no record"):
        run.run(SimpleNamespace(store=SimpleNamespace(read=lambda key: None), data_dir=None))


def test_a_learning_keeps_the_best_of_its_race_by_family():
    learn = LearnModule(subject=PAIRS, steps=8, episodes=2, points=20, seed=1, **ABOUT)
    place = SimpleNamespace(load=lambda: None, save=lambda state: None)
    outcome = learn.run(SimpleNamespace(data_dir=None, checkpoint=place, report=lambda text: None))
    numbers, family = outcome.numbers, learner.family(outcome.numbers["scale"], 1)
    grid = splines.grid(20, numbers["low"], numbers["high"])
    for part in ("start", "by_hand", "sine"):
        torch.testing.assert_close(torch.from_numpy(outcome.arrays[f"psi_{part}"]), family[numbers[part]](grid).float())
    assert numbers["sine"].startswith("sine") and not numbers["by_hand"].startswith("random")
    assert numbers["episodes"] == 2 and numbers["high"] > numbers["scale"] > 0


def made_up(study, values):
    finals = {arm: pd.DataFrame(values[arm], index=[1, 2, 3]) for arm in values}
    return Result("t", study, finals, pd.DataFrame(), pd.DataFrame())


def test_the_rule_on_steps():
    steps = {RELU: [np.nan] * 3, GELU: [2000, np.nan, np.nan], HAND: [500, 700, 600], LEARNED: [1250, 625, 1250]}
    result = made_up(ADDITION, {arm: {"test_steps_to_95": v, "test_accuracy": 0.4} for arm, v in steps.items()})
    last = ADDITION.steps
    assert result.measured(RELU).tolist() == [last] * 3 and result.arrived(GELU) == 1
    assert result.over(LEARNED, RELU)[0] == pytest.approx(np.log2([last / 1250, last / 625, last / 1250]).mean())
    assert result.verdict(RELU) == "better" and result.difference(RELU).startswith("at least ×")
    assert result.verdict(HAND) == "not told apart" and result.shown(RELU) == f"never in {last:,} (then at 40 %)"
    assert result.shown(GELU) == "2,000 (1 of 3 runs)"
    ends = {arm: {"test_steps_to_95": [np.nan] * 3, "test_accuracy": [0.1 * i, 0.2, 0.3]} for i, arm in enumerate(ARMS)}
    nobody = made_up(ADDITION, ends)  # then the accuracies are shown, and nothing is decided
    assert nobody.verdict(RELU) == "undecided" and nobody.over(LEARNED, RELU)[0] == pytest.approx(10.0)


def test_the_rule_on_accuracies():
    values = {RELU: [0.80, 0.81, 0.82], HAND: [0.85, 0.81, 0.84], LEARNED: [0.81, 0.82, 0.832]}
    result = made_up(FASHION, {arm: {"test_accuracy": value} for arm, value in values.items()})
    mean, half = result.over(LEARNED, RELU)
    assert mean == pytest.approx(3.2 / 3) and half == pytest.approx(4.302653 * np.std([1, 1, 1.2], ddof=1) / 3**0.5)
    assert result.verdict(RELU) == "better" and result.verdict(HAND) == "not told apart"
    assert made_up(FASHION, {arm: {"test_accuracy": values[one]} for arm, one in ((LEARNED, RELU), (RELU, LEARNED))}
                   ).verdict(RELU) == "worse"  # fmt: skip


@pytest.fixture(scope="module")
def small():
    return sections.results("architectures", "smoke")


def test_the_small_plan_gives_all_that_the_page_shows(small):
    found = tables.collect(small, "smoke")
    assert not small.missing and list(found) == list(PLANS["smoke"])
    for result in found.values():
        study = result.study
        assert len(result.learnings) == study.restarts
        for arm in ARMS:
            runs = result.finals[arm]
            assert list(runs.index) == list(study.seeds) and runs["optimiser.lr"].nunique() == 1
            assert set(runs.split) == ({0} if study.pairs else set(study.seeds))
            tried = result.trials[result.trials.arm == arm]
            assert set(tried.seed) == set(study.trials) and set(tried.split) == {0}
            assert runs["optimiser.lr"].iloc[0] in set(tried["optimiser.lr"])
    assert len(tables.comparison(found)) == len(tables.details(found)) == 2 * len(ARMS)
    assert len(tables.differences(found)) == 6
    assert len(tables.restarts(found)) == 4 and tables.gains_of_learning(found)[1] == 4
    assert tables.answer(found).count("\n\n") == 2 and tables.hours(small) > 0
    assert tables.hours_of(next(iter(found.values())), 60) > 0
    assert isinstance(tables.limits(found), list)
    for figure in (figures.differences(tables.differences(found)), figures.functions(found, small)):
        assert all(ax.has_data() for ax in figure.axes)


def test_choices_go_by_validation_rows(small):
    result = next(iter(tables.collect(small, "smoke").values()))
    for arm in (LEARNED, HAND):
        merits = {key: tables._merit(result, arm, key) for key in result.learnings.key}
        assert merits[result.finals[arm].learned.iloc[0]] == max(merits.values())


def test_the_plan_asks_for_what_the_rule_says():
    for study in PLANS["paper"].values():
        assert len(study.seeds) == 5 and study.restarts == 4 and not set(study.seeds) & set(study.trials)
    assert {study.subject.data for study in PLANS["paper"].values()} == {"a+b mod 27", "fashion_mnist", "cifar10"}
    assert OneStudy(ADDITION, None).run("final", RELU, (RELU, ""), 0.1, 1).split == 0
