"""The cost of an evaluation, where the real images' statistics are in the cache."""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from torch import Tensor

from benchmarks import figures
from models import architectures, data, evaluators, presets
from models.data import ImageData, fashion_mnist
from models.evaluators import EXTRACTORS, References
from models.specs import DatasetFacts, TrainingSpec, UploadedDataset
from store.settings import Settings

SAMPLES = 10_000
METRICS = ("fid", "precision_recall")
ROUNDS = 3
SIDE = 64


def measure() -> list[figures.Row]:
    garments = fashion_mnist.load(folder=Settings().datasets_dir, split="holdout")
    small = _seconds(presets.resolve({}), garments)
    spec = _of_pictures()
    holdout = _noise(spec.dataset.facts)
    large = _seconds(spec, holdout)
    images_NCHW = _drawn(spec, References.of(holdout, holdout))
    passes = [_timed(lambda: EXTRACTORS["imagenet"].of(images_NCHW)) for _ in range(ROUNDS)]
    ratios = [one / median(passes) for one in large]
    what = f"{SAMPLES:,} samples, FID, precision and recall"
    return [
        figures.row(f"{what}, 28x28, s", small, bound="<= 12"),
        figures.row(f"{what}, {SIDE}x{SIDE} in colour, s", large, reference=passes, remark="imagenet's passes"),
        figures.row(f"{what}, {SIDE}x{SIDE} in colour / the passes of imagenet alone", ratios, bound="<= 3"),
    ]


def _seconds(spec: TrainingSpec, holdout: ImageData) -> list[float]:
    """Return the seconds of evaluations, from the drawing on, whose real statistics are read from the cache."""
    with tempfile.TemporaryDirectory(prefix="saddle-features-") as place:

        def evaluate() -> None:
            references = References.of(holdout, holdout, cache=Path(place))
            drawn = _drawn(spec, references)
            evaluators.measure(METRICS, dataset=spec.dataset, references=references, fake_NCHW=drawn)

        seconds = []
        for number in range(ROUNDS + 1):  # the first fills the cache
            seconds.append(_timed(evaluate))
            print(f"{spec.dataset.name}, round {number}: {seconds[-1]:.1f} s", file=sys.stderr, flush=True)
        return seconds[1:]


def _drawn(spec: TrainingSpec, references: References) -> Tensor:
    generator = architectures.build(spec)["generator"]
    return evaluators.draw(generator, spec=spec, references=references, samples=SAMPLES, seed=0)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _of_pictures() -> TrainingSpec:
    facts = DatasetFacts(
        resolution=SIDE,
        channels=3,
        images=100_000,
        holdout_images=SAMPLES,
        classes=0,
        flips_natural=False,
        features="imagenet",
    )
    dataset = UploadedDataset(id=f"ds_{'0' * 26}", name="noise", digest="0" * 64, facts=facts)
    return presets.resolve({"dataset": {"kind": "uploaded", "id": dataset.id}}, find=lambda _: dataset)


def _noise(facts: DatasetFacts) -> ImageData:
    """Return smooth noise: the cost is that of any images."""
    coarse = np.random.default_rng(0).integers(0, 256, (facts.holdout_images, facts.channels, 8, 8), np.uint8)
    images_NCHW = coarse.repeat(facts.resolution // 8, 2).repeat(facts.resolution // 8, 3)
    return data.ImageData(images_NCHW=images_NCHW, labels=np.zeros(facts.holdout_images, np.int64))
