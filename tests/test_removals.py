"""The removals of tests.faults.removals fit the source: what each replaces is there once, and its tests exist."""

import pytest

from tests.faults.process import ROOT
from tests.faults.removals import COPIED, REMOVALS, Removal


@pytest.mark.parametrize("removal", REMOVALS, ids=lambda removal: removal.guard)
def test_a_removal_fits_the_source(removal: Removal) -> None:
    assert (ROOT / removal.file).read_text(encoding="utf-8").count(removal.source) == 1
    assert removal.tests
    for tests in removal.tests:
        assert (ROOT / tests.partition("::")[0]).exists()


@pytest.mark.parametrize("part", COPIED)
def test_what_is_copied_exists(part: str) -> None:
    assert (ROOT / part).exists()
