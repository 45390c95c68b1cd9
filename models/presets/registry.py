"""The presets by name: each recipe with its purpose."""

from collections.abc import Callable
from dataclasses import dataclass

from models.presets import recipes
from models.presets.recipes import Recipe
from models.presets.widths import Hardware
from models.specs import DatasetFacts

DEFAULT = "robust"


@dataclass(frozen=True)
class Preset:
    name: str
    purpose: str
    recipe: Callable[[DatasetFacts, Hardware], Recipe]


def _published(recipe: Callable[[DatasetFacts], Recipe]) -> Callable[[DatasetFacts, Hardware], Recipe]:
    """Return a recipe that is the same for all hardware."""
    return lambda facts, _: recipe(facts)


REGISTRY: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            "robust",
            "The default: relativistic paired loss with zero-centred penalties on both sides, weight averaging and the "
            "repairing guard. A fully connected pair for small images, a DCGAN for the rest.",
            recipes.robust,
        ),
        Preset(
            "fast",
            "For trying things out: the robust recipe for the first minute, conditioned on the images' classes "
            "where there are some.",
            recipes.fast,
        ),
        Preset(
            "article",
            "The survey's recipe with its misprinted losses corrected: a plain fully connected GAN without penalty, "
            "averaging or guard. For comparison: it is what the robust recipe is robust against.",
            _published(recipes.article),
        ),
        Preset(
            "dcgan",
            "Radford et al. 2016 as published: strided convolutions, batch norm on both sides, no penalty. For "
            "comparison, and where its samples are known.",
            _published(recipes.dcgan),
        ),
        Preset(
            "wgan_gp",
            "Gulrajani et al. 2017 as published: Wasserstein loss, gradient penalty, five discriminator steps per "
            "generator step. Slow and steady; its loss falls as images get better.",
            _published(recipes.wgan_gp),
        ),
        Preset(
            "sngan",
            "Miyato et al. 2018 as published: residual blocks, spectral norm, hinge loss. For GPUs.",
            _published(recipes.sngan),
        ),
        Preset(
            "r3gan",
            "Huang et al. 2024: ResNeXt blocks without normalisation, relativistic paired loss, R1 and R2. The best "
            "images where there is a GPU and time.",
            _published(recipes.r3gan),
        ),
        Preset(
            "vae",
            "A variational autoencoder with the robust preset's generator: the comparison, not a GAN. Never collapses, "
            "draws blurred images.",
            recipes.vae,
        ),
    )
}
