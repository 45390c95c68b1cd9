"""The quality figures: known distances, and the features that they are measured in."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from models import architectures, data, evaluators
from models.data import pixels, points
from models.evaluators import References
from models.evaluators.extractors import garments, train_garments
from models.specs import TrainingSpec


def against(dataset: data.ImageData) -> References:
    return References.of(dataset, None)


class Copier(nn.Module):
    """A generator that knows the data by heart."""

    def __init__(self, dataset: data.ImageData, *, noise: float) -> None:
        super().__init__()
        self.images = nn.Parameter(pixels.to_float(torch.tensor(dataset.images_NCHW)), requires_grad=False)
        self.noise = noise
        self.position = 0

    def forward(self, latents: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        assert labels is None
        self.position += len(latents)
        images = self.images[self.position - len(latents) : self.position]
        return images + self.noise * latents.std() * torch.ones_like(images)


def test_a_perfect_copy_scores_nought_and_a_worse_one_more(
    tiny: Callable[..., TrainingSpec], noise_garments: data.ImageData
) -> None:
    spec = tiny(dataset={"kind": "builtin", "name": "fashion-mnist"}, evaluation={"samples": 10_000})
    scores = [
        evaluators.evaluate(Copier(noise_garments, noise=noise), spec=spec, references=against(noise_garments)).values
        for noise in (0.0, 0.5)
    ]
    assert scores[0]["fid"] < 1e-3
    assert scores[0]["precision"] == scores[0]["recall"] == 1
    assert scores[1]["fid"] > 1


def test_evaluation_leaves_the_generators_mode_alone(
    tiny: Callable[..., TrainingSpec], noise_garments: data.ImageData
) -> None:
    spec = tiny(dataset={"kind": "builtin", "name": "fashion-mnist"}, evaluation={"samples": 1000, "metrics": ["fid"]})
    generator = Copier(noise_garments, noise=0.0).train()
    assert set(evaluators.evaluate(generator, spec=spec, references=against(noise_garments)).values) == {"fid"}
    assert generator.training


class Painter(nn.Module):
    """Paints a function of the classes; records them, and whether it was in training mode."""

    def __init__(self, paint: Callable[[torch.Tensor | None, int], torch.Tensor]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.frozen = nn.Dropout().eval()
        self.paint = paint
        self.told: list[torch.Tensor | None] = []
        self.modes: set[bool] = set()

    def forward(self, latents: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        self.told.append(labels)
        self.modes.add(self.training)
        return self.paint(labels, len(latents))


def point_spec(tiny: Callable[..., TrainingSpec], name: str, **changes: Any) -> TrainingSpec:
    dataset = {"kind": "builtin", "name": name, "resolution": 1}
    plan = {"samples": 2000, "metrics": ["modes"]}
    return tiny(dataset=dataset, evaluation=plan, augment={"kind": "none"}, **changes)


def test_a_conditional_generator_is_told_classes_as_frequent_as_the_datasets_the_same_every_time(
    tiny: Callable[..., TrainingSpec],
) -> None:
    spec = point_spec(tiny, "ring", labels=True)
    centres = torch.tensor(points.RING.centres, dtype=torch.float32)
    lopsided = data.ImageData(
        images_NCHW=np.zeros((400, 2, 1, 1), np.float32), labels=np.repeat(np.array([3, 5]), [300, 100])
    )

    def at_its_centre(labels: torch.Tensor | None, count: int) -> torch.Tensor:
        assert labels is not None
        assert len(labels) == count
        return centres[labels][:, :, None, None]

    generators = [Painter(at_its_centre) for _ in range(2)]
    figures = [
        evaluators.evaluate(generator, spec=spec, references=against(lopsided)).values for generator in generators
    ]
    told = [torch.cat([labels for labels in generator.told if labels is not None]) for generator in generators]
    assert torch.equal(told[0], told[1])
    assert told[0].dtype == torch.int64
    assert set(told[0].tolist()) == {3, 5}
    assert (told[0] == 3).float().mean().item() == pytest.approx(0.75, abs=0.05)
    assert figures[0] == figures[1]
    assert (figures[0]["modes"], figures[0]["high_quality"]) == (2, 1)


def test_evaluation_is_done_in_evaluation_mode_and_gives_every_part_its_own_mode_back(
    tiny: Callable[..., TrainingSpec],
) -> None:
    spec = point_spec(tiny, "grid")
    dataset = data.load(spec.dataset, folder=Path("/nonexistent"))
    generator = Painter(lambda labels, count: torch.zeros(count, 2, 1, 1)).train()
    generator.frozen.eval()
    assert evaluators.evaluate(generator, spec=spec, references=against(dataset)).values["modes"] == 1
    assert generator.modes == {False}
    assert (generator.training, generator.frozen.training) == (True, False)
    assert generator.told == [None] * 4

    def fail(labels: torch.Tensor | None, count: int) -> torch.Tensor:
        raise RuntimeError

    generator.paint = fail
    with pytest.raises(RuntimeError):
        evaluators.evaluate(generator, spec=spec, references=against(dataset))
    assert generator.training


def test_without_metrics_nothing_is_drawn(tiny: Callable[..., TrainingSpec], digits: data.ImageData) -> None:
    generator = Painter(lambda labels, count: torch.zeros(count, 1, 8, 8))
    assert evaluators.evaluate(generator, spec=tiny(), references=against(digits)).values == {}
    assert generator.told == []


def test_each_channel_of_a_stack_is_classified_as_a_garment_alone() -> None:
    grey = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (301, 1, 28, 28), np.uint8))
    alone = garments.classes(grey)
    assert (alone.shape, alone.dtype) == ((301, 1), torch.int64)
    stacked = torch.stack([grey[:300, 0], grey[1:, 0], grey[:300, 0]], dim=1)
    found = garments.classes(stacked)
    assert torch.equal(found, torch.cat([alone[:300], alone[1:], alone[:300]], dim=1))


def test_stacked_garments_are_evaluated_and_the_real_ones_measured_once(
    tiny: Callable[..., TrainingSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = tiny(
        dataset={"kind": "builtin", "name": "stacked-fashion"}, evaluation={"samples": 1000, "metrics": ["modes"]}
    )
    images = np.random.default_rng(1).integers(0, 256, (600, 3, 28, 28), np.uint8)
    references = against(data.ImageData(images_NCHW=images, labels=np.zeros(600, np.int64)))
    looks = watched(monkeypatch, "garment_classes", lambda images_NCHW: (images_NCHW[:, :, 0, 0] % 10).float())
    for _ in range(2):
        generator = Painter(
            lambda labels, count: pixels.to_float(torch.full((count, 3, 28, 28), 23, dtype=torch.uint8))
        )
        figures = evaluators.evaluate(generator, spec=spec, references=references).values
        assert figures["modes"] == 1
        assert math.isfinite(figures["kl"])
    assert sum(looks) == 600 + 2 * 1000


def watched(monkeypatch: pytest.MonkeyPatch, name: str, features: Callable[[torch.Tensor], torch.Tensor]) -> list[int]:
    """Put a function in an extractor's place; return the numbers of images that it will be given."""
    looks: list[int] = []

    def look(images_NCHW: torch.Tensor) -> torch.Tensor:
        looks.append(len(images_NCHW))
        return features(images_NCHW)

    monkeypatch.setitem(evaluators.EXTRACTORS, name, replace(evaluators.EXTRACTORS[name], features=look))
    return looks


