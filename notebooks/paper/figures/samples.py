"""Sample images of the datasets, one of each class, which a clone without the datasets has too."""

from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from lib.datasets import catalogue

from .looks import name_of

FILE = Path(__file__).parents[3] / "data" / "samples.npz"
CLASSES = {
    "fashion_mnist": "T-shirt trouser pullover dress coat sandal shirt sneaker bag boot".split(),
    "cifar10": "airplane car bird cat deer dog frog horse ship truck".split(),
}


def one_of_each_class(data: str, data_dir=None) -> np.ndarray:
    """The first training image of each class, as networks see it: (10, height, width[, 3]), integers."""
    (x, y, *_), _ = catalogue.image_arrays(data, data_dir)
    return x[np.unique(y, return_index=True)[1]]


def images(data: str) -> np.ndarray:
    """The same from the file in the repository, if it has the dataset."""
    with np.load(FILE) as file:
        return file[data] if data in file else one_of_each_class(data)


def grid(datasets: dict[str, np.ndarray], narrow: bool = False) -> Figure:
    """The samples of each dataset in a row, or two rows on a phone, each with its number and its name.

    Args:
        datasets: images by name of the dataset, from :func:`images`.
    """
    columns = 5 if narrow else 10
    rows = 10 // columns
    size = (3.6 if narrow else 7, (0.25 + (0.9 if narrow else 0.95) * rows) * len(datasets))
    figure = plt.figure(figsize=size)
    parts = figure.subfigures(len(datasets), 1, squeeze=False)[:, 0]
    for part, (data, shown) in zip(parts, datasets.items(), strict=True):
        part.suptitle(name_of(data), x=0.01, ha="left", fontsize=9.5, fontweight="bold")
        for number, (ax, image) in enumerate(zip(part.subplots(rows, columns).flat, shown, strict=True)):
            name = CLASSES[data][number] if data in CLASSES else ""
            ax.imshow(image, cmap="gray", vmin=0, vmax=shown.max())
            ax.set_title(f"{number} {name}", fontsize=8.5, pad=3)
            ax.set_axis_off()
    return figure
