"""The recipes behind the presets. Each is a function of the dataset's facts, so that it fits any image shape."""

from typing import Any

from models.presets import widths
from models.presets.widths import Hardware
from models.specs import DatasetFacts
from models.specs.architectures import halvings
from models.specs.datasets import LITTLE_DATA

Recipe = dict[str, Any]

ARTICLE_ADAM = {"kind": "adam", "lr": 2e-4, "betas": [0.5, 0.999]}
NO_AVERAGE = {"half_life_images": 0}
SMALLEST_CHANGED = 16
"""A shift or a hole leaves too little of smaller images."""
MOST_CLASSES = 100
"""With more classes there are too few images in each to learn them quickly."""


def article(facts: DatasetFacts) -> Recipe:
    return {
        "architecture": {"kind": "mlp"},
        "loss": {"kind": "non_saturating"},
        "penalties": [],
        "generator_optimizer": ARTICLE_ADAM,
        "discriminator_optimizer": ARTICLE_ADAM,
        "batch_size": 128,
        "budget": {"images": 1000 * facts.images, "seconds": None},
        "ema": NO_AVERAGE,
        "guard": {"kind": "off"},
    }


def dcgan(facts: DatasetFacts) -> Recipe:
    """Radford et al. 2016, section 4."""
    return {
        "architecture": _convolutions(facts, generator_norm="batch", discriminator_norm="batch"),
        "loss": {"kind": "non_saturating"},
        "penalties": [],
        "generator_optimizer": ARTICLE_ADAM,
        "discriminator_optimizer": ARTICLE_ADAM,
        "batch_size": 128,
        "budget": {"images": 5_000_000, "seconds": None},
        "ema": NO_AVERAGE,
        "guard": {"kind": "off"},
    }


def wgan_gp(facts: DatasetFacts) -> Recipe:
    """Gulrajani et al. 2017, algorithm 1 and its defaults."""
    adam = {"kind": "adam", "lr": 1e-4, "betas": [0.0, 0.9]}
    return {
        "architecture": _convolutions(facts, generator_norm="batch", discriminator_norm="none"),
        "loss": {"kind": "wasserstein"},
        "penalties": [{"kind": "gradient_penalty", "weight": 10.0}],
        "generator_optimizer": adam,
        "discriminator_optimizer": adam,
        "discriminator_steps": 5,
        "batch_size": 64,
        "budget": {"images": 10_000_000, "seconds": None},
        "ema": NO_AVERAGE,
    }


def sngan(facts: DatasetFacts) -> Recipe:
    """Miyato et al. 2018, section 4.1 and appendix B."""
    adam = {"kind": "adam", "lr": 2e-4, "betas": [0.0, 0.9]}
    if halvings(facts.resolution) is None:
        architecture: Recipe = {"kind": "mlp"}
    else:
        architecture = {"kind": "resnet"}
    return {
        "architecture": architecture,
        "loss": {"kind": "hinge"},
        "penalties": [],
        "generator_optimizer": adam,
        "discriminator_optimizer": adam,
        "discriminator_steps": 5,
        "batch_size": 64,
        "budget": {"images": 10_000_000, "seconds": None},
        "ema": {"half_life_images": 20_000},
    }


def r3gan(facts: DatasetFacts) -> Recipe:
    """Huang et al. 2024, with the learning rates and penalty weights for its small datasets, and lazy penalties."""
    adam = {"kind": "adam", "lr": 2e-4, "betas": [0.0, 0.95]}
    if halvings(facts.resolution) is None:
        architecture: Recipe = {"kind": "mlp", "activation": "leaky_relu"}
    else:
        architecture = {"kind": "r3gan"}
    return {
        "architecture": architecture,
        "loss": {"kind": "relativistic_paired"},
        "penalties": _both_sides(1.0, every_steps=4),
        "generator_optimizer": adam,
        "discriminator_optimizer": adam,
        "batch_size": 64,
        "budget": {"images": 10_000_000, "seconds": None},
        "ema": {"half_life_images": 20_000},
    }


