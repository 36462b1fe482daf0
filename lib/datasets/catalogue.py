"""Where the data of a dataset come from, before any split: prepared files, embedded datasets, operations.

A fingerprint is the SHA-256 of these arrays. It goes into the name of every stored result, so that a result
computed on another copy of the data is recognised as another result.
"""

import difflib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import algorithmic, download, prepared

_DIGESTS: dict[tuple, str] = {}  # by name and by path, modification time and size of the file


@dataclass(frozen=True)
class ImageSet:
    """A copy of an image dataset."""

    size: tuple[int, ...]  # height and width of the prepared images in pixels and, for colour, 3
    crop: tuple[int, int] = (0, 0)  # pixels cut off at top and bottom, and at left and right (Appendix E.2)
    official: int = 0  # the number of training images of the official dataset
    file: str = ""  # the name of the prepared file; empty if it is that of the dataset
    first: int = 0  # of the training images only the first so many; 0 for all
    whole: bool = False  # whether the file must have the official number of training images


IMAGES = {
    "mnist": ImageSet((28, 28), (5, 5), 60_000),
    "fashion_mnist": ImageSet((28, 28), (0, 0), 60_000),
    "svhn": ImageSet((32, 32, 3), (0, 8), 73_257),
    # NOTE[DIFF]: "cifar10" is the first 20,000 training images, of which the first records were made and after which
    # they are named. A plan that wants all of them says "cifar10-full". Both read the same file.
    "cifar10": ImageSet((32, 32, 3), official=50_000, first=20_000),
    "cifar10-full": ImageSet((32, 32, 3), official=50_000, file="cifar10", whole=True),
}
# Suite 337 of OpenML (Section 3.3): the task and the number of rows of the official table.
TABLES = {
    "credit": (361055, 16_714),
    "electricity": (361060, 38_474),
    "covertype": (361061, 566_602),
    "pol": (361062, 10_082),
    "house_16H": (361063, 13_488),
    "MagicTelescope": (361065, 13_376),
    "bank-marketing": (361066, 10_578),
    "MiniBooNE": (361068, 72_998),
    "Higgs": (361069, 940_160),
    "eye_movements": (361070, 7_608),
    "Diabetes130US": (361273, 71_090),
    "jannis": (361274, 57_580),
    "default-of-credit-card-clients": (361275, 13_272),
    "Bioresponse": (361276, 3_434),
    "california": (361277, 20_634),
    "heloc": (361278, 10_000),
}
EMBEDDED_IMAGES = ("digits", "noisy_digits")
EMBEDDED_TABLES = ("breast_cancer", "wine", "diabetes")


def image_arrays(name: str, data_dir: str | os.PathLike | None = None) -> tuple[list[np.ndarray], int]:
    """Cropped images as integers, and the value of white.

    Returns:
        [x_train (n, height, width[, 3]), y_train (n,), x_test, y_test] uint8, read-only; 255 or 16.

    Raises:
        ValueError: if the file is damaged, or has a part of the training images where the copy is of all.
    """
    if name in EMBEDDED_IMAGES:
        return _embedded_images(name), 16
    download_if_missing(name, data_dir)
    file, copy = path(name, data_dir), IMAGES[name]
    x_train, y_train, x_test, y_test = prepared.read_images(file, copy.size)
    if copy.whole and len(x_train) != copy.official:
        raise ValueError(
            f"{name!r} must have all {copy.official:,} training images, got {len(x_train):,} in {file}: "
            "delete that file, then load the dataset again to download it"
        )
    (height, width), (rows, columns), first = copy.size[:2], copy.crop, copy.first or None
    window = (slice(None), slice(rows, height - rows), slice(columns, width - columns))
    return [x_train[:first][window], y_train[:first], x_test[window], y_test], 255


