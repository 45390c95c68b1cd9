"""Architectures: the networks to train. Each kind is a set of networks that are designed for each other."""

from typing import Annotated, Literal

from pydantic import Field

from models.specs.fields import Channels, Latents, Spec, Width


def halvings(resolution: int) -> int | None:
    """Return the number of halvings, at least one, that reduce a resolution to 3..7 pixels; None if none do."""
    number = 0
    while resolution > 7:
        if resolution % 2:
            return None
        resolution, number = resolution // 2, number + 1
    return number if resolution >= 3 and number >= 1 else None


class Convolutional(Spec):
    """The base of architectures whose feature maps halve in resolution with each level."""

    def fits(self, resolution: int) -> bool:
        """Return whether the networks can handle images of this many pixels a side."""
        return halvings(resolution) is not None


class MlpArchitecture(Spec):
    """Fully connected generator and discriminator. The default widths are the article's."""

    kind: Literal["mlp"] = "mlp"
    latent_dim: Latents = 100
    generator_widths: tuple[Width, ...] = Field(default=(128, 256, 512, 1024), min_length=1, max_length=16)
    discriminator_widths: tuple[Width, ...] = Field(default=(512, 256), min_length=1, max_length=16)
    generator_norm: Literal["none", "batch"] = "none"
    activation: Literal["relu", "leaky_relu"] = "relu"
    share_channels: bool = False
    """Whether the same layers process each channel separately. Only the generator's first and the discriminator's last
    hidden layer process all channels together. For channels that show things of one kind, such as stacked images."""

    def fits(self, resolution: int) -> bool:
        del resolution
        return True


class DcganArchitecture(Convolutional):
    """Strided convolutions (Radford et al. 2016), for any size that halves down to 3..7 pixels."""

    kind: Literal["dcgan"] = "dcgan"
    latent_dim: Latents = 100
    channels: Channels = 64
    """Number of feature maps at the highest resolution. It doubles with every halving of the resolution."""
    generator_norm: Literal["none", "batch"] = "batch"
    discriminator_norm: Literal["none", "batch", "spectral"] = "none"


class ResnetArchitecture(Convolutional):
    """Residual blocks as in SNGAN (Miyato et al. 2018), for any size that halves down to 3..7 pixels."""

    kind: Literal["resnet"] = "resnet"
    latent_dim: Latents = 128
    channels: Channels = 64
    """Number of feature maps of every block."""
    generator_norm: Literal["none", "batch"] = "batch"
    discriminator_norm: Literal["none", "spectral"] = "spectral"


class R3ganArchitecture(Convolutional):
    """ResNeXt blocks without normalisation, bilinear resampling, Fixup initialisation (Huang et al. 2024, R3GAN)."""

    kind: Literal["r3gan"] = "r3gan"
    latent_dim: Latents = 64
    channels: Channels = 64
    """Number of feature maps at the highest resolution. It doubles with every halving, up to eight times as many."""
    blocks: int = Field(default=1, ge=1, le=8)
    """Number of residual blocks at each resolution."""
    group_width: int = Field(default=16, ge=1, le=1024)
    """Number of feature maps in a group of the grouped 3x3 convolutions. Must divide channels times expansion."""
    expansion: int = Field(default=2, ge=1, le=8)
    """The width inside a block, as a multiple of the block's own."""


class VaeArchitecture(Spec):
    """A variational autoencoder (Kingma & Welling 2014): the backbone's generator is the decoder.

    A baseline to compare GANs with. The encoder has the layers of the backbone's discriminator.
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
