"""The LeCam penalty and its moving averages, against cases worked out by hand."""

import pytest
import torch
from torch import Tensor

from models import penalties
from models.specs import LecamPenalty
from tests.models.test_penalties import context, points, term


def logits_only(real: list[float], fake: list[float], statistics: dict[str, Tensor]) -> penalties.PenaltyContext:
    """Points that are their own logits."""
    return context(
        lambda images_NCHW: images_NCHW.flatten(),
        points(*([x] for x in real)),
        points(*([x] for x in fake)),
        statistics=statistics,
    )


def test_lecam_holds_logits_near_the_other_sides_moving_average() -> None:
    statistics: dict[str, Tensor] = {}
    spec = LecamPenalty(weight=2.0, decay=0.75)
    # The first batch's means begin the averages: a_R = 2, a_F = -1.
    first = term(spec, logits_only([1.0, 3.0], [-1.0, -1.0], statistics))
    assert first.item() == pytest.approx(2 * ((4 + 16) / 2 + 9))
    assert {name: value.item() for name, value in statistics.items()} == {"lecam.real": 2.0, "lecam.fake": -1.0}
    # a_R = 3/4 * 2 + 1/4 * 6 = 3, a_F = 3/4 * -1 + 1/4 * 3 = 0.
    second = term(spec, logits_only([6.0, 6.0], [2.0, 4.0], statistics))
    assert statistics["lecam.real"].item() == pytest.approx(3.0)
    assert statistics["lecam.fake"].item() == pytest.approx(0.0)
    assert second.item() == pytest.approx(2 * (36 + (1 + 1) / 2))


def test_lecam_teaches_through_the_logits_and_not_through_the_averages() -> None:
    case = logits_only([1.0, 3.0], [-1.0, -3.0], {})
    real, fake = torch.autograd.grad(term(LecamPenalty(weight=1.0), case), (case.real_logits, case.fake_logits))
    torch.testing.assert_close(real, torch.tensor([1.0 + 2, 3.0 + 2]))  # 2/N (D(x) - a_F), N = 2
    torch.testing.assert_close(fake, torch.tensor([-1.0 - 2, -3.0 - 2]))
    assert not any(average.requires_grad for average in case.statistics.values())


def test_lazy_lecam_forgets_as_much_as_an_eager_one_over_as_many_steps() -> None:
    eager: dict[str, Tensor] = {}
    lazy: dict[str, Tensor] = {}
    for statistics, every_steps, times in ((eager, 1, 4), (lazy, 4, 1)):
        spec = LecamPenalty(decay=0.9, every_steps=every_steps)
        term(spec, logits_only([1.0], [1.0], statistics))
        for _ in range(times):
            term(spec, logits_only([5.0], [-5.0], statistics))
    assert lazy["lecam.real"].item() == pytest.approx(eager["lecam.real"].item())
    assert lazy["lecam.fake"].item() == pytest.approx(eager["lecam.fake"].item())


def test_lecam_leaves_a_kept_copy_of_its_memory_alone() -> None:
    statistics: dict[str, Tensor] = {}
    term(LecamPenalty(), logits_only([1.0], [2.0], statistics))
    kept = statistics["lecam.real"]
    term(LecamPenalty(), logits_only([9.0], [9.0], statistics))
    assert kept.item() == 1.0
    assert statistics["lecam.real"].item() != 1.0