def _embedded_images(name: str) -> list[np.ndarray]:
    from sklearn import datasets  # here, because it takes seconds and few runs need it

    bundle = datasets.load_digits()
    images = bundle.images.astype(np.uint8)  # (1797, 8, 8), 0 to 16
    if name == "noisy_digits":
        noise = np.random.default_rng(0).normal(scale=8.0, size=images.shape)
        images = np.clip(np.rint(images + noise), 0, 16).astype(np.uint8)
    labels = bundle.target.astype(np.uint8)
    return [images[:1437], labels[:1437], images[1437:], labels[1437:]]  # the last fifth is for the test


def table_arrays(name: str, data_dir: str | os.PathLike | None = None) -> tuple[np.ndarray, np.ndarray]:
    """All rows of a table: columns (n, d) float64 and target (n,) int64 in 0 and 1."""
    if name not in EMBEDDED_TABLES:
        download_if_missing(name, data_dir)
        return prepared.read_table(path(name, data_dir))
    from sklearn import datasets

    bundle = getattr(datasets, f"load_{name}")()
    y = bundle.target
    if name != "breast_cancer":  # of wine the second cultivar against the others, of diabetes what is above the median
        y = y == 1 if name == "wine" else y > np.median(y)
    return bundle.data.astype(np.float64), y.astype(np.int64)


def check_name(name: str) -> None:
    """Raise a ValueError unless `name` is that of a dataset."""
    if algorithmic.is_task(name):
        algorithmic.check(name)
        return
    known = [*IMAGES, *EMBEDDED_IMAGES, *TABLES, *EMBEDDED_TABLES]
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
        raise ValueError(
            f"unknown dataset {name!r}: did you mean {close!r}? Choose one of {', '.join(known)}, "
            "or an algorithmic task such as 'a+b mod 27' or 'a.b S4'"
        )


def path(name: str, data_dir: str | os.PathLike | None = None) -> Path | None:
    """The prepared file of a dataset; None if it needs no file."""
    check_name(name)
    if name in IMAGES:
        return prepared.directory(data_dir) / "images" / f"{IMAGES[name].file or name}.npz"
    if name in TABLES:
        return prepared.directory(data_dir) / "tabular" / f"{name}.parquet"
    return None


def available(name: str, data_dir: str | os.PathLike | None = None) -> bool:
    """Whether a dataset can be loaded without a download."""
    file = path(name, data_dir)
    return file is None or file.exists()


def download_if_missing(name: str, data_dir: str | os.PathLike | None = None) -> None:
    """Write the prepared file of a dataset unless it is there or none is needed (:mod:`lib.datasets.download`).

    Of several processes that need the same one, the first downloads it and the others wait.
    """
    if available(name, data_dir):
        return
    file = path(name, data_dir)
    with download.one_at_a_time(file):
        if available(name, data_dir):
            return
        if name in IMAGES:
            download.images(IMAGES[name].file or name, file)
        else:
            download.table(name, TABLES[name][0], file)


def fingerprint(name: str, data_dir: str | os.PathLike | None = None) -> str:
    """SHA-256 of the data of a dataset as the runs see them, before any split (images cropped, tables whole).

    Never downloads; repeated calls are quick. ValueError if the name is unknown, or the file is missing or damaged.
    """
    file = path(name, data_dir)
    if not available(name, data_dir):
        raise ValueError(f"no fingerprint of {name!r}: {file} is missing")
    key = (name, prepared.stamp(file) if file else None)
    if key not in _DIGESTS:
        _DIGESTS[key] = prepared.digest(*arrays(name, data_dir))
    return _DIGESTS[key]


def arrays(name: str, data_dir: str | os.PathLike | None = None) -> tuple[np.ndarray, ...]:
    """What a fingerprint is of: of images as in :func:`image_arrays`, of tables columns and target, of tasks pairs."""
    if algorithmic.is_task(name):
        return algorithmic.examples(name)[:2]
    if name in IMAGES or name in EMBEDDED_IMAGES:
        return tuple(image_arrays(name, data_dir)[0])
    return table_arrays(name, data_dir)
