"""Few cases in the place of a product: every two values of different axes meet in at least one case."""

import itertools


def covering(*axes):
    """Cases, one value per axis each, in which all pairs of values of two axes occur; few, and always the same.

    >>> [len(covering("ab", "cd", "ef")), len(covering(range(6), range(5), range(4), range(3)))]
    [4, 32]
    """
    axes = [list(axis) for axis in axes]
    every = list(itertools.product(*(range(len(axis)) for axis in axes)))

    def pairs(case):
        return set(itertools.combinations(enumerate(case), 2))

    left, chosen = set().union(*map(pairs, every)), []
    while left:
        best = max(every, key=lambda case: len(pairs(case) & left))
        chosen.append(best)
        left -= pairs(best)
    return [tuple(axis[index] for axis, index in zip(axes, case, strict=True)) for case in sorted(chosen)]
