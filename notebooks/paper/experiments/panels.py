"""Pictures of one trained model: landscapes in weight space, slices of its input space (Figures 7 and 24)."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from lib import metrics
from lib.metrics import Model
from lib.networks import Network, Params, Psi, loss_and_delta
from lib.training import Trained

from ..records.store import Outcome
from . import baseline, landscapes
from .baseline import Baseline
from .landscapes import Landscape
from .parts import LOSS_OF, Parts, load_parts
from .train import Train

LOSS_ROWS = 2000  # training rows that a loss landscape is measured on
PATHS = 50  # of the total variation at each point of a landscape
ZOOM = 0.5  # how far the random plane reaches from the solution, relative to the norm of its weights
SAMPLE, COARSE = 40, 100  # slices, and points along their sides, that the alignment is measured on
NEAR_AXIS = math.radians(10)
FINE = 0.02  # standard deviation, in parts of the side, of the Gaussian that the fine structure is left over by
SMOOTH = 2.0  # standard deviation in points of the Gaussian before the alignment is measured


class OfRun:
    """What is of a run: its section and its datasets are those of the run."""

    run_of: Train | Baseline

    @property
    def section(self) -> str:
        return self.run_of.section

    @property
    def datasets(self) -> tuple[str, ...]:
        return self.run_of.datasets

    @property
    def reads(self) -> tuple[str | Baseline, ...]:
        """The records that it reads: of a baseline its settings, of a network its activation."""
        return (self.run_of,) if isinstance(self.run_of, Baseline) else self.run_of.reads


@dataclass(frozen=True)
class Panels(OfRun):
    """Train a model again as a run did, and measure what Figure 7 shows of it.

    NOTE[DIFF]: the landscapes take the loss on 2,000 training rows and the complexity on 50 paths, not 200:
    they are evaluated at thousands of models, all on the same rows and paths.
    NOTE[DIFF]: the paper draws its trees from regression trees fitted for the purpose; here they are the
    log-odds of the classifier that is compared.

    Args:
        run_of: which model: a network (its landscapes and slices), or a baseline that the store has (slices).
        seed: of the random plane, the paths, and the slices, which are the same for all models of a dataset.
        resolution: points along each side of a landscape. slice_resolution: of a slice. slices: how many.
    """

    kind: ClassVar[str] = "panels"
    version: ClassVar[int] = 2  # 1 measured the alignment without smoothing

    run_of: Train | Baseline
    seed: int = 0
    resolution: int = 50
    slice_resolution: int = 200
    slices: int = 4

    @property
    def cost(self) -> float:
        return self.run_of.cost + 2 * self.resolution**2

    def run(self, context) -> Outcome:
        of = self.run_of
        if isinstance(of, Baseline):
            parts = load_parts(of.data, "binary", of.split, of.validation, context.data_dir, of.scaling)
            record = context.store.get(of)
            if record is None:
                raise ValueError(
                    f"the store has no record of the baseline {of.model!r} on {of.data!r}: compute it first"
                )
            scores = baseline.fit(of.model, record.numbers["settings"], parts, of.seed)
            return self.with_slices({"test_accuracy": record.numbers["test_accuracy"]}, {}, scores, parts)
        network, psi, parts, done = replace(of, complexity=False).trained(context, snapshots=True)
        at = done.history["step"].index(done.best_step)
        numbers, arrays = self.landscapes(network, psi, parts, done)
        numbers["test_accuracy"] = done.history["test_accuracy"][at]
        return self.with_slices(numbers, arrays, lambda x: network.forward(done.params, psi, x), parts)

    def with_slices(self, numbers: dict, arrays: dict, f: Model, parts: Parts) -> Outcome:
        """Add slices to show, scaled to 0 ... 255, and the alignment of many; see :func:`slice_places`."""
        many = slice_places(parts, SAMPLE, self.seed + 1)
        coarse = [landscapes.axis_slice(f, x, columns, COARSE)[1][:, :, 0] for x, columns in many]
        places = slice_places(parts, self.slices, self.seed)
        values = [landscapes.axis_slice(f, x, columns, self.slice_resolution)[1][:, :, 0] for x, columns in places]
        ends = [(float(v.min()), float(v.max())) for v in values]
        images = [
            ((v - low) / max(high - low, 1e-12) * 255).round().to(torch.uint8).numpy()
            for v, (low, high) in zip(values, ends, strict=True)
        ]
        shown = {
            "slices": np.stack(images),
            "slice_ends": np.array(ends),
            "slice_columns": np.array([columns for _, columns in places]),
            "slice_points": np.array([[float(x[m]), float(x[n])] for x, (m, n) in places]),
        }
        return Outcome(numbers | {"axis_aligned": [axis_aligned(values) for values in coarse]}, arrays | shown)

    def landscapes(self, network: Network, psi: Psi, parts: Parts, done: Trained) -> tuple[dict, dict]:
        """Loss and complexity in the plane of the trajectory, and around the solution in a random plane."""
        rows, loss = parts.train[:LOSS_ROWS], LOSS_OF[self.run_of.task]
        generator = torch.Generator().manual_seed(self.seed)
        paths = metrics.sample_paths(parts.train.x, parts.train.labels, generator=generator, paths=PATHS)

        def complexity(params: Params) -> float:
            return metrics.network_total_variation(
                network,
                params,
                psi,
                parts.train.x,
                None,
                generator=torch.Generator().manual_seed(0),
                paths=paths,
            ).mean

        def measure(flat: Tensor) -> Tensor:
            params = landscapes.unflatten(flat, done.params)
            value, _ = loss_and_delta(network.predict(params, psi, rows.x), rows.y, loss)
            return torch.tensor([float(value), complexity(params)])

        solution = landscapes.flatten(done.params)
        plane = landscapes.pca_plane(done.snapshots, solution)
        zoom_plane = landscapes.random_plane(solution, generator=generator)
        whole = landscapes.landscape(measure, plane, landscapes.trajectory_extent(plane), self.resolution)
        zoom = landscapes.landscape(measure, zoom_plane, ZOOM, self.resolution)
        numbers = {
            "tv": complexity(done.params),
            "tv_around": float(zoom.values[..., 1].mean()),
            "explained": [float(part) for part in plane.explained],
        }
        arrays = {"trajectory": plane.coordinates.numpy(), "steps": np.array(done.history["step"])}
        return numbers, arrays | arrays_of("plane", whole) | arrays_of("zoom", zoom)


@dataclass(frozen=True)
class Paths(OfRun):
    """Train a network again as a run did, and measure it along paths in both ways (Figures 29 and 30).

    Args:
        run_of: which network. seed: of the paths, which are the same for all models of a dataset and split.
        shown: how many paths to keep the outputs of.
    """

    kind: ClassVar[str] = "paths"
    version: ClassVar[int] = 1

    run_of: Train
    seed: int = 0
    shown: int = 4

    @property
    def cost(self) -> float:
        return self.run_of.cost

    def run(self, context) -> Outcome:
        of = self.run_of
        network, psi, parts, done = replace(of, complexity=False).trained(context, snapshots=True)
        x, generator = parts.train.x, torch.Generator().manual_seed(self.seed)
        paths = metrics.sample_paths(x, parts.train.labels, generator=generator)

        def f(x: Tensor) -> Tensor:
            return network.forward(done.params, psi, x)

        tv, fourier = (
            measure(f, x, None, generator=torch.Generator().manual_seed(self.seed), paths=paths)
            for measure in (metrics.total_variation, metrics.fourier_complexity)
        )
        walks = torch.lerp(x[paths[: self.shown, :1]], x[paths[: self.shown, 1:]], torch.linspace(0, 1, 100)[:, None])
        with torch.no_grad():
            outputs = f(walks.flatten(0, 1)).reshape(self.shown, -1)
        at = done.history["step"].index(done.best_step)
        numbers = {
            "tv": tv.mean,
            "tv_standard_error": tv.standard_error,
            "fourier": fourier.mean,
            "fourier_standard_error": fourier.standard_error,
            "test_accuracy": done.history["test_accuracy"][at],
        }
        return Outcome(numbers, {"outputs": outputs.numpy(), "variations": tv.per_path[: self.shown].numpy()})


def slice_places(parts: Parts, count: int, seed: int) -> list[tuple[Tensor, tuple[int, int]]]:
    """Training points (d,), each with two different columns to vary; the same for all models."""
    if parts.inputs < 2:
        raise ValueError(f"slices need at least 2 columns, got {parts.inputs}")
    generator = torch.Generator().manual_seed(seed)
    places = []
    for _ in range(count):
        row = int(torch.randint(len(parts.train), (1,), generator=generator))
        m, n = torch.randperm(parts.inputs, generator=generator)[:2].tolist()
        places.append((parts.train.x[row], (m, n)))
    return places


def axis_aligned(values: Tensor) -> float:
    """Share of a slice's gradient (by its size) that points within 10 degrees of an axis; NaN for a constant.

    With directions at random it is 0.22; a decision tree, which steps along one column at a time, is near 1. The slice
    is smoothed first, because the differences of neighbours see a sharp step along an axis whatever its direction.

    Args:
        values: outputs over a grid of two columns (r, r), r at least 2.

    Example:
        >>> axis_aligned(torch.eye(2)[0].repeat(2, 1))
        1.0
    """
    if values.ndim != 2 or min(values.shape) < 2:
        raise ValueError(f"values must be (r, r) with r at least 2, got shape {tuple(values.shape)}")
    smooth = torch.from_numpy(gaussian_filter(values.double().numpy(), SMOOTH, mode="nearest"))
    across, up = smooth.diff(dim=1)[:-1], smooth.diff(dim=0)[:, :-1]
    size = torch.hypot(across, up)
    near = torch.minimum(across.abs(), up.abs()) <= size * math.sin(NEAR_AXIS)
    return float((size * near).sum() / size.sum())


def fine_structure(values: np.ndarray) -> tuple[float, float]:
    """What a slice has on the smallest scale: which part of it depends on one column alone, and how large it is.

    The fine structure is the slice, its range scaled to 1, less itself smoothed by a Gaussian whose standard deviation
    is a fiftieth of the side. The sum of a function of each column has a share of 1, white noise of about 2 / r.

    Args:
        values: outputs over a grid of two columns (r, r), r at least 2.

    Returns:
        Share of its variance that the means of rows and of columns explain, and its standard deviation; NaN for a
        constant.

    Example:
        >>> step = (np.arange(100) > 40).astype(float)
        >>> round(fine_structure(step[:, None] + 2 * step)[0], 3)
        1.0
    """
    if values.ndim != 2 or min(values.shape) < 2:
        raise ValueError(f"values must be (r, r) with r at least 2, got shape {values.shape}")
    values = values.astype(float)
    if (size := np.ptp(values)) == 0:
        return math.nan, math.nan
    rest = (values - gaussian_filter(values, FINE * (len(values) - 1), mode="nearest")) / size
    rest -= rest.mean()
    along = rest.mean(axis=0).var() + rest.mean(axis=1).var()
    return float(along / rest.var()), float(rest.std())


def arrays_of(name: str, landscape: Landscape) -> dict[str, np.ndarray]:
    """A landscape of (loss, complexity) as arrays for a record."""
    values = landscape.values.float().numpy()
    axes = {f"{name}_s": landscape.s.numpy(), f"{name}_t": landscape.t.numpy()}
    return axes | {f"{name}_loss": values[..., 0], f"{name}_tv": values[..., 1]}
