"""Learning-rate schedules: start, end, monotonic decay and warm-up."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import specs
from models.training import lr_schedules

SHARES = st.floats(0, 1)
FALLING = st.sampled_from([specs.LinearSchedule, specs.CosineSchedule])
SCHEDULES = st.one_of(
    st.builds(specs.ConstantSchedule, warmup_images=st.integers(0, 10**6)),
    *(
        st.builds(kind, start=SHARES, final=SHARES, warmup_images=st.integers(0, 10**6))
        for kind in (specs.LinearSchedule, specs.CosineSchedule)
    ),
)
WARM = 10**12


def test_every_schedule_has_a_function() -> None:
    members = get_args(get_args(specs.Schedule)[0])
    assert {member.model_fields["kind"].default for member in members} == set(lr_schedules.REGISTRY)


@given(schedule=SCHEDULES, fraction=SHARES, images_seen=st.integers(1, 10**12))
def test_a_factor_lies_between_nothing_and_the_whole(
    schedule: specs.Schedule, fraction: float, images_seen: int
) -> None:
    factor = lr_schedules.factor(schedule, budget_fraction=fraction, images_seen=images_seen)
    assert 0 <= factor <= 1
    final = getattr(schedule, "final", 1.0)
    warm = lr_schedules.factor(schedule, budget_fraction=fraction, images_seen=WARM)
    assert final - 1e-12 <= warm <= 1


@given(schedule=SCHEDULES, fractions=st.tuples(SHARES, SHARES))
def test_once_warm_the_rate_only_falls(schedule: specs.Schedule, fractions: tuple[float, float]) -> None:
    sooner, later = (lr_schedules.factor(schedule, budget_fraction=at, images_seen=WARM) for at in sorted(fractions))
    assert later <= sooner + 1e-12


@given(kind=FALLING, start=st.floats(0, 0.999), final=SHARES, fraction=SHARES)
def test_the_rate_stays_until_the_start_and_ends_at_the_final_share(
    kind: type[specs.LinearSchedule | specs.CosineSchedule], start: float, final: float, fraction: float
) -> None:
    schedule = kind(start=start, final=final)
    assert lr_schedules.factor(schedule, budget_fraction=fraction * start, images_seen=1) == 1
    assert lr_schedules.factor(schedule, budget_fraction=1.0, images_seen=1) == pytest.approx(final, abs=1e-12)


@given(kind=FALLING, start=st.floats(0, 0.9), final=SHARES, fraction=st.floats(0, 0.999))
def test_the_rate_never_jumps(
    kind: type[specs.LinearSchedule | specs.CosineSchedule], start: float, final: float, fraction: float
) -> None:
    """The steepest slope is 1 / (1 - start) for the line and pi / 2 times that for the cosine."""
    schedule = kind(start=start, final=final)
    here, there = (lr_schedules.factor(schedule, budget_fraction=fraction + by, images_seen=1) for by in (0, 0.001))
    assert abs(there - here) <= 0.001 * 1.571 / (1 - start) + 1e-12


@pytest.mark.parametrize("kind", [specs.LinearSchedule, specs.CosineSchedule])
def test_halfway_the_rate_is_halfway(kind: type[specs.LinearSchedule | specs.CosineSchedule]) -> None:
    assert lr_schedules.factor(kind(start=0.5, final=0.2), budget_fraction=0.75, images_seen=1) == pytest.approx(0.6)


def test_a_quarter_of_the_way_the_cosine_is_above_the_line() -> None:
    """(1 + cos(pi / 4)) / 2 and 3/4."""
    assert lr_schedules.factor(specs.CosineSchedule(), budget_fraction=0.25, images_seen=1) == pytest.approx(
        0.8535533905932737
    )
    assert lr_schedules.factor(specs.LinearSchedule(), budget_fraction=0.25, images_seen=1) == pytest.approx(0.75)


@pytest.mark.parametrize("kind", [specs.LinearSchedule, specs.CosineSchedule])
def test_a_start_at_the_end_is_never_passed(kind: type[specs.LinearSchedule | specs.CosineSchedule]) -> None:
    assert lr_schedules.factor(kind(start=1.0), budget_fraction=1.0, images_seen=1) == 1


@given(schedule=SCHEDULES, batch_size=st.integers(2, 4096), fraction=st.floats(0, 0.999))
def test_a_warm_up_rises_in_proportion_and_never_to_a_step_of_nothing(
    schedule: specs.Schedule, batch_size: int, fraction: float
) -> None:
    warm = lr_schedules.factor(schedule, budget_fraction=fraction, images_seen=WARM)
    first = lr_schedules.factor(schedule, budget_fraction=fraction, images_seen=batch_size)
    assert first == pytest.approx(warm * min(1, batch_size / max(schedule.warmup_images, 1)))
    assert first > 0 or warm == 0


def test_the_warm_up_is_over_at_its_last_image() -> None:
    schedule = specs.ConstantSchedule(warmup_images=1000)
    factors = [
        lr_schedules.factor(schedule, budget_fraction=0.0, images_seen=images) for images in (1, 250, 1000, 2000)
    ]
    assert factors == pytest.approx([0.001, 0.25, 1, 1])


@given(images_seen=st.integers(0, 10**6), seconds=st.floats(0, 10**6))
def test_the_part_of_the_budget_nearest_its_end_counts(images_seen: int, seconds: float) -> None:
    both = specs.Budget(images=1000, seconds=50.0)
    images, time = specs.Budget(images=1000, seconds=None), specs.Budget(images=None, seconds=50.0)
    shares = [
        lr_schedules.budget_fraction(budget, images_seen=images_seen, seconds=seconds)
        for budget in (both, images, time)
    ]
    assert shares[0] == max(shares[1:])
    assert shares[1:] == [min(1, images_seen / 1000), min(1, seconds / 50)]
