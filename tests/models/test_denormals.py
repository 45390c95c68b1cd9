"""Denormals: flushed in all threads, and as before afterwards."""

import sys
from collections.abc import Iterator

import pytest
import torch

from models.runtime import denormals

MANY = 4_000_000
"""Enough numbers for every thread to be given some."""


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def products() -> torch.Tensor:
    """Return MANY products that are 1e-40."""
    return torch.full((MANY,), 1e-30) * 1e-10


def test_every_thread_flushes_within_and_none_outside() -> None:
    assert products().count_nonzero() == MANY  # and OpenMP's threads are there
    with denormals.flushed():
        assert products().count_nonzero() == 0
        assert sys.float_info.min / 2 == 0
        with denormals.flushed():
            assert products().count_nonzero() == 0
        assert products().count_nonzero() == 0
    assert products().count_nonzero() == MANY
    assert sys.float_info.min / 2 > 0
