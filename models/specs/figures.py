"""The figures of a run: the name, title, unit and better direction of each, and what it needs of a dataset."""

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from models.specs.datasets import DatasetFacts

Metric = Literal[
    "kid",
    "fd64",
    "fid",
    "precision_recall",
    "density_coverage",
    "coverage",
    "class_balance",
    "memorisation",
    "path_length",
    "random_distance",
    "modes",
]
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


SEEN_FROM_PIXELS = 16
"""Smaller images show nothing that a large extractor knows."""
LEAST_HELD_OUT = 100
"""With fewer images that were held out, nothing is compared with them."""
MEMORISED_FROM = 0.6
"""A share of samples nearer to training images than to the holdout that chance does not explain."""


def _never(facts: DatasetFacts) -> bool:
    return False


def _always(facts: DatasetFacts) -> bool:
    return True


def _of_pictures(facts: DatasetFacts) -> bool:
    """Return whether modes are not known, so that features alone tell."""
    return facts.modes is None and facts.resolution >= SEEN_FROM_PIXELS


def _in_few_features(facts: DatasetFacts) -> bool:
    """Return whether an extractor has so few features that 5,000 samples measure their distance."""
    return _of_pictures(facts) and facts.features == "garments"


def _in_many_features(facts: DatasetFacts) -> bool:
    """Return whether a large extractor looks at images with something to see, and not at tiny digits."""
    return _of_pictures(facts) and facts.features != "garments"


def _held_out_enough(facts: DatasetFacts) -> bool:
    return _in_many_features(facts) and facts.holdout_images >= LEAST_HELD_OUT


@dataclass(frozen=True)
class MetricFacts:
    figures: tuple[Figure, ...]
    needs: tuple[Literal["features", "has_classes", "holdout_images", "holds_pictures", "modes"], ...]
    """The facts that a dataset must have."""
    lacks: str
    """The words for a dataset that has none of them."""
    usual: Callable[[DatasetFacts], bool] = _never
    """Whether presets measure it of a dataset that it suits."""

    def suits(self, facts: DatasetFacts) -> bool:
        return all(getattr(facts, fact) for fact in self.needs)


def measured_by(metrics: Iterable[Metric]) -> list[Figure]:
    """Return the figures of some metrics, in their order."""
    return [figure for metric in metrics for figure in REGISTRY[metric].figures]


def usual(facts: DatasetFacts) -> list[Metric]:
    """Return the metrics that presets measure of a dataset."""
    return [name for name, metric in REGISTRY.items() if metric.suits(facts) and metric.usual(facts)]


def headline(quality: Mapping[str, float]) -> Figure | None:
    """Return the figure of a checkpoint's quality that says most; None if there is none."""
    return next((QUALITY[name] for name in HEADLINES if name in quality), None)


def rank(quality: Mapping[str, float]) -> list[float]:
    """Return numbers to compare checkpoints by, from the left; less is better.

    No kind of image may be missing and none memorised; then KID decides, or FID. Where neither was measured, the
    number of modes does, then the share of good samples, then how even they are. Precision alone never does: a
    generator of one good image has all of it.
    """
    if "kid" in quality:
        memorised = float(quality.get("memorised", 0.5) > MEMORISED_FROM)
        return [quality.get("missing_clusters", 0.0), memorised, quality["kid"], quality.get("fd64", 0.0)]
    worst = 0.0 if "modes" in quality else sys.float_info.max
    fid = quality.get("fid", worst)
    return [fid, -quality.get("modes", 0.0), -quality.get("high_quality", 0.0), quality.get("kl", 0.0)]


REGISTRY: dict[Metric, MetricFacts] = {
    "kid": MetricFacts(
        (Figure("kid", "KID", "lower", "kernel distance of features, unbiased for few images"),),
        needs=("features",),
        lacks="no feature extractor",
        usual=_in_many_features,
    ),
    "fd64": MetricFacts(
        (Figure("fd64", "FD64", "lower", "Fréchet distance in the 64 main components of the real features"),),
        needs=("features",),
        lacks="no feature extractor",
        usual=_in_many_features,
    ),
    "fid": MetricFacts(
        (Figure("fid", "FID", "lower", "Fréchet distance of features"),),
        needs=("features",),
        lacks="no feature extractor",
        usual=_in_few_features,
    ),
    "precision_recall": MetricFacts(
        (
            Figure("precision", "precision", "higher", "share of samples that lie among the real images"),
            Figure("recall", "recall", "higher", "share of real images that lie among the samples"),
        ),
        needs=("features",),
        lacks="no feature extractor",
        usual=_of_pictures,
    ),
    "density_coverage": MetricFacts(
        (
            Figure("density", "density", "higher", "samples near a real image, by what is expected"),
            Figure("coverage", "coverage", "higher", "share of real images with a sample near them"),
        ),
        needs=("features",),
        lacks="no feature extractor",
    ),
    "coverage": MetricFacts(
        (
            Figure("missing_clusters", "missing clusters", "lower", "kinds of real images that are hardly drawn"),
            Figure("least_cluster", "least cluster", "higher", "share of the kind drawn least, by what is expected"),
        ),
        needs=("features",),
        lacks="no feature extractor",
        usual=_in_many_features,
    ),
    "class_balance": MetricFacts(
        (
            Figure("class_distance", "class imbalance", "lower", "share of samples whose class should be another"),
            Figure("missing_classes", "missing classes", "lower", "classes that are hardly drawn"),
        ),
        needs=("features", "has_classes"),
        lacks="no classes",
    ),
    "memorisation": MetricFacts(
        (
            Figure("memorised", "memorised", None, "share of samples nearer to training images than to the holdout"),
            Figure("distance_train", "distance to training images", None, "mean feature distance to the nearest one"),
            Figure("distance_holdout", "distance to the holdout", "lower", "mean feature distance to the nearest one"),
        ),
        needs=("features", "holdout_images"),
        lacks="no holdout",
        usual=_held_out_enough,
    ),
    "path_length": MetricFacts(
        (Figure("path_length", "path length", "lower", "change of images between two latents, 1 if it is even"),),
        needs=("features",),
        lacks="no feature extractor",
    ),
    "random_distance": MetricFacts(
        (Figure("random_distance", "random distance", "lower", "Fréchet distance in features of random convolutions"),),
        needs=("holds_pictures",),
        lacks="no pictures",
    ),
    "modes": MetricFacts(
        (
            Figure("modes", "modes", "higher", "modes of the data that samples reach"),
            Figure("high_quality", "high quality", "higher", "share of samples near a mode"),
            Figure("kl", "KL", "lower", "divergence of the samples' modes from the data's, in nats"),
        ),
        needs=("modes",),
        lacks="no known modes",
        usual=_always,
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
    Figure("augment_p", "augmentation", None, "probability of each change to what an adaptive discriminator sees"),
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

HEADLINES = ("kid", "fid", "modes")
"""The figures that one is shown of where there is room for one, in this order."""
SERIES: dict[str, Figure] = {figure.name: figure for figure in TRAINING}
QUALITY: dict[str, Figure] = {figure.name: figure for figure in measured_by(REGISTRY)}
"""The figures of evaluations by name. One name, `kl`, is a series of training too."""
