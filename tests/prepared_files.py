"""Small prepared files for tests."""

import numpy as np
import pandas as pd

SIZES = {"mnist": (28, 28), "fashion_mnist": (28, 28), "svhn": (32, 32, 3), "cifar10": (32, 32, 3)}


def write_images(root, name, **changes):
    """Write a small prepared file; `changes` replace its arrays, None leaves one out."""
    rng = np.random.default_rng(0)
    arrays = {
        "x_train": rng.integers(0, 256, (40, *SIZES[name]), dtype=np.uint8),
        "y_train": np.arange(40, dtype=np.uint8) % 10,
        "x_test": rng.integers(0, 256, (20, *SIZES[name]), dtype=np.uint8),
        "y_test": np.arange(20, dtype=np.uint8) % 10,
    } | changes
    path = root / "images" / f"{name}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **{key: array for key, array in arrays.items() if array is not None})
    return path, arrays


def write_table(root, n=50, name="credit", **changes):
    rng = np.random.default_rng(0)
    columns = {"a": rng.normal(size=n), "b": rng.integers(0, 9, n), "target": np.arange(n) % 2} | changes
    frame = pd.DataFrame({key: column for key, column in columns.items() if column is not None})
    path = root / "tabular" / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(path)
    return path, frame
