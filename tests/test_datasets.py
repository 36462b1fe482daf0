import numpy as np
import pytest
import sklearn.datasets
import torch
from hypothesis import given
from hypothesis import strategies as st
from prepared_files import write_images, write_table

from lib.datasets import algorithmic, catalogue, download, load, split, targets


@pytest.fixture(autouse=True)
def no_download(monkeypatch):
    def refuse(*arguments):
        pytest.fail(f"a download was tried: {arguments}")

    monkeypatch.setattr(download, "images", refuse)
    monkeypatch.setattr(download, "table", refuse)


# Images


@pytest.mark.parametrize(
    ("name", "window", "shape"),
    [
        ("mnist", np.s_[:, 5:23, 5:23], (18, 18)),
        ("fashion_mnist", np.s_[:], (28, 28)),
        ("svhn", np.s_[:, :, 8:24], (32, 16, 3)),
        ("cifar10", np.s_[:], (32, 32, 3)),
    ],
)
def test_images_are_cropped_scaled_and_flattened(tmp_path, name, window, shape):
    _, arrays = write_images(tmp_path, name, test_exact=np.ones(20, dtype=bool))
    data = load(name, tmp_path)
    assert data.name == name and data.shape == shape and data.classes == 10
    assert data.pairs_train is None and data.pairs_test is None
    for part, n in (("train", 40), ("test", 20)):
        x, y = getattr(data, f"x_{part}"), getattr(data, f"y_{part}")
        assert x.dtype == torch.float32 and y.dtype == torch.int64
        expected = (arrays[f"x_{part}"][window] / np.float32(255)).reshape(n, -1)
        np.testing.assert_array_equal(x.numpy(), expected)
        np.testing.assert_array_equal(y.numpy(), arrays[f"y_{part}"])
    assert data.x_train.max() == 1.0 and data.x_train.min() == 0.0


def test_images_can_be_changed_without_changing_the_next_load(tmp_path):
    write_images(tmp_path, "mnist")
    first = load("mnist", tmp_path)
    kept = first.x_train.clone()
    first.x_train.zero_()
    first.y_train.zero_()
    assert load("mnist", tmp_path).x_train.equal(kept) and load("mnist", tmp_path).y_train.max() == 9


def test_the_embedded_digits_are_scikit_learns():
    bundle, data = sklearn.datasets.load_digits(), load("digits")
    assert data.shape == (8, 8) and len(data.x_train) == 1437 and len(data.x_test) == 360
    np.testing.assert_array_equal(torch.cat([data.x_train, data.x_test]).numpy(), bundle.data / 16)
    np.testing.assert_array_equal(torch.cat([data.y_train, data.y_test]).numpy(), bundle.target)


def test_noisy_digits_are_digits_with_the_same_noise_each_time():
    clean, noisy = load("digits"), load("noisy_digits")
    assert noisy.x_train.equal(load("noisy_digits").x_train) and noisy.y_train.equal(clean.y_train)
    assert 0 <= noisy.x_train.min() and noisy.x_train.max() <= 1
    distance = (noisy.x_train - clean.x_train).abs().mean()
    assert 0.1 < distance < 0.5 and noisy.sha256 != clean.sha256


# Tables


