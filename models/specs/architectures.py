"""Which networks are trained. Each kind is a set of networks made for each other."""

from typing import Annotated, Literal

from pydantic import Field

from models.specs.fields import Channels, Latents, Spec, Width


def halvings(resolution: int) -> int | None:
    """Return how often convolutions halve a resolution on its way to 3..7 pixels; None where it never gets there."""
    number = 0
    while resolution > 7:
        if resolution % 2:
            return None
        resolution, number = resolution // 2, number + 1
    return number if resolution >= 3 and number >= 1 else None


class Convolutional(Spec):
    """The base of architectures whose feature maps halve with each level."""

    def fits(self, resolution: int) -> bool:
        """Return whether images of this many pixels a side can be drawn."""
        return halvings(resolution) is not None


class MlpArchitecture(Spec):
    """Fully connected generator and discriminator; the defaults are the article's."""

    kind: Literal["mlp"] = "mlp"
    latent_dim: Latents = 100
    generator_widths: tuple[Width, ...] = Field(default=(128, 256, 512, 1024), min_length=1, max_length=16)
    discriminator_widths: tuple[Width, ...] = Field(default=(512, 256), min_length=1, max_length=16)
    generator_norm: Literal["none", "batch"] = "none"
    activation: Literal["relu", "leaky_relu"] = "relu"
    share_channels: bool = False
    """Each channel is drawn, and looked at, by the same layers, all but the generator's first and the discriminator's
    last hidden one, where the channels are one. For channels that show things of one kind, such as stacked images."""

    def fits(self, resolution: int) -> bool:
        del resolution
        return True


class DcganArchitecture(Convolutional):
    """Strided convolutions (Radford et al. 2016), for any size that halves down to 3..7 pixels."""

    kind: Literal["dcgan"] = "dcgan"
    latent_dim: Latents = 100
    channels: Channels = 64
    """Feature maps at the highest resolution; they double at every halving."""
    generator_norm: Literal["none", "batch"] = "batch"
    discriminator_norm: Literal["none", "batch", "spectral"] = "none"


class ResnetArchitecture(Convolutional):
    """Residual blocks as in SNGAN (Miyato et al. 2018), for any size that halves down to 3..7 pixels."""

    kind: Literal["resnet"] = "resnet"
    latent_dim: Latents = 128
    channels: Channels = 64
    """Feature maps of every block."""
    generator_norm: Literal["none", "batch"] = "batch"
    discriminator_norm: Literal["none", "spectral"] = "spectral"


class R3ganArchitecture(Convolutional):
    """ResNeXt blocks without normalisation, bilinear resampling, fix-up initialisation (Huang et al. 2024, R3GAN)."""

    kind: Literal["r3gan"] = "r3gan"
    latent_dim: Latents = 64
    channels: Channels = 64
    """Feature maps at the highest resolution; they double at every halving, up to eight times as many."""
    blocks: int = Field(default=1, ge=1, le=8)
    """Residual blocks at each resolution."""
    group_width: int = Field(default=16, ge=1, le=1024)
    """Feature maps of one group of the grouped 3x3 convolutions; must divide channels times the expansion."""
    expansion: int = Field(default=2, ge=1, le=8)
    """How much wider a block is inside."""


class VaeArchitecture(Spec):
    """A variational autoencoder (Kingma & Welling 2014): the generator decodes, the discriminator's twin encodes.

    The comparison: the generator is the backbone's own.
    """

    kind: Literal["vae"] = "vae"
    backbone: Annotated[MlpArchitecture | DcganArchitecture, Field(discriminator="kind")]

    @property
    def latent_dim(self) -> int:
        return self.backbone.latent_dim

    def fits(self, resolution: int) -> bool:
        return self.backbone.fits(resolution)


Architecture = Annotated[
    MlpArchitecture | DcganArchitecture | ResnetArchitecture | R3ganArchitecture | VaeArchitecture,
    Field(discriminator="kind"),
]
