import numpy as np
import pytest
import torch

from lib.datasets import load
from lib.datasets.catalogue import fingerprint
from notebooks.paper.experiments.tiles import collage, fit, halve

SIZES = {"mnist": (28, 28), "fashion_mnist": (28, 28), "svhn": (32, 32, 3), "cifar10": (32, 32, 3)}


def write_images(root, name, **changes):
    """Write a small prepared file of random images; `changes` replace its arrays."""
    rng = np.random.default_rng(len(name))
    arrays = {}
    for part, n in (("train", 200), ("test", 20)):
        arrays[f"x_{part}"] = rng.integers(0, 256, (n, *SIZES[name]), dtype=np.uint8)
        arrays[f"y_{part}"] = (np.arange(n) % 10).astype(np.uint8)
    (root / "images").mkdir(exist_ok=True)
    np.savez_compressed(root / "images" / f"{name}.npz", **arrays | changes)


@pytest.fixture(scope="module")
def digits():
    return collage("digits", "noisy_digits", seed=0)


def classes_of(tiles, *datasets):
    """The class of each tile, found by looking its pixels up in the datasets it may come from."""
    known = {}
    for x, y in datasets:
        known.update(zip((row.tobytes() for row in x.numpy()), y.tolist(), strict=True))
    return torch.tensor([known[row.tobytes()] for row in tiles.contiguous().numpy()])


def test_both_tiles_show_the_class_in_training(digits):
    clean, noisy = load("digits"), load("noisy_digits")
    assert digits.name == "digits+noisy_digits" and digits.classes == 10 and digits.shape == (16, 8)
    assert digits.x_train.dtype == torch.float32 and digits.y_train.dtype == torch.int64
    assert classes_of(digits.x_train[:, :64], (clean.x_train, clean.y_train)).equal(digits.y_train)
    assert classes_of(digits.x_train[:, 64:], (noisy.x_train, noisy.y_train)).equal(digits.y_train)


@pytest.mark.parametrize("part", ["validation", "test"])
@pytest.mark.parametrize("predictive", [0, 1])
def test_one_tile_predicts_and_the_other_is_of_a_random_class(digits, part, predictive):
    x, y = getattr(digits, f"{part}_{('first', 'second')[predictive]}")
    source = "train" if part == "validation" else "test"
    tiles = []
    for name, half in (("digits", x[:, :64]), ("noisy_digits", x[:, 64:])):
        data = load(name)
        tiles.append(classes_of(half, (getattr(data, f"x_{source}"), getattr(data, f"y_{source}"))))
    assert len(y) == 360 and tiles[predictive].equal(y)
    other = tiles[1 - predictive]
    assert 0.03 < (other == y).float().mean() < 0.2  # a tenth by chance
    assert (other.bincount(minlength=10) > 15).all()


def test_validation_and_test_images_are_not_in_the_training_set(digits):
    for half in (slice(0, 64), slice(64, 128)):
        seen = {row.tobytes() for row in digits.x_train[:, half].contiguous().numpy()}
        for x, _ in (
            digits.validation_first,
            digits.validation_second,
            digits.test_first,
            digits.test_second,
        ):
            assert not seen & {row.tobytes() for row in x[:, half].contiguous().numpy()}


def test_collages_depend_on_the_seed_only(digits):
    again, other = (collage("digits", "noisy_digits", seed=seed) for seed in (0, 1))
    assert digits.x_train.equal(again.x_train) and digits.test_second[0].equal(again.test_second[0])
    assert digits.sha256 == other.sha256 and len(digits.sha256) == 64
    assert not digits.test_second[0].equal(other.test_second[0])


def test_grey_tiles_are_repeated_and_padded_and_the_smaller_dataset_is_reused(tmp_path):
    write_images(tmp_path, "mnist")
    images = np.random.default_rng(1).integers(0, 256, (400, 32, 32, 3), dtype=np.uint8)
    write_images(tmp_path, "cifar10", x_train=images, y_train=(np.arange(400) % 10).astype(np.uint8))
    both = collage("mnist", "cifar10", seed=0, data_dir=tmp_path)
    assert both.shape == (64, 32, 3) and both.x_train.shape[1] == 64 * 32 * 3
    assert len(both.validation_first[1]) == len(both.test_second[1]) == 20
    tiles = both.x_train.reshape(-1, 2, 32, 32, 3)  # (n, tile, height, width, channel)
    assert tiles[:, 0, :7].max() == tiles[:, 0, 25:].max() == tiles[:, 0, :, :7].max() == tiles[:, 0, :, 25:].max() == 0
    assert (tiles[:, 0] == tiles[:, 0, ..., :1]).all() and not (tiles[:, 1] == tiles[:, 1, ..., :1]).all()
    mnist = load("mnist", tmp_path)
    inner = tiles[:, 0, 7:25, 7:25, 0].reshape(-1, 324)
    assert classes_of(inner, (mnist.x_train, mnist.y_train)).equal(both.y_train)
    mnist_times = inner.unique(dim=0, return_counts=True)[1]
    cifar_times = tiles[:, 1].reshape(len(tiles), -1).unique(dim=0, return_counts=True)[1]
    assert len(mnist_times) == 180 and len(cifar_times) == 380
    assert mnist_times.sum() == cifar_times.sum() == len(both.y_train)