def test_tables_are_split_by_seed_and_scaled_by_their_training_rows(tmp_path):
    _, frame = write_table(tmp_path, n=200, constant=np.full(200, 7.0), target=None, z=None)
    frame["target"] = (frame["a"] > 0).astype(int)
    frame.to_parquet(tmp_path / "tabular" / "credit.parquet")
    data = load("credit", tmp_path, seed=3)
    assert data.x_train.shape == (140, 3) and data.x_test.shape == (60, 3) and data.shape == (3,)
    assert data.classes == 2 and data.x_train.dtype == torch.float32 and data.y_train.dtype == torch.int64
    assert data.x_train[:, :2].amin(0).tolist() == [-1, -1] and data.x_train[:, :2].amax(0).tolist() == [1, 1]
    assert (data.x_train[:, 2] == 0).all() and (data.x_test[:, 2] == 0).all()
    train, test = (rows.numpy() for rows in split(200, 0.3, 3))
    raw = frame.to_numpy()
    low, high = raw[train, 0].min(), raw[train, 0].max()
    np.testing.assert_allclose(data.x_test[:, 0], 2 * (raw[test, 0] - low) / (high - low) - 1, rtol=1e-6)
    np.testing.assert_array_equal(data.y_test, raw[test, -1])
    again, other = load("credit", tmp_path, seed=3), load("credit", tmp_path, seed=4)
    assert data.x_train.equal(again.x_train) and not data.x_train.equal(other.x_train)
    assert data.sha256 == other.sha256


def test_test_rows_may_lie_outside_the_range_and_a_column_that_is_constant_in_training_is_0(tmp_path):
    column, constant = np.linspace(-1, 1, 50), np.zeros(50)
    _, test = split(50, 0.3, 0)
    column[test[0]], constant[test[0]] = 9.0, 5.0
    write_table(tmp_path, a=column, b=constant)
    data = load("credit", tmp_path, seed=0)
    assert data.x_test[0, 0] > 5 and (data.x_test[:, 1] == 0).all()


def test_tables_give_at_most_10000_rows_for_training_and_50000_for_the_test(tmp_path):
    write_table(tmp_path, n=14_000)
    assert len(load("credit", tmp_path, seed=0).x_train) == 9_800
    write_table(tmp_path, n=15_001)
    data = load("credit", tmp_path, seed=0)
    assert (len(data.x_train), len(data.x_test)) == (10_000, 5_001)
    write_table(tmp_path, n=70_000)
    data = load("credit", tmp_path, seed=0)
    assert (len(data.x_train), len(data.x_test)) == (10_000, 50_000)


def test_training_and_test_rows_are_different_rows(tmp_path):
    write_table(tmp_path, n=30_000, a=np.arange(30_000.0))
    data = load("credit", tmp_path, seed=0)
    values = torch.cat([data.x_train[:, 0], data.x_test[:, 0]])
    assert len(values.unique()) == 30_000


@pytest.mark.parametrize(("name", "columns"), [("breast_cancer", 30), ("wine", 13), ("diabetes", 10)])
def test_embedded_tables_are_binary(name, columns):
    data = load(name, seed=0)
    assert data.shape == (columns,) and data.classes == 2
    assert data.y_train.unique().tolist() == data.y_test.unique().tolist() == [0, 1]
    assert data.x_train.min() == -1 and data.x_train.max() == 1


def test_suite_337_has_16_tables():
    assert len(catalogue.TABLES) == 16 == len({task for task, _ in catalogue.TABLES.values()})
    assert catalogue.TABLES["electricity"][0] == 361060 and catalogue.TABLES["heloc"][0] == 361278


# Algorithmic tasks


@pytest.mark.parametrize("name", algorithmic.TASKS)
def test_tasks_are_split_80_to_20_and_complete(name):
    data = load(name, seed=1)
    _, results, size = algorithmic.examples(name)
    assert len(data.x_test) == round(0.2 * size**2) and len(data.x_train) + len(data.x_test) == size**2
    assert data.classes == size and data.shape == (2 * size,) == data.x_train.shape[1:]
    rows = torch.cat([data.pairs_train, data.pairs_test]) @ torch.tensor([size, 1])
    assert rows.sort().values.equal(torch.arange(size**2))
    np.testing.assert_array_equal(torch.cat([data.y_train, data.y_test]), results[rows])
    for x, pairs in ((data.x_train, data.pairs_train), (data.x_test, data.pairs_test)):
        assert x.dtype == torch.float32 and x.sum() == 2 * len(x)  # one per operand
        assert (x.gather(1, pairs + torch.tensor([0, size])) == 1).all()


