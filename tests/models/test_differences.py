"""Differences between specs and figures, as people compare jobs."""

from models.specs import differences
from models.specs.evaluations import Figure


def figure(value, low=None, high=None):
    return Figure(value=value, interval=(low, high))


def test_only_fields_that_differ_are_told_by_their_path():
    one = {
        "name": "a",
        "seed": 1,
        "optimizer": {"lr": 1e-3, "betas": [0, 0.9]},
        "penalties": [{"kind": "r1", "weight": 1}],
    }
    other = {"name": "b", "seed": 1, "optimizer": {"lr": 2e-3, "betas": [0, 0.9]}, "penalties": []}
    assert differences.of_specs([one, other]) == {
        "optimizer.lr": [1e-3, 2e-3],
        "penalties": [None, []],
        "penalties.r1.kind": ["r1", None],
        "penalties.r1.weight": [1, None],
    }
    assert differences.of_specs([one, one]) == {}


def test_a_difference_counts_only_beyond_both_intervals():
    assert differences.exceeds_noise(figure(1.0, 0.9, 1.1), figure(2.0, 1.8, 2.2)) is True
    assert differences.exceeds_noise(figure(1.0, 0.5, 1.5), figure(1.6, 1.1, 2.1)) is False
    assert differences.exceeds_noise(figure(1.0), figure(2.0, 1.8, 2.2)) is None