def test_each_class_uses_its_images_evenly(digits):
    for half in (slice(0, 64), slice(64, 128)):
        for label in range(10):
            tiles = digits.x_train[digits.y_train == label, half]
            times = tiles.unique(dim=0, return_counts=True)[1]
            assert times.max() - times.min() <= 1


def test_mnist_beside_svhn_is_cut_to_its_width(tmp_path):
    for name in ("mnist", "svhn"):
        write_images(tmp_path, name)
    both = collage("mnist", "svhn", seed=0, data_dir=tmp_path)
    assert both.shape == (64, 16, 3)
    tiles = both.test_first[0].reshape(-1, 2, 32, 16, 3)
    mnist = load("mnist", tmp_path).x_test.reshape(-1, 18, 18)[:, :, 1:17]
    found = tiles[:, 0, 7:25, :, 0].reshape(-1, 18 * 16)
    assert {row.tobytes() for row in found.contiguous().numpy()} == {
        row.tobytes() for row in mnist.reshape(-1, 18 * 16).contiguous().numpy()
    }


def test_fashion_beside_mnist_is_grey_in_either_order(tmp_path):
    for name in ("mnist", "fashion_mnist"):
        write_images(tmp_path, name)
    for names in (("mnist", "fashion_mnist"), ("fashion_mnist", "mnist")):
        assert collage(*names, seed=0, data_dir=tmp_path).shape == (56, 28)


def test_fit_keeps_the_centre():
    image = np.arange(1, 10, dtype=np.uint8).reshape(1, 3, 3)
    assert fit(image, (1, 1)).tolist() == [[[5]]]
    assert fit(image, (5, 3))[0].tolist() == [[0, 0, 0], [1, 2, 3], [4, 5, 6], [7, 8, 9], [0, 0, 0]]
    assert fit(image, (3, 3, 3)).shape == (1, 3, 3, 3)
    assert fit(image, (4, 4)).sum() == image.sum() and fit(image, (3, 3)).tolist() == image.tolist()


@pytest.mark.parametrize(
    ("first", "second"),
    [("digits", "digits"), ("digits", "wine"), ("a+b mod 27", "digits"), ("digits", "mnits")],
)
def test_other_datasets_are_refused(first, second):
    with pytest.raises(ValueError, match="two different datasets of mnist, .*; got "):
        collage(first, second, seed=0)


def test_too_few_training_images_are_refused(tmp_path):
    write_images(tmp_path, "mnist")
    write_images(tmp_path, "fashion_mnist", x_train=np.zeros((20, 28, 28), np.uint8), y_train=np.zeros(20, np.uint8))
    with pytest.raises(ValueError, match="20 images are held out for validation, of only 20"):
        collage("mnist", "fashion_mnist", seed=0, data_dir=tmp_path)


def test_a_missing_class_is_refused(tmp_path):
    write_images(tmp_path, "mnist", y_train=np.zeros(200, np.uint8))
    write_images(tmp_path, "fashion_mnist")
    with pytest.raises(ValueError, match="'mnist' has no image of class 1 left"):
        collage("mnist", "fashion_mnist", seed=0, data_dir=tmp_path)


def test_the_fingerprint_follows_both_datasets(tmp_path):
    for name in ("mnist", "fashion_mnist"):
        write_images(tmp_path, name)
    before = collage("mnist", "fashion_mnist", seed=0, data_dir=tmp_path).sha256
    write_images(tmp_path, "fashion_mnist", y_test=np.arange(20, dtype=np.uint8)[::-1] % 10)
    after = collage("mnist", "fashion_mnist", seed=0, data_dir=tmp_path).sha256
    assert before != after != fingerprint("mnist", tmp_path)


def test_halving_takes_the_mean_of_pixels_and_colours():
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)
    expected = images.reshape(5, 2, 2, 3, 2, 3).mean(axis=(2, 4, 5))
    assert halve(images).dtype == np.uint8 and np.abs(halve(images) - expected).max() <= 0.5 + 1e-9