def test_the_fraction_of_training_pairs_can_be_set():
    assert len(load("a+b mod 13", seed=0, fraction=0.3).x_train) == 51
    assert not load("a+b mod 13", seed=0).y_train.equal(load("a+b mod 13", seed=1).y_train)


# Arguments


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("mnits",), {}, "unknown dataset 'mnits': did you mean 'mnist'"),
        (("",), {}, "unknown dataset ''"),
        (("a+b modulo 27",), {"seed": 0}, "unknown dataset 'a\\+b modulo 27'"),
        (("a*b mod 27",), {"seed": 0}, "unknown operation"),
        (("a+b mod 27",), {}, "'a\\+b mod 27' is split into training and test by a seed: give one, got None"),
        (("breast_cancer",), {}, "is split into training and test by a seed"),
        (("a+b mod 27",), {"seed": 0, "fraction": 1.0}, "both sides of a split must have examples"),
        (("a+b mod 27",), {"seed": 0, "fraction": 0.0}, "both sides of a split must have examples"),
        (("digits",), {"fraction": 0.5}, "only algorithmic tasks take a fraction, got 0.5 for 'digits'"),
    ],
)
def test_wrong_arguments_are_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        load(*arguments, **options)


# Targets and splits


def test_targets():
    y = torch.tensor([0, 9, 3])
    assert targets(y, 10, "classification").equal(y)
    regression = targets(y, 10, "regression")
    assert regression.dtype == torch.float32 and regression.shape == (3, 1)
    np.testing.assert_allclose(regression[:, 0], [-1, 1, -1 / 3], rtol=1e-6)
    one_hot = targets(y, 10, "one-hot")
    assert one_hot.dtype == torch.float32 and one_hot.argmax(1).equal(y) and (one_hot.sum(1) == 1).all()


@pytest.mark.parametrize(("task", "shape"), [("classification", (0,)), ("regression", (0, 1)), ("one-hot", (0, 4))])
def test_targets_of_nothing(task, shape):
    assert targets(torch.empty(0, dtype=torch.int64), 4, task).shape == shape


@pytest.mark.parametrize(
    ("y", "classes", "task", "message"),
    [
        ([0, 1], 2, "ranking", "task must be .* got 'ranking'"),
        ([0], 1, "regression", "classes must be at least 2, got 1"),
        ([0, 4], 4, "one-hot", "class ids must be from 0 to 3, got 0 to 4"),
        ([-1, 2], 4, "regression", "got -1 to 2"),
    ],
)
def test_wrong_targets_are_refused(y, classes, task, message):
    with pytest.raises(ValueError, match=message):
        targets(torch.tensor(y), classes, task)


@given(n=st.integers(2, 500), held_out=st.floats(0.01, 0.99), seed=st.integers(0, 2**32))
def test_splits_are_partitions(n, held_out, seed):
    if not 0 < round(n * held_out) < n:
        with pytest.raises(ValueError, match=f"held_out={held_out} of {n}"):
            split(n, held_out, seed)
        return
    kept, rest = split(n, held_out, seed)
    assert kept.dtype == rest.dtype == torch.int64 and len(rest) == round(n * held_out)
    assert torch.cat([kept, rest]).sort().values.equal(torch.arange(n))
    assert all(a.equal(b) for a, b in zip((kept, rest), split(n, held_out, seed), strict=True))


@pytest.mark.parametrize(("n", "held_out"), [(10, 0.0), (10, 1.0), (10, -0.5), (10, 2.0), (1, 0.5), (0, 0.5)])
def test_splits_with_an_empty_side_are_refused(n, held_out):
    with pytest.raises(ValueError, match=f"got held_out={held_out} of {n}"):
        split(n, held_out, 0)


def test_splits_depend_on_the_seed_and_leave_the_global_generator_alone():
    state = torch.get_rng_state()
    assert not split(100, 0.5, 0)[0].equal(split(100, 0.5, 1)[0])
    assert torch.get_rng_state().equal(state)
