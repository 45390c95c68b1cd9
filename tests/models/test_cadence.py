"""The cadence of ticks, evaluations and checkpoints does not depend on where a run was cut."""

from collections.abc import Callable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from models.specs import Budget, TrainingSpec
from models.training import cadence


@given(every=st.integers(1, 1000), cuts=st.lists(st.integers(0, 5000), min_size=1, max_size=20))
def test_every_multiple_is_crossed_exactly_once_however_the_way_is_cut(every: int, cuts: list[int]) -> None:
    places = sorted({0, 5000, *cuts})
    steps = list(pairwise(places))
    crossed = [after for before, after in steps if cadence.crosses(every, before=before, after=after)]
    expected = {min(place for place in places if place >= multiple) for multiple in range(every, 5001, every)}
    assert crossed == sorted(expected)


@given(interval=st.integers(1, 10_000), turns=st.integers(1, 5))
def test_ticks_are_never_further_apart_than_the_interval(
    tiny: Callable[..., TrainingSpec], interval: int, turns: int
) -> None:
    spec = tiny(metrics={"every_images": interval}, discriminator_steps=turns)
    step = 32 * turns
    places = [seen for seen in range(step, 20_000, step) if cadence.tick_is_due(spec, before=seen - step, after=seen)]
    assert places[0] == step
    assert all(after - before < interval + step for before, after in pairwise(places))


def test_the_end_makes_everything_due(tiny: Callable[..., TrainingSpec]) -> None:
    spec = tiny(dataset={"kind": "builtin", "name": "fashion-mnist"})
    everything = {"tick", "evaluation", "checkpoint"}
    assert cadence.due(spec, before=96, after=128 + 32, spent=True) == everything
    assert cadence.due(spec, before=160, after=192, spent=False) == set()


def test_each_eighth_of_the_time_is_evaluated_and_saved(tiny: Callable[..., TrainingSpec]) -> None:
    spec = tiny(dataset={"kind": "builtin", "name": "fashion-mnist"}, budget={"images": None, "seconds": 80.0})
    assert cadence.due(spec, before=160, after=192, spent=False, seconds=(9.9, 10.0)) == {"evaluation", "checkpoint"}
    assert cadence.due(spec, before=160, after=192, spent=False, seconds=(9.0, 45.0)) == {"evaluation", "checkpoint"}
    assert cadence.due(spec, before=160, after=192, spent=False, seconds=(10.0, 19.9)) == set()


def test_evaluations_that_take_long_leave_most_of_a_budget_of_seconds_to_training(
    tiny: Callable[..., TrainingSpec],
) -> None:
    spec = tiny(dataset={"kind": "builtin", "name": "fashion-mnist"}, budget={"images": None, "seconds": 80.0})

    def due(*, evaluating: float, spent: bool = False) -> set[cadence.Due]:
        return cadence.due(spec, before=160, after=192, spent=spent, seconds=(39.9, 40.0), evaluating=evaluating)

    assert due(evaluating=8.0) == {"evaluation", "checkpoint"}
    assert due(evaluating=8.1) == {"checkpoint"}
    assert "evaluation" in due(evaluating=8.1, spent=True)


def test_the_budget_ends_at_whichever_comes_first() -> None:
    budget = Budget(images=100, seconds=5.0)
    assert cadence.spent(budget, 99, 4.9) is None
    assert cadence.spent(budget, 100, 0.0) == "budget_images"
    assert cadence.spent(budget, 0, 5.0) == "budget_seconds"
    assert cadence.spent(Budget(images=None, seconds=5.0), 10**12, 1.0) is None
