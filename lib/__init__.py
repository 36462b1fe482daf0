"""The method: splines, networks, Algorithm 1 (metalearning), learned activations, measures, datasets, kernels."""
