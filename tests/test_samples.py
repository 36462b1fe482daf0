"""The sample images of the datasets."""

import matplotlib.pyplot
import numpy as np
import pytest

from book.press import release
from notebooks.paper.figures import samples


@pytest.mark.parametrize(("data", "shape"), [("mnist", (18, 18)), ("cifar10", (32, 32, 3)), ("digits", (8, 8))])
def test_each_dataset_has_an_image_of_each_class_as_networks_see_it(data, shape):
    assert samples.images(data).shape == (10, *shape)


@pytest.mark.parametrize("narrow", [False, True])
def test_the_images_are_drawn_with_their_numbers(narrow):
    axes = samples.grid({"fashion_mnist": samples.images("fashion_mnist")}, narrow).axes
    assert [ax.get_title() for ax in axes][:2] == ["0 T-shirt", "1 trouser"] and len(axes) == 10
    matplotlib.pyplot.close("all")


def test_samples_of_datasets_that_are_not_here_are_kept(tmp_path):
    known = np.zeros((10, 2, 2), np.uint8)
    np.savez_compressed(tmp_path / "samples.npz", svhn=known)
    assert release.write_samples(tmp_path / "samples.npz", tmp_path) == ["svhn"]
    assert (np.load(tmp_path / "samples.npz")["svhn"] == known).all()
