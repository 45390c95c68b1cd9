"""The quality figures: the name of each, the direction that is better, and the dataset fact that it needs."""

from dataclasses import dataclass
from typing import Literal

from models.specs.datasets import DatasetFacts

Metric = Literal["fid", "precision_recall", "modes"]
"""The metrics that a spec's evaluation may ask for. A metric gives one figure or several."""


@dataclass(frozen=True)
class Figure:
    name: str
    title: str
    better: Literal["lower", "higher"]
    about: str


@dataclass(frozen=True)
class MetricFacts:
    figures: tuple[Figure, ...]
    needs: Literal["features", "modes"]
    """The fact that a dataset must have."""
    lacks: str
    """The missing fact in words, for messages about a dataset without it."""

    def suits(self, facts: DatasetFacts) -> bool:
        return getattr(facts, self.needs) is not None


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
