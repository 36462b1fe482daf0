"""Tables as they come, made inputs of a network: numbers scaled, categories one-hot, gaps filled and marked."""

import datetime
import math
from decimal import Decimal

import numpy as np
import pandas as pd
import torch
from sklearn.utils.validation import validate_data

from .splines import Spline

SCALINGS = ("quantile", "minmax", None)
LEVELS = 257  # quantiles that are kept of a column
WIDTH = math.sqrt(3)  # of the range after "quantile": [-WIDTH, WIDTH] has standard deviation 1
LEAST = 0.05  # share of the values that the most frequent ones must have: names that hardly repeat have less
MOST_CATEGORIES = 20  # of a column; rarer ones share "none of them"


class Columns:
    """How each column of a table becomes inputs, learned from training rows.

    Numbers (booleans too, nullable and pyarrow types) are scaled: "quantile" spreads the ranks evenly over
    [-1.73, 1.73], which also tames skewed columns; "minmax" maps the range to [-1, 1]. Other values are categories, one
    input each for the most frequent. Where training rows have gaps, an input says so. Columns that do not vary, and
    texts that hardly repeat, are left out; ``problems`` says which.

    Attributes: ``names`` of the inputs, of which the first ``numbers`` are scaled columns; ``scales`` of these.

    Raises:
        ValueError: for a column that cannot be used; the message has its name, the rule and a value.
    """

    def __init__(self, frame: pd.DataFrame, scaling: str | None = "quantile"):
        self.scaling, self.scales, self.categories = scaling, {}, {}
        self.gaps, self.names, self.problems = [], [], []
        for i, name in enumerate(frame.columns):
            column = frame.iloc[:, i]
            missing = bool(column.isna().any())
            if kind(name, column) == "numbers":
                values = numbers(name, column)
                known = values[~np.isnan(values)]
                if len(np.unique(known)) > 1:
                    self.scales[i] = self._scale(known)
                elif not missing or not len(known):
                    self.problems.append(f"column {name!r} does not vary: it was left out")
                    continue
            else:
                counts = column.dropna().astype(object).value_counts()
                kept = counts[counts > 1][:MOST_CATEGORIES]
                kept = kept.index if kept.sum() >= LEAST * counts.sum() else []
                if len(counts) == 0 or (len(counts) == 1 and not missing):
                    self.problems.append(f"column {name!r} does not vary: it was left out")
                    continue
                if len(kept):
                    self.categories[i] = [str(value) for value in kept]
                else:
                    but = ", but for its gaps" if missing else ""
                    self.problems.append(f"column {name!r} hardly repeats a value: it was left out{but}")
            if missing:
                self.gaps.append(i)
        labels = list(frame.columns)
        self.numbers = len(self.scales)
        self.names = [str(labels[i]) for i in self.scales]
        self.names += [f"{labels[i]}={value}" for i, values in self.categories.items() for value in values]
        self.names += [f"{labels[i]} is missing" for i in self.gaps]

    def inputs(self, frame: pd.DataFrame) -> torch.Tensor:
        """The inputs of a table with the same columns, (n, len(names)) float32; a column of zeros if there are none."""
        parts = []
        for i, scale in self.scales.items():
            parts.append(scaled(numbers(frame.columns[i], frame.iloc[:, i]), scale, self.scaling))
        for i, values in self.categories.items():
            column = frame.iloc[:, i].astype(object)
            text = column.where(column.isna(), column.map(str))
            parts += [(text == value).to_numpy(dtype=np.float64) for value in values]
        parts += [frame.iloc[:, i].isna().to_numpy(dtype=np.float64) for i in self.gaps]
        x = np.stack(parts, axis=1) if parts else np.zeros((len(frame), 1))
        largest = np.abs(x).max(initial=0)
        if largest > np.finfo(np.float32).max:
            raise ValueError(f"values must fit float32, got {largest:g}: use a scaling, or divide the column")
        return torch.as_tensor(x, dtype=torch.float32)

    @property
    def range(self) -> tuple[float, float]:
        """Of the scaled numbers, if they are scaled."""
        return (-WIDTH, WIDTH) if self.scaling == "quantile" else (-1.0, 1.0)

    def about(self) -> dict:
        """Names and scaling of the inputs, as JSON: what :func:`columns_for` needs."""
        scales = {self.names[k]: [float(v) for v in scale] for k, scale in enumerate(self.scales.values())}
        return {"columns": self.names, "scaling": self.scaling, "scales": scales}

    def _scale(self, known: np.ndarray) -> np.ndarray:
        if self.scaling == "quantile":
            return np.quantile(known, np.linspace(0, 1, min(LEVELS, len(known))))
        if self.scaling == "minmax":
            return np.array([known.min(), known.max()])
        return np.array([known.mean()])


