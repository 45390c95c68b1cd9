"""Early stopping: a run ends when its evaluations stop getting better, at the same step however it was cut."""

from collections.abc import Callable, Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest

from models import evaluators, presets, training
from models.checkpoints import forks
from models.checkpoints.progress import Progress
from models.evaluators import Evaluation, Measured
from models.specs import TrainingSpec
from models.training import patience
from tests.models.runs import comparable, resumed

Make = Callable[..., TrainingSpec]
Run = Callable[..., list[training.Event]]
PLAN = {"every_images": 64, "metrics": ["random_distance"], "samples": 1000, "patience": 2}


@pytest.fixture
def spec(tiny: Make) -> TrainingSpec:
    return tiny(evaluation=PLAN, budget={"images": 1280, "seconds": None})


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that says what evaluations find, by the images that the generator has seen."""

    def say(*values: float) -> None:
        found: Iterator[float] = chain(values, repeat(values[-1]))

        def evaluate(*_: object, **__: object) -> Evaluation:
            value = next(found)
            return Evaluation({"fid": Measured(value, value, value)}, {})

        monkeypatch.setattr(evaluators, "evaluate", evaluate)

    return say


def test_a_run_ends_after_as_many_evaluations_that_were_no_better(
    spec: TrainingSpec, events: Run, measured: Callable[..., None]
) -> None:
    measured(9.0, 7.0, 8.0, 5.0, 5.0, 6.0, 1.0)
    run = events(spec)
    assert run[-1] == training.Finished(6 * 64, "early_stopped")
    assert isinstance(run[-2], training.CheckpointDue), "the end is saved"
    assert run[-2].images_seen == 6 * 64


def test_a_run_that_gets_better_or_has_no_patience_goes_on(
    spec: TrainingSpec, tiny: Make, events: Run, measured: Callable[..., None]
) -> None:
    measured(*(20.0 - step for step in range(20)))
    assert events(spec)[-1] == training.Finished(1280, "budget_images")
    measured(5.0)
    endless = tiny(evaluation=PLAN | {"patience": None}, budget={"images": 1280, "seconds": None})
    assert events(endless)[-1] == training.Finished(1280, "budget_images")


def test_a_run_that_was_stopped_ends_at_the_same_evaluation(
    spec: TrainingSpec, events: Run, measured: Callable[..., None], tmp_path: Path
) -> None:
    figures = (9.0, 7.0, 8.0, 7.5)
    measured(*figures)
    whole = comparable(events(spec))
    measured(*figures)
    assert comparable(resumed(events, spec, attempts=[3, 2, 100], folder=tmp_path)) == whole


def test_a_run_that_had_ended_early_ends_again_when_it_is_resumed(
    spec: TrainingSpec, events: Run, measured: Callable[..., None], kept: Callable[..., Any]
) -> None:
    measured(5.0)
    last = events(spec)[-2]
    assert isinstance(last, training.CheckpointDue)
    assert events(spec, resume=kept(last.snapshot)) == [training.Finished(last.images_seen, "early_stopped")]
    fork = forks.begin(last.snapshot, spec).progress
    assert (fork.best_rank, fork.stale_evaluations) == (None, 0), "a fork has patience of its own"


def test_an_evaluation_that_measured_nothing_does_not_count() -> None:
    progress = patience.evaluated(Progress(), {"fid": 5.0})
    assert patience.evaluated(progress, {}) == progress
    assert patience.evaluated(progress, {"fid": 5.0}).stale_evaluations == 1


def test_patience_without_metrics_is_refused() -> None:
    with pytest.raises(ValueError, match="patience needs metrics"):
        presets.resolve({"evaluation": {"metrics": [], "patience": 3}})


@pytest.mark.parametrize("images", [8_000, 100_000, 400_000, 2_000_000, 10_000_000, 60_000_000])
def test_presets_evaluate_at_least_eight_times_a_run_and_at_checkpoints(images: int) -> None:
    spec = presets.resolve({"budget": {"images": images}})
    assert images // spec.evaluation.every_images >= 8
    assert spec.evaluation.every_images % spec.checkpoint.every_images == 0