def robust(facts: DatasetFacts, hardware: Hardware) -> Recipe:
    if facts.holds_points:
        return _points()
    if facts.resolution <= 28:
        adam: Recipe = {"kind": "adam", "betas": [0.0, 0.99]}
        return _for_little_data(facts) | {
            "architecture": _small_mlp(facts),
            "loss": {"kind": "relativistic_paired"},
            "penalties": _both_sides(1.0, every_steps=16),
            "generator_optimizer": adam | {"lr": 1e-3},
            # At the generator's rate it gets ahead of the generator, and samples are less diverse.
            "discriminator_optimizer": adam | {"lr": 6e-4},
            "batch_size": _batch(facts, most=128),
            "budget": {"images": 2_000_000, "seconds": None},
            "ema": {"half_life_images": 100_000, "ramp_up": 0.1},
        }
    # CPUs see few images in the time that people wait: more and noisier steps learn more from these, and above 32
    # pixels larger ones learn faster at first.
    if hardware == "gpu":
        lr, most = 4e-4, 64
    else:
        lr, most = (4e-4, 32) if facts.resolution <= 32 else (1e-3, 16)
    adam = {"kind": "adam", "lr": lr, "betas": [0.0, 0.95]}
    return _for_little_data(facts) | {
        "architecture": {
            "kind": "dcgan",
            "latent_dim": 100,
            "channels": widths.channels(facts.resolution, hardware),
        },
        "loss": {"kind": "relativistic_paired"},
        "penalties": _both_sides(2.0, every_steps=8),
        "generator_optimizer": adam,
        "discriminator_optimizer": adam,
        "batch_size": _batch(facts, most=most),
        "budget": {"images": 10_000_000, "seconds": None},
        "ema": {"half_life_images": 20_000},
    }


def fast(facts: DatasetFacts, hardware: Hardware) -> Recipe:
    """The robust recipe with labels, which help for the first few hundred thousand images only."""
    recipe = robust(facts, hardware)
    if facts.holds_points:
        return recipe | {"budget": {"images": 1_000_000, "seconds": None}}
    return recipe | {
        "labels": 2 <= facts.classes <= MOST_CLASSES,
        "budget": {"images": 400_000, "seconds": None},
    }


def vae(facts: DatasetFacts, hardware: Hardware) -> Recipe:
    """Kingma & Welling 2014, with the robust preset's generator."""
    adam = {"kind": "adam", "lr": 1e-3, "betas": [0.9, 0.999]}
    return {
        "architecture": {"kind": "vae", "backbone": robust(facts, hardware)["architecture"]},
        "loss": {"kind": "elbo"},
        "penalties": [],
        "generator_optimizer": adam,
        "discriminator_optimizer": adam,
        "batch_size": 128,
        "budget": {"images": 2_000_000, "seconds": None},
        "ema": {"half_life_images": 20_000},
    }


def _points() -> Recipe:
    """The robust recipe for points, whose modes are as narrow as a hundredth of their distance.

    It has few latents, weak penalties and small steps at the end. It has no batch norm, because the randomness of
    batches would move each point by more than a mode's width. The penalties' weights are small because the
    discriminator's gradient must be steep between narrow modes.
    """
    adam = {"kind": "adam", "betas": [0.0, 0.99]}
    schedule = {"kind": "cosine", "start": 0.4}
    return {
        "architecture": {
            "kind": "mlp",
            "latent_dim": 2,
            "generator_widths": [256, 256, 256],
            "discriminator_widths": [256, 256, 256],
        },
        "loss": {"kind": "relativistic_paired"},
        "penalties": _both_sides(0.001, every_steps=8),
        "generator_optimizer": adam | {"lr": 3e-3, "schedule": schedule},
        "discriminator_optimizer": adam | {"lr": 3e-3, "schedule": schedule | {"final": 0.1}},
        "batch_size": 256,
        "budget": {"images": 4_000_000, "seconds": None},
        "ema": {"half_life_images": 20_000},
    }


def _for_little_data(facts: DatasetFacts) -> Recipe:
    """Return the augmentation, where the discriminator may learn the training images by heart."""
    if facts.images >= LITTLE_DATA or facts.resolution < SMALLEST_CHANGED:
        return {}
    return {"augment": {"kind": "adaptive", "flip": facts.flips_natural}}


def _batch(facts: DatasetFacts, *, most: int) -> int:
    """Return the batch size: a power of two that the dataset can fill."""
    return min(most, 1 << (facts.images.bit_length() - 1))


def _small_mlp(facts: DatasetFacts) -> Recipe:
    grey = facts.channels == 1
    return {
        "kind": "mlp",
        "latent_dim": 64 if grey else 128,
        "generator_widths": [512, 512, 512],
        "discriminator_widths": [512 if grey or facts.channels_alike else 1024, 512, 512],
        "share_channels": facts.channels_alike,
        "generator_norm": "batch",
        # With leaky ReLUs the rarer kinds of images are learned more slowly.
        "activation": "relu",
    }


def _convolutions(facts: DatasetFacts, *, generator_norm: str, discriminator_norm: str) -> Recipe:
    """Return a DCGAN, or the fully connected pair if the resolution does not suit convolutions."""
    if halvings(facts.resolution) is None:
        return {"kind": "mlp", "generator_norm": generator_norm}
    return {"kind": "dcgan", "generator_norm": generator_norm, "discriminator_norm": discriminator_norm}


def _both_sides(weight: float, *, every_steps: int) -> list[Recipe]:
    return [{"kind": kind, "weight": weight, "every_steps": every_steps} for kind in ("r1", "r2")]