def scaled(values: np.ndarray, scale: np.ndarray, scaling: str | None) -> np.ndarray:
    """A column of numbers as an input, with 0 for gaps (the mean where there is no scaling); scale: see Columns."""
    gaps = np.isnan(values)
    if scaling is None:
        return np.where(gaps, scale[0], values)
    if scaling == "minmax":
        found = (values - scale[0]) / (scale[1] - scale[0]) * 2 - 1
    else:  # of equal quantiles the middle one
        levels = np.linspace(0, 1, len(scale))
        up, down = np.interp(values, scale, levels), -np.interp(-values, -scale[::-1], -levels[::-1])
        found = WIDTH * (up + down - 1)
    return np.where(gaps, 0.0, found)


def columns_for(g: Spline, frame: pd.DataFrame) -> torch.Tensor:
    """What learned functions of columns take, from another copy of the table: by the names and the scaling in g.info.

    Returns:
        (n, d) float32 for a function per column, (n,) for the function of one.

    Raises:
        ValueError: if g says nothing of columns, or the table lacks one; the message has its name.

    Example:
        >>> info = {"column": "age", "scaling": "minmax", "scales": {"age": [20, 60]}}
        >>> columns_for(Spline(torch.zeros(5), info=info), pd.DataFrame({"age": [20, 40, 50]}))
        tensor([-1.0000,  0.0000,  0.5000])
    """
    scales = g.info.get("scales", {})
    names = [g.info["column"]] if "column" in g.info else list(scales)
    if not names or not set(names) <= set(scales):
        raise ValueError(f"the function must say the scaling of its columns in info, got {sorted(g.info)}")
    labels = {str(label): label for label in frame.columns}
    if lacking := [name for name in names if name not in labels]:
        raise ValueError(f"the table must have the columns of the function, it lacks {lacking[:5]}")
    found = [numbers(name, frame[labels[name]]) for name in names]
    x = [scaled(own, np.array(scales[name]), g.info["scaling"]) for name, own in zip(names, found, strict=True)]
    return torch.as_tensor(x[0] if "column" in g.info else np.stack(x, axis=1), dtype=torch.float32)


def kind(name, column: pd.Series) -> str:
    """ "numbers" or "categories"; ValueError for what is neither."""
    types = pd.api.types
    if types.is_complex_dtype(column.dtype):
        raise ValueError(f"column {name!r} must hold real numbers, got {column.dtype}. Complex data not supported")
    if types.is_numeric_dtype(column.dtype) or types.is_bool_dtype(column.dtype):
        return "numbers"
    if isinstance(column.dtype, pd.CategoricalDtype):
        return "categories"
    values = column.dropna()
    times = isinstance(next(iter(values), None), datetime.date | datetime.time | datetime.timedelta)
    if times or any(word in str(column.dtype) for word in ("date", "time", "period", "duration")):
        hint = f"make numbers of it, such as .dt.year, .dt.dayofweek or the days since the first: got {column.dtype}"
        raise ValueError(f"column {name!r} holds times, which have no scale of their own; {hint}")
    strange = next((v for v in values if not isinstance(v, str | bool | int | float | Decimal | np.generic)), None)
    if strange is not None:
        rule = "must hold numbers, booleans, texts or categories"
        raise ValueError(f"column {name!r} {rule}, got {type(strange).__name__}: {str(strange)[:40]!r}")
    return "categories" if any(isinstance(v, str) for v in values) or not len(values) else "numbers"


def numbers(name, column: pd.Series) -> np.ndarray:
    """The column in float64, NaN for gaps; ValueError if there is something else in it, or something infinite."""
    try:
        values = column.astype(object).where(column.notna(), np.nan).to_numpy(dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"column {name!r} must hold numbers, as it did when fitted: {error}") from None
    if np.isinf(values).any():
        raise ValueError(f"column {name!r} must hold finite numbers or gaps, got {np.isinf(values).sum()} infinite")
    return values


def frame_of(estimator, X, reset: bool) -> pd.DataFrame:
    """X as a DataFrame, checked as scikit-learn does: names and number of columns, not sparse, two dimensions."""
    if not isinstance(X, pd.DataFrame) and hasattr(X, "to_pandas"):  # polars, pyarrow
        X = X.to_pandas()
    if not isinstance(X, pd.DataFrame):
        array = validate_data(estimator, X, reset=reset, dtype="numeric", ensure_all_finite="allow-nan")
        return pd.DataFrame(np.asarray(array, dtype=np.float64), columns=[f"x{i}" for i in range(array.shape[1])])
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    if X.shape[0] == 0 or X.shape[1] == 0:
        what = "sample" if X.shape[0] == 0 else "feature"
        raise ValueError(f"Found array with 0 {what}(s) (shape={X.shape}) while a minimum of 1 is required.")
    return X
