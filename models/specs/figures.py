"""The quality figures: what each is called, which way is better, and what it needs of a dataset."""

from dataclasses import dataclass
from typing import Literal

from models.specs.datasets import DatasetFacts

Metric = Literal["fid", "precision_recall", "modes"]
"""What a spec's evaluation may ask for. A metric gives one figure or several."""


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
    """What a dataset without it lacks, in words."""

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
