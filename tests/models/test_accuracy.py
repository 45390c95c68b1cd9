"""The accuracy of a discriminator, as each kind of loss defines it."""

import pytest
import torch

from models import losses


def test_accuracy_is_the_share_of_right_judgements() -> None:
    real, fake = torch.tensor([1.0, 2.0, -1.0, 3.0]), torch.tensor([-1.0, 2.5, -3.0, 2.0])
    assert losses.absolute_accuracy(real, fake).item() == (0.75 + 0.5) / 2
    assert losses.paired_accuracy(real, fake).item() == 0.75


def test_accuracy_about_one_half_and_about_the_other_sides_mean() -> None:
    real, fake = torch.tensor([1.0, 0.25, 0.75, 3.0]), torch.tensor([-1.0, 0.25, 0.75, 0.0])
    assert losses.nearer_one_accuracy(real, fake).item() == (0.75 + 0.75) / 2
    # The fakes' mean is 0, the reals' 1.25.
    assert losses.average_accuracy(real, fake).item() == (1.0 + 1.0) / 2
    assert losses.average_accuracy(fake, real).item() == (0.0 + 0.0) / 2
    assert losses.average_accuracy(real - 0.5, fake).item() == (0.75 + 0.75) / 2  # 0.75 is no less than their mean


@pytest.mark.parametrize("kind", sorted(losses.REGISTRY))
def test_perfect_and_perfectly_wrong_discriminators_are_told_apart(kind: str) -> None:
    accuracy, high, low = losses.REGISTRY[kind].accuracy, torch.tensor([2.0, 3.0]), torch.tensor([-2.0, -3.0])
    assert accuracy(high, low).item() == 1.0
    assert accuracy(low, high).item() == 0.0
