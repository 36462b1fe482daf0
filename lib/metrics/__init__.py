"""Measures: accuracy (scores) and complexity."""

from .complexity import (
    CHUNK,
    Complexity,
    Model,
    Paths,
    fourier_complexity,
    network_total_variation,
    sample_paths,
    total_variation,
)
from .scores import accuracy

__all__ = [
    "CHUNK",
    "Complexity",
    "Model",
    "Paths",
    "accuracy",
    "fourier_complexity",
    "network_total_variation",
    "sample_paths",
    "total_variation",
]
