"""The method: splines, networks, Algorithm 1 (metalearning), learned activations, measures, datasets, kernels."""

ARITHMETIC = 3  # version of how kernels and inner steps compute: raised when results come out rounded differently
