"""Collages of two image datasets, to study shortcuts (Section 3.4, Appendix E.5).

A collage is one tile above another. In training both tiles show the class; each evaluation set has one
predictive tile and one of a random class, which tells on what tile a model relies.
"""

import hashlib
import os
from dataclasses import dataclass

import numpy as np
import torch

from lib.datasets import catalogue


@dataclass(frozen=True, eq=False)
class Collages:
    """Collages, ready for training.

    Shapes: x_train (n, d) float32 in [0, 1], y_train (n,) int64. Each of the four evaluation sets is a pair
    (x, y) of such tensors, where y is the class of the first or of the second tile, as its name says; the
    other tile is of a random class. `shape` is that of one collage, (2 * height, width[, 3]): x[:, : d // 2]
    is the first tile.
    """

    name: str
    x_train: torch.Tensor
    y_train: torch.Tensor
    validation_first: tuple[torch.Tensor, torch.Tensor]
    validation_second: tuple[torch.Tensor, torch.Tensor]
    test_first: tuple[torch.Tensor, torch.Tensor]
    test_second: tuple[torch.Tensor, torch.Tensor]
    classes: int
    sha256: str
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class _Tiles:
    images: np.ndarray  # (n, height, width[, 3])
    labels: np.ndarray  # (n,)
    white: int

    def take(self, indices: np.ndarray) -> "_Tiles":
        return _Tiles(self.images[indices], self.labels[indices], self.white)


def collage(
    first: str,
    second: str,
    *,
    seed: int,
    half: bool = False,
    data_dir: str | os.PathLike | None = None,
) -> Collages:
    """Build the collages of two image datasets with all ten classes.

    Tiles are cropped as in the other image experiments; then the smaller tile is padded with black or cropped
    around its centre to the other's size, and grey is repeated thrice where the other has colours.
    Training images are first divided in two: as many as there are test images make the validation sets, the
    rest the training set. There, class by class, every image of the dataset that has more occurs once, and
    those of the other are reused evenly.

    Args:
        first, second: image datasets, such as "mnist" and "cifar10"; embedded: "digits" and "noisy_digits".
        seed: of the division and of all combinations.
        half: whether to make the tiles grey, of half the height and width (means over 2 x 2 pixels).
        data_dir: see `lib.datasets.prepared.directory`.

    Raises:
        ValueError: if the names are not of two image datasets, or a class is missing.
        ConnectionError: if a dataset is missing and cannot be downloaded.

    >>> both = collage("digits", "noisy_digits", seed=0)
    >>> both.x_train.shape, both.test_first[0].shape, both.shape
    (torch.Size([1105, 128]), torch.Size([360, 128]), (16, 8))
    """
    # NOTE[DIFF]: the paper does not give the layout, the sizes of the sets or how often images are reused.
    names = (first, second)
    known = [*catalogue.IMAGES, *catalogue.EMBEDDED_IMAGES]
    if first == second or first not in known or second not in known:
        raise ValueError(f"a collage needs two different datasets of {', '.join(known)}; got {first!r} and {second!r}")
    train, test = _matched_tiles(names, half, data_dir)
    rng = np.random.default_rng(seed)
    count = min(len(part.labels) for part in test)
    kept, held_out = [], []
    for part in train:
        if len(part.labels) <= count:
            raise ValueError(f"{count} images are held out for validation, of only {len(part.labels)} for training")
        order = rng.permutation(len(part.labels))
        held_out.append(part.take(order[:count]))
        kept.append(part.take(order[count:]))
    indices = _same_class(kept, names, rng)  # (n, 2)
    x_train, labels = _combine(kept, indices)
    evaluation = [
        (x, labels[:, predictive])
        for parts in (held_out, test)
        for predictive in (0, 1)
        for x, labels in [_combine(parts, _random_class(parts, predictive, count, rng))]
    ]
    height, width, *channels = train[0].images.shape[1:]
    fingerprints = " ".join(catalogue.fingerprint(name, data_dir) for name in names)
    return Collages(
        f"{first}+{second}",
        x_train,
        labels[:, 0],
        *evaluation,
        classes=10,
        sha256=hashlib.sha256(fingerprints.encode()).hexdigest(),
        shape=(2 * height, width, *channels),
    )


