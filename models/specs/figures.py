"""The figures of a run: the name, title, unit and better direction of each, and what it needs of a dataset."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from models.specs.datasets import DatasetFacts

Metric = Literal["fid", "precision_recall", "modes"]
"""The metrics that a spec's evaluation may ask for. A metric gives one figure or several."""


@dataclass(frozen=True)
class Figure:
    name: str
    """Its key in events, series and checkpoints."""
    title: str
    """As it stands within a sentence."""
    better: Literal["lower", "higher"] | None
    about: str
    unit: str = ""


@dataclass(frozen=True)
class MetricFacts:
    figures: tuple[Figure, ...]
    needs: Literal["features", "modes"]
    """The fact that a dataset must have."""
    lacks: str
    """The missing fact in words, for messages about a dataset without it."""

    def suits(self, facts: DatasetFacts) -> bool:
        return getattr(facts, self.needs) is not None


def measured_by(metrics: Iterable[Metric]) -> list[Figure]:
    """Return the figures of some metrics, in their order."""
    return [figure for metric in metrics for figure in REGISTRY[metric].figures]


def rank(quality: Mapping[str, float]) -> list[float]:
    """Return numbers to compare checkpoints by, from the left; less is better.

    FID decides. Where none was measured, the number of modes does, then the share of good samples, then how even they
    are.
    """
    worst = 0.0 if "modes" in quality else sys.float_info.max
    fid = quality.get("fid", worst)
    return [fid, -quality.get("modes", 0.0), -quality.get("high_quality", 0.0), quality.get("kl", 0.0)]


REGISTRY: dict[Metric, MetricFacts] = {
    "fid": MetricFacts(
        (Figure("fid", "FID", "lower", "Fréchet distance of features"),),
        needs="features",
        lacks="no feature extractor",
    ),
    "precision_recall": MetricFacts(
        (
            Figure("precision", "precision", "higher", "share of samples that lie among the real images"),
            Figure("recall", "recall", "higher", "share of real images that lie among the samples"),
        ),
        needs="features",
        lacks="no feature extractor",
    ),
    "modes": MetricFacts(
        (
            Figure("modes", "modes", "higher", "modes of the data that samples reach"),
            Figure("high_quality", "high quality", "higher", "share of samples near a mode"),
            Figure("kl", "KL", "lower", "divergence of the samples' modes from the data's, in nats"),
        ),
        needs="modes",
        lacks="no known modes",
    ),
}

TRAINING: tuple[Figure, ...] = (
    Figure("loss_g", "generator loss", None, "mean over the tick's steps"),
    Figure("loss_d", "discriminator loss", None, "mean over the tick's steps, without penalties"),
    Figure("logit_real", "real logit", None, "mean logit of real images"),
    Figure("logit_fake", "fake logit", None, "mean logit of generated images"),
    Figure("d_accuracy", "discriminator accuracy", None, "share that is right; guessing gets one half"),
    Figure("grad_norm_g", "generator gradient", None, "norm of the generator's gradient, before clipping"),
    Figure("grad_norm_d", "discriminator gradient", None, "norm of the discriminator's gradient, before clipping"),
    Figure("diversity", "diversity", "higher", "distance between fakes, as a share of that between real images"),
    Figure("images_per_second", "speed", "higher", "evaluations and checkpoints excluded", unit="images/s"),
    Figure("lr_g", "generator learning rate", None, "after schedules and the guard"),
    Figure("lr_d", "discriminator learning rate", None, "after schedules and the guard"),
    Figure(
        "reconstruction",
        "reconstruction",
        "lower",
        "squared error over twice the variance",
        unit="nats",
    ),
    Figure("kl", "KL", None, "divergence of an autoencoder's posterior from the prior", unit="nats"),
)
"""The series of every run, beside one for each penalty, by its kind."""

SERIES: dict[str, Figure] = {figure.name: figure for figure in TRAINING}
QUALITY: dict[str, Figure] = {figure.name: figure for figure in measured_by(REGISTRY)}
"""The figures of evaluations by name. One name, `kl`, is a series of training too."""