def test_fid_and_precision_share_one_look_at_the_fakes(
    tiny: Callable[..., TrainingSpec], noise_garments: data.ImageData, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = watched(monkeypatch, "garments", lambda images_NCHW: images_NCHW.flatten(1)[:, :4].float())
    spec = tiny(dataset={"kind": "builtin", "name": "fashion-mnist"}, evaluation={"samples": 1000})
    generator = Copier(noise_garments, noise=0.0)
    figures = evaluators.evaluate(generator, spec=spec, references=against(noise_garments)).values
    assert set(figures) == {"fid", "precision", "recall"}
    assert sum(looks) == 11_000


@pytest.mark.parametrize(("samples", "note"), [(1000, "1,000 samples"), (900, "extrapolated from 900 samples")])
def test_fid_says_how_many_samples_it_is_of(
    samples: int, note: str, noise_garments: data.ImageData, tiny: Callable[..., TrainingSpec]
) -> None:
    dataset = tiny(dataset={"kind": "builtin", "name": "fashion-mnist"}).dataset
    fake_NCHW = torch.tensor(noise_garments.images_NCHW[:samples])
    found = evaluators.measure(["fid"], dataset=dataset, references=against(noise_garments), fake_NCHW=fake_NCHW)
    assert found.figures["fid"].note == note


def test_a_metric_that_cannot_be_measured_is_told_and_the_others_are_measured(
    tiny: Callable[..., TrainingSpec], noise_garments: data.ImageData
) -> None:
    few = data.ImageData(images_NCHW=noise_garments.images_NCHW[:150], labels=noise_garments.labels[:150])
    plan = {"samples": 1000, "metrics": ["fid", "kid", "random_distance"]}
    spec = tiny(dataset={"kind": "builtin", "name": "fashion-mnist"}, evaluation=plan)
    evaluation = evaluators.evaluate(Copier(noise_garments, noise=0.0), spec=spec, references=against(few))
    assert set(evaluation.figures) == {"kid", "random_distance"}
    assert evaluation.unavailable == {"fid": "150 images are too few: FID in 96 features needs 192"}


def test_the_nearest_pairs_of_a_generator_that_copies_are_its_training_images(
    tiny: Callable[..., TrainingSpec], noise_garments: data.ImageData
) -> None:
    train, holdout = (
        data.ImageData(images_NCHW=noise_garments.images_NCHW[part], labels=noise_garments.labels[part])
        for part in (slice(0, 300), slice(300, 600))
    )
    plan = {"samples": 1000, "metrics": ["memorisation"]}
    spec = tiny(dataset={"kind": "builtin", "name": "fashion-mnist"}, evaluation=plan)
    references = References.of(train, holdout)
    copier = Copier(noise_garments, noise=0.0)
    found = evaluators.evaluate(copier, spec=spec, references=references)
    assert found.values["distance_train"] < found.values["distance_holdout"] * 1.1
    assert len(found.nearest) == 16
    images = references.train.images.images_NCHW
    for sample, image in found.nearest:
        assert (noise_garments.images_NCHW[sample] == images[image]).all()


def test_the_path_length_needs_a_generator_and_is_the_same_each_time(
    tiny: Callable[..., TrainingSpec], noise_garments: data.ImageData
) -> None:
    plan = {"samples": 1000, "metrics": ["path_length", "class_balance"]}
    spec = tiny(dataset={"kind": "builtin", "name": "fashion-mnist"}, evaluation=plan)
    generator = architectures.build(spec)["generator"]
    references = against(replace(noise_garments, labels=np.arange(len(noise_garments)) % 10))
    first, second = (evaluators.evaluate(generator, spec=spec, references=references).figures for _ in range(2))
    assert first == second
    assert set(first) == {"path_length", "class_distance", "missing_classes"}
    assert 0 < first["path_length"].value <= 16
    fake_NCHW = torch.tensor(noise_garments.images_NCHW)
    found = evaluators.measure(["path_length"], dataset=spec.dataset, references=references, fake_NCHW=fake_NCHW)
    assert found.unavailable == {"path_length": "the path length is that of a generator, not of images"}


def test_features_come_in_the_promised_shape_whatever_the_count() -> None:
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (501, 1, 28, 28), np.uint8))
    features = garments.features(images)
    assert features.shape == (501, garments.FEATURES)
    torch.testing.assert_close(garments.features(images[:3]), features[:3], rtol=1e-4, atol=1e-4)


def test_the_shipped_classifier_is_small_and_was_good_enough() -> None:
    assert garments.WEIGHTS.stat().st_size < 2**20
    assert json.loads(garments.REPORT.read_text())["test_accuracy"] >= train_garments.LEAST_ACCURACY


def test_the_shipped_classifier_reaches_its_recorded_accuracy() -> None:
    folder = Path(".saddle/datasets")
    try:
        share = train_garments.accuracy(garments._network(torch.device("cpu")), folder)
    except data.DatasetMissing as missing:
        pytest.skip(str(missing))
    assert share == pytest.approx(json.loads(garments.REPORT.read_text())["test_accuracy"], abs=0.002)