def fit(images: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Bring images to a size: cut or padded with black around the centre; grey is repeated to make colours.

    Args:
        images: (n, height, width) or (n, height, width, 3).
        shape: height, width and, for colour, 3.

    >>> fit(np.ones((1, 2, 2), dtype=np.uint8), (1, 4))[0].tolist()
    [[0, 1, 1, 0]]
    """
    for axis, wanted in ((1, shape[0]), (2, shape[1])):
        surplus = images.shape[axis] - wanted
        if surplus > 0:
            images = images.take(range(surplus // 2, surplus // 2 + wanted), axis=axis)
        else:
            padding = [(0, 0)] * images.ndim
            padding[axis] = (-surplus // 2, -surplus - (-surplus // 2))
            images = np.pad(images, padding)
    if len(shape) == 3 and images.ndim == 3:
        images = np.repeat(images[..., None], shape[2], axis=3)
    return images


def halve(images: np.ndarray) -> np.ndarray:
    """Make images grey and halve them: the mean of each 2 x 2 pixels and of their colours, rounded.

    Args:
        images: (n, height, width) or (n, height, width, 3) uint8 of even height and width.

    >>> halve(np.array([[[0, 4], [8, 12]]], dtype=np.uint8)).tolist()
    [[[6]]]
    """
    if images.shape[1] % 2 or images.shape[2] % 2:
        raise ValueError(f"height and width must be even to be halved, got {images.shape[1:3]}")
    pixels = images[..., None] if images.ndim == 3 else images
    total = np.zeros((len(images), images.shape[1] // 2, images.shape[2] // 2), dtype=np.uint16)
    for row in (0, 1):
        for column in (0, 1):
            for channel in range(pixels.shape[3]):
                total += pixels[:, row::2, column::2, channel]
    return np.rint(total / (4 * pixels.shape[3])).astype(np.uint8)


def _matched_tiles(
    names: tuple[str, str], half: bool, data_dir: str | os.PathLike | None
) -> tuple[list[_Tiles], list[_Tiles]]:
    """Training and test tiles of both datasets, all of one shape."""
    loaded = [catalogue.image_arrays(name, data_dir) for name in names]
    shapes = [arrays[0].shape[1:] for arrays, _ in loaded]
    size = max((shape[:2] for shape in shapes), key=lambda size: size[0] * size[1])
    shape = (*size, 3) if any(len(shape) == 3 for shape in shapes) else size
    train, test = ([_Tiles(fit(arrays[i], shape), arrays[i + 1], white) for arrays, white in loaded] for i in (0, 2))
    if half:
        train, test = ([_Tiles(halve(p.images), p.labels, p.white) for p in part] for part in (train, test))
    return train, test


def _same_class(parts: list[_Tiles], names: tuple[str, str], rng: np.random.Generator) -> np.ndarray:
    """Indices (n, 2) of pairs of tiles that show the same class, in random order."""
    pairs = []
    for label in range(10):
        pools = [np.flatnonzero(part.labels == label) for part in parts]
        for pool, name in zip(pools, names, strict=True):
            if len(pool) == 0:
                raise ValueError(f"{name!r} has no image of class {label} left to train on")
        count = max(map(len, pools))
        rounds = [[rng.permutation(pool) for _ in range(-(-count // len(pool)))] for pool in pools]
        pairs.append(np.stack([np.concatenate(chosen)[:count] for chosen in rounds], axis=1))  # (count, 2)
    return rng.permutation(np.concatenate(pairs))


def _random_class(parts: list[_Tiles], predictive: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Indices (count, 2): images of the predictive tile; of the other, a random class, then image."""
    chosen = rng.permutation(len(parts[predictive].labels))[:count]
    labels = parts[1 - predictive].labels
    classes = rng.choice(np.unique(labels), size=count)  # the predictive tile's own class is one of them
    others = np.empty(count, dtype=np.int64)
    for label in np.unique(classes):
        rows = np.flatnonzero(classes == label)
        others[rows] = rng.choice(np.flatnonzero(labels == label), size=len(rows))
    return np.stack([chosen, others] if predictive == 0 else [others, chosen], axis=1)


def _combine(parts: list[_Tiles], indices: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Collages x (n, d) float32 of the chosen tiles, and the classes of both tiles (n, 2) int64."""
    half = parts[0].images[0].size
    x = np.empty((len(indices), 2 * half), dtype=np.float32)  # filled in place: it can be more than a gigabyte
    for side, part in enumerate(parts):
        chosen = part.images[indices[:, side]].reshape(len(indices), half)
        np.divide(chosen, np.float32(part.white), out=x[:, side * half : (side + 1) * half])
    labels = np.stack([part.labels[indices[:, side]] for side, part in enumerate(parts)], axis=1)
    return torch.from_numpy(x), torch.from_numpy(labels.astype(np.int64))
