"""How records of several moduli decide C15."""

from types import SimpleNamespace

import numpy as np
import pytest

from notebooks.paper.grokking import by_modulus
from notebooks.paper.records.frames import Collected
from notebooks.paper.records.intervals import share_of_shuffles

GRID = np.linspace(-0.5, 0.5, 200)
MIDDLE = np.exp(-((GRID / 0.15) ** 2))  # where the pre-activations are
SIDES = np.exp(-(((np.abs(GRID) - 0.35) / 0.05) ** 2))


def record(key, kind, config, numbers, arrays):
    return SimpleNamespace(key=key, kind=kind, config=config, numbers=numbers, arrays=arrays)


def records(functions, arrives=lambda task, i: 100, where=MIDDLE):
    """Learn and Train records, made by hand: functions of each task, by task."""
    activation = {"kind": "spline", "points": 200, "low": -0.5, "high": 0.5}
    for task, of in functions.items():
        for i, values in enumerate(of):
            key = f"learn-{task}-{i}"
            config = {"section": "moduli", "data": [task], "seed": i, "network": {"activation": activation}}
            yield record(key, "learn", config, {}, {"psi_hidden": values})
            for seed in (1, 2):
                config = {"section": "moduli", "role": "final", "data": task, "learned": key, "seed": seed}
                numbers = {"test_steps_to_95": arrives(task, i), "diverged": False}
                yield record(f"train-{task}-{i}-{seed}", "train", config, numbers, {"pre_activations": where})


def read(functions, missing=0, **more):
    found = Collected(list(records(functions, **more)), missing)
    return lambda section: found


def sines(frequencies):
    return [0.1 * np.sin(2 * np.pi * f * GRID + i) for i, f in enumerate(frequencies)]


APART = {"a+b mod 13": sines([8, 8.3, 8.6]), "a+b mod 27": sines([15, 15.5, 16]), "a+b mod 41": sines([24, 25, 26])}


def test_frequencies_are_those_of_the_sines_and_the_claim_holds_where_moduli_differ():
    table = by_modulus.restarts(read(APART)("moduli"))
    assert table.frequency.to_numpy() == pytest.approx([8, 8.3, 8.6, 15, 15.5, 16, 24, 25, 26], rel=0.04)
    finding = by_modulus.frequency_depends_on_the_modulus(read(APART))
    assert finding.verdict == "reproduced" and len(finding.conditions) == 4


def test_where_restarts_differ_as_much_as_moduli_it_holds_in_part():
    mixed = {task: sines([8, 15, 24]) for task in APART}
    finding = by_modulus.frequency_depends_on_the_modulus(read(mixed))
    assert finding.verdict == "in part" and finding.holds == (True, True, True, False)


def test_restarts_that_do_not_generalise_do_not_count():
    finding = by_modulus.frequency_depends_on_the_modulus(
        read(APART, arrives=lambda task, i: 100 if task == "a+b mod 13" or i == 0 else None)
    )
    assert finding.holds == (True, False, False, False)  # one restart is not two


def test_where_nothing_generalises_nothing_holds():
    finding = by_modulus.frequency_depends_on_the_modulus(read(APART, arrives=lambda task, i: None))
    assert finding.verdict == "not reproduced" and finding.holds == (False,) * 4


def test_the_table_counts_restarts_per_modulus():
    found = read(APART, arrives=lambda task, i: None if i == 0 or task == "a+b mod 41" else 100)
    table = by_modulus.by_task(found("moduli"))
    assert table.to_numpy().tolist()[0][:3] == ["a+b mod 13", "2 of 3", "2 of 2"]
    assert table.to_numpy().tolist()[2] == ["a+b mod 41", "0 of 3", "—", "—"]
    with_one_each = read(APART, arrives=lambda task, i: 100 if i == 0 else None)
    assert "cannot be said" in by_modulus.frequency_depends_on_the_modulus(with_one_each).ours


def test_a_function_counts_where_the_pre_activations_are():
    """A slow sine in the middle and a fast one at the sides: what is found depends on where the networks look."""
    values = np.where(np.abs(GRID) < 0.25, np.sin(2 * np.pi * 10 * GRID), np.sin(2 * np.pi * 40 * GRID))
    (middle,) = by_modulus.restarts(read({"a+b mod 13": [values]})("moduli")).frequency
    (sides,) = by_modulus.restarts(read({"a+b mod 13": [values]}, where=SIDES)("moduli")).frequency
    assert middle == pytest.approx(10, rel=0.05) and sides == pytest.approx(40, rel=0.05)


def test_lines_and_zigzags_of_the_control_points_are_not_sines():
    zigzag = np.where(np.arange(200) % 2, 0.1, -0.1)
    table = by_modulus.restarts(read({"a+b mod 13": [2 * GRID, zigzag]})("moduli"))
    assert table.sine_like.tolist() == [False, False] and np.isnan(table.frequency[0])


def test_without_all_records_nothing_is_said():
    assert by_modulus.frequency_depends_on_the_modulus(read(APART, missing=1)) == by_modulus.NOT_RUN
    assert by_modulus.frequency_depends_on_the_modulus(read({})) == by_modulus.NOT_RUN


@pytest.mark.parametrize("groups", ["aabb", "aaaaaa", "abcdef"])
def test_a_shuffle_needs_groups_that_can_differ(groups):
    with pytest.raises(ValueError, match="groups must be at least 2 and fewer"):
        share_of_shuffles([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], groups)


def test_shuffled_groups_of_noise_pass_as_often_as_the_level_says():
    rng = np.random.default_rng(0)
    shares = [share_of_shuffles(rng.normal(size=12), "aaaabbbbcccc", shuffles=200) for _ in range(200)]
    assert 0.01 <= np.mean(np.array(shares) > 0.95) <= 0.1
