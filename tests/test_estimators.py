"""The estimators: scikit-learn's own checks, tables as they come, refusals, honest comparison."""

import datetime
import pickle
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from lib.activations import find, load
from lib.arms import paired
from lib.columns import Columns, columns_for
from lib.estimators import LearnedActivationClassifier, LearnedActivationRegressor
from lib.splines import Spline

QUICK = {
    "restarts": 1, "episodes": 2, "episode_steps": 5, "steps": 200, "learning_rate": 0.02, "hidden_sizes": (16,),
    "baselines": (), "random_state": 0,
}  # fmt: skip


@parametrize_with_checks([LearnedActivationClassifier(**QUICK), LearnedActivationRegressor(**QUICK)])
def test_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def table(n=160, seed=0):
    """Numbers, booleans, categories, texts, gaps, a constant, a skewed column; pandas' and pyarrow's types."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "size": rng.normal(size=n),
        "income": np.exp(3 * rng.normal(size=n)),
        "count": pd.array(rng.integers(0, 9, n), dtype="Int64"),
        "ratio": pd.Series(rng.uniform(size=n)).astype("double[pyarrow]"),
        "member": rng.random(n) < 0.5,
        "agreed": pd.array(rng.random(n) < 0.5, dtype="boolean"),
        "island": rng.choice(["north", "south", "west"], n),
        "grade": pd.Categorical(rng.choice(list("abc"), n), categories=list("abcd"), ordered=True),
        "town": pd.Series(rng.choice(["x", "y"], n)).astype("string[pyarrow]"),
        "name": [f"person {i}" for i in range(n)],
        "constant": 7,
    })  # fmt: skip
    for i, name in enumerate(("size", "count", "ratio", "agreed", "island", "grade", "town")):
        frame.loc[frame.index[i : i + 5], name] = None
    y = np.where(frame["island"].eq("north") ^ (frame["income"] > 1), "yes", "no")
    return frame, y


def quick(cls=LearnedActivationClassifier, **changes):
    return cls(**QUICK | changes)


@pytest.fixture(scope="module")
def fitted():
    X, y = table()
    return quick(where="both", baselines=("tanh",), restarts=2, fallback=False).fit(X, y)


def test_a_table_as_it_comes(fitted):
    X, y = table()
    assert fitted.score(X, y) > 0.8 and list(fitted.feature_names_in_) == list(X.columns)
    proba = fitted.predict_proba(X)
    assert proba.shape == (160, 2) and np.allclose(proba.sum(1), 1)
    left_out = [p for p in fitted.problems_ if "left out" in p]
    assert left_out == [
        "column 'name' hardly repeats a value: it was left out", "column 'constant' does not vary: it was left out",
    ]  # fmt: skip
    assert list(fitted.input_activations_) == ["size", "income", "count", "ratio", "member", "agreed"]
    g = fitted.input_activations_["income"]
    assert g.info["column"] == "income" and len(g.info["scales"]["income"]) > 100 and g.info["scaling"] == "quantile"
    changed = X.assign(island="nowhere", size=np.nan, name=None, grade="d")
    assert fitted.predict(changed).shape == (160,)  # unseen categories and new gaps


def test_what_fit_leaves_to_see(fitted):
    assert set(fitted.baseline_scores_) == {"relu", "tanh"} and fitted.chosen_ == "learned"
    raced, first, second = (restart["start"] for restart in fitted.restarts_)
    assert raced == f"{first}, as it is" and second != first
    assert fitted.learning_rate_ == {"relu": 0.02, "tanh": 0.02, "learned": 0.02}
    assert 0 <= fitted.coverage_["hidden"] <= 1 and set(fitted.coverage_["input"]) == set(fitted.input_activations_)
    given, g = fitted._trainer.validation[0][:, 1], fitted.input_activations_["income"]
    outside = ((given < g.low) | (given > g.high)).double().mean()
    assert fitted.coverage_["input"]["income"] == pytest.approx(float(outside))
    best = max(restart["score"] for restart in fitted.restarts_)
    assert fitted.gain_ == pytest.approx(best - max(fitted.baseline_scores_.values()))
    model, X = fitted.to_torch(), table()[0]
    with torch.no_grad():
        found = model(fitted.inputs(X)).softmax(1).numpy()
    np.testing.assert_allclose(found, fitted.predict_proba(X), atol=1e-5)
    assert fitted.activation_.low < 0 < fitted.activation_.high
    ax = fitted.plot()
    assert {"learned", "ReLU", "income"} <= {text.get_text() for text in ax.get_legend().get_texts()}


def test_compare_trains_anew_and_pairs_by_seed(fitted):
    X, y = table(seed=1)
    found = fitted.compare(X, y, seeds=2)
    assert list(found.index) == ["relu", "tanh", "learned"] and found.loc["relu", "gain"] == 0
    assert found.loc["learned", "gain"] == pytest.approx(found.loc["learned", "score"] - found.loc["relu", "score"])
    pd.testing.assert_frame_equal(found, fitted.compare(X, y, seeds=2))
    again = pickle.loads(pickle.dumps(fitted))
    assert (again.predict(X) == fitted.predict(X)).all()
    with pytest.raises(ValueError, match="training rows are not pickled"):
        again.compare(X, y)
    with pytest.raises(ValueError, match="seeds must be at least 2, got 1"):
        fitted.compare(X, y, seeds=1)


def test_paired_intervals_by_hand():
    found = paired({"relu": [0.0, 1.0, 2.0], "learned": [1.0, 2.0, 6.0]}, "relu")
    assert found.loc["learned", "gain"] == pytest.approx(2)
    assert found.loc["learned", "gain_half_width"] == pytest.approx(4.302653 * np.std([1, 1, 4], ddof=1) / 3**0.5)


def test_the_fallback_keeps_the_baseline_where_nothing_is_gained():
    X, y = table()
    kept = quick(starts=("relu",), points=401).fit(X, y)
    forced = quick(starts=("relu",), points=401, fallback=False).fit(X, y)
    assert forced.chosen_ == "learned" and forced.gain_ == kept.gain_
    assert (kept.chosen_ == "relu") == (kept.gain_ <= 0)
    assert any(problem.startswith("keep relu") for problem in kept.problems_) == (kept.gain_ <= 0)


def test_what_only_the_loss_sets_apart_is_no_gain():
    X = pd.DataFrame({"a": np.linspace(-1, 1, 80)})
    model = quick(starts=("relu",), points=401).fit(X, X["a"] > 0)
    assert model.baseline_scores_ == {"relu": 1.0} and model.gain_ == 0 and model.chosen_ == "relu"
    assert any(problem.startswith("keep relu: the learned function is not better") for problem in model.problems_)


def test_the_rate_is_tuned_beyond_the_end_of_the_rates():
    X, y = table()
    tuned = quick(learning_rate="tune", steps=20).fit(X, y)  # so short that a high rate is best
    assert tuned.learning_rate_["relu"] == tuned.learning_rate_["learned"] > 0.01


def test_regression_of_a_shifted_target_is_in_its_units():
    X, _ = table()
    y = 1e4 + 100 * X["income"].rank()
    model = quick(LearnedActivationRegressor, steps=400).fit(X, y)
    assert model.score(X, y) > 0.8 and 1e4 < model.predict(X).mean() < 3e4


def test_classes_that_are_rare_count_with_balanced_weights():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=400), "b": rng.normal(size=400)})
    y = (X["a"] + 0.5 * rng.normal(size=400) > 1.9).astype(int)
    plain, weighted = (quick(class_weight=w, fallback=False).fit(X, y) for w in (None, "balanced"))
    assert weighted.predict(X)[y == 1].mean() > plain.predict(X)[y == 1].mean()


def test_validation_rows_and_seeds_are_the_users_if_given():
    X, y = table()
    one = quick().fit(X[:100], y[:100], X[100:], y[100:])
    two = quick().fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:])
    assert one.baseline_scores_ == two.baseline_scores_ and one.gain_ == two.gain_
    state = torch.get_rng_state()
    quick().fit(X, y)
    assert torch.equal(torch.get_rng_state(), state)


def test_among_other_estimators():
    X, y = table()
    pipeline = make_pipeline(FunctionTransformer(lambda X: X.drop(columns="name")), quick())
    assert cross_val_score(pipeline, X, y, cv=2).shape == (2,)
    search = GridSearchCV(quick(), {"where": ["hidden", "input"]}, cv=2).fit(X.drop(columns="name"), y)
    assert search.best_params_["where"] in ("hidden", "input")
    assert clone(quick(points=9)).points == 9


def test_restarts_in_processes_are_those_in_turn():
    X, y = table()
    one, two = (quick(restarts=2, n_jobs=jobs).fit(X, y) for jobs in (None, 2))
    assert one.restarts_ == two.restarts_ and torch.equal(one.activation_.values, two.activation_.values)


def test_a_race_costs_no_restart_and_columns_need_none():
    X, y = table()
    model = quick(starts=("best", "relu"), restarts=2).fit(X, y)
    assert len(model.restarts_) == 3 and model.restarts_[2]["start"] == "relu"
    assert [restart["start"] for restart in quick(where="input").fit(X, y).restarts_] == ["zeros"]
    with pytest.raises(ValueError, match="starts must be a tuple of names of .*, got .'gelu'"):
        quick(starts=("gelu",)).fit(X, y)


def test_a_time_limit_ends_with_what_there_is(capsys):
    X, y = table()
    model = quick(time_limit=0, restarts=3, verbosity=1).fit(X, y)
    assert "time_limit=0: 1 of 3 restarts were made" in model.problems_
    assert "s left]" in capsys.readouterr().out


def test_problems_name_inputs_that_are_not_scaled_and_values_outside():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": 50 * rng.normal(size=100)})
    model = quick(scaling=None, where="both", low=-0.01, high=0.01).fit(X, X["a"] > 0)
    words = " ".join(model.problems_)
    assert (
        "inputs are not scaled" in words and "of column 'a' are outside" in words and "of the pre-activations" in words
    )


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"when": pd.date_range("2020-01-01", periods=160)}, "column 'when' holds times, .* such as .dt.year"),
        ({"size": [{}] * 160}, "column 'size' must hold numbers, booleans, texts or categories, got dict"),
        ({"size": np.inf}, "column 'size' must hold finite numbers or gaps, got 1.. infinite"),
        ({"size": 1j}, "column 'size' must hold real numbers, got complex"),
        ({"size": [datetime.date(2020, 1, 1)] * 160}, "column 'size' holds times, .* got object"),
        ({"size": [10**400, 1] * 80}, "column 'size' must hold numbers, .* int too large"),
    ],
)
def test_refused_columns_are_named(changes, message):
    X, y = table()
    with pytest.raises(ValueError, match=message):
        quick().fit(X.assign(**changes), y)


def test_a_column_that_changes_its_kind_is_refused(fitted):
    X, _ = table()
    with pytest.raises(ValueError, match="column 'size' must hold numbers, as it did when fitted"):
        fitted.predict(X.assign(size="large"))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"where": "output"}, "where must be 'hidden', 'input' or 'both', got 'output'"),
        ({"scaling": "log"}, "scaling must be one of .* got 'log'"),
        ({"hidden_sizes": (8, 16)}, r"hidden_sizes must be 1 to 4 equal sizes, .* got \(8, 16\)"),
        ({"hidden_sizes": 64}, "hidden_sizes must be 1 to 4 equal sizes, .* got 64"),
        ({"hidden_sizes": (64.5,)}, "hidden_sizes must be 1 to 4 equal sizes, .* got .64.5,"),
        ({"low": "-5"}, "low must be 'auto' or a number, got '-5'"),
        ({"high": np.nan}, "high must be 'auto' or a number, got nan"),
        ({"time_limit": "1 h"}, "time_limit must be None or seconds, got '1 h'"),
        ({"restarts": True}, "restarts must be an integer of at least 1, got True"),
        ({"learning_rate": -1}, "learning_rate must be 'tune' or positive, got -1"),
        ({"val_fraction": "a fifth"}, "val_fraction must be between 0 and 1, got 'a fifth'"),
        ({"baselines": None}, "baselines must be a tuple of names of .* got None"),
        ({"steps": 0}, "steps must be an integer of at least 1, got 0"),
        ({"episodes": 2.5}, "episodes must be an integer of at least 1, got 2.5"),
        ({"val_fraction": 1}, "val_fraction must be between 0 and 1, got 1"),
        ({"learning_rate": "auto"}, "learning_rate must be 'tune' or positive, got 'auto'"),
        ({"baselines": ("relu", "elu")}, "baselines must be a tuple of names of .* got"),
        ({"starts": "zeros"}, "starts must be a tuple of names of .* got 'zeros'"),
    ],
)
def test_refused_parameters_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        quick(**changes).fit(*table())


@pytest.mark.parametrize("dtype", ["Int64", "int64[pyarrow]", "boolean", "category"])
def test_classes_keep_their_type(dtype):
    X, y = table()
    labels = pd.Series((y == "yes").astype(int))
    kind = bool if dtype == "boolean" else int
    model = quick().fit(X, labels.astype(dtype))
    assert model.classes_.dtype == kind and model.predict(X).dtype == kind


def test_refused_targets():
    X, y = table()
    with pytest.raises(ValueError, match="y must have no gaps, got 1 missing"):
        quick().fit(X, [None, *y[1:]])
    with pytest.raises(ValueError, match="at least 2 classes, got 1 class: no"):
        quick().fit(X, ["no"] * 160)
    with pytest.raises(ValueError, match="y must hold numbers"):
        quick(LearnedActivationRegressor).fit(X, y)
    with pytest.raises(ValueError, match="X_val and y_val must be given together"):
        quick().fit(X, y, X)
    with pytest.raises(ValueError, match="y must hold the classes of fit"):
        quick().fit(X, y, X, np.full(160, "perhaps"))


# --- columns ----------------------------------------------------------------------------------------------------------


def test_quantiles_are_ranks_and_tame_a_skewed_column():
    values = np.exp(np.random.default_rng(0).normal(size=2000) * 3)
    x = Columns(frame := pd.DataFrame({"a": values})).inputs(frame)[:, 0].double().numpy()
    ranks = pd.Series(values).rank() / 2000
    np.testing.assert_allclose(x, 3**0.5 * (2 * ranks - 1), atol=0.02)
    beyond = Columns(frame).inputs(pd.DataFrame({"a": [-1.0, 1e9, np.nan]}))
    np.testing.assert_allclose(beyond[:, 0], [-(3**0.5), 3**0.5, 0], rtol=1e-6)


def test_minmax_and_unscaled_columns():
    frame = pd.DataFrame({"a": [1.0, 3.0, None]})
    assert Columns(frame, "minmax").inputs(frame).tolist() == [[-1, 0], [1, 0], [0, 1]]  # with the gap marked
    assert Columns(frame, None).inputs(frame).tolist() == [[1, 0], [3, 0], [2, 1]]


def test_names_of_which_a_few_are_there_twice_are_left_out():
    names = [f"film {i}" for i in range(200)] + ["film 0", "film 1"]
    columns = Columns(pd.DataFrame({"title": names, "genre": ["drama", "comedy"] * 101}))
    assert columns.names == ["genre=drama", "genre=comedy"]
    assert columns.problems == ["column 'title' hardly repeats a value: it was left out"]
    columns = Columns(pd.DataFrame({"title": [*names[:-1], None]}))
    assert columns.names == ["title is missing"] and columns.problems[0].endswith("left out, but for its gaps")


def test_rare_categories_share_nothing_and_nothing_varies():
    frame = pd.DataFrame({"a": ["x"] * 3 + ["y"] * 3 + ["once"], "b": [True] * 7})
    columns = Columns(frame)
    assert columns.names == ["a=x", "a=y"] and columns.problems == ["column 'b' does not vary: it was left out"]
    assert columns.inputs(frame)[6].tolist() == [0, 0]
    assert Columns(frame[["b"]]).inputs(frame[["b"]]).tolist() == [[0]] * 7


def test_other_numbers_and_gaps_alone():
    frame = pd.DataFrame({"price": [Decimal(1), Decimal(2), None], "none": [None] * 3}).astype(object)
    columns = Columns(frame)
    assert columns.names == ["price", "price is missing"] and "'none' does not vary" in columns.problems[0]


@pytest.mark.parametrize("scaling", ["quantile", "minmax", None])
def test_a_function_in_a_file_finds_its_column_in_another_copy_of_the_table(scaling, tmp_path):
    X, y = table()
    model = quick(where="input", scaling=scaling).fit(X, y)
    inputs = model.inputs(X)
    for k, (name, g) in enumerate(model.input_activations_.items()):
        g.save(tmp_path / "column.safetensors")
        again = Spline.load(tmp_path / "column.safetensors")
        assert torch.equal(columns_for(again, X), inputs[:, k]) and list(again.info["scales"]) == [name]
    with pytest.raises(ValueError, match="the table must have the columns of the function, it lacks .'agreed'.$"):
        columns_for(again, X.drop(columns="agreed"))
    with pytest.raises(ValueError, match="must say the scaling of its columns in info"):
        columns_for(Spline(torch.zeros(3)), X)


def test_committed_functions_of_columns_apply_to_the_table_that_they_name():
    name = find(kind="input").index[0]
    g = load(name)
    ends = pd.DataFrame(g.info["scales"])
    x = columns_for(g, ends)
    torch.testing.assert_close(x, torch.tensor([[-1.0], [1.0]]).expand(2, len(g.values)))
    torch.testing.assert_close(g(x), g.values[:, [0, -1]].T)
