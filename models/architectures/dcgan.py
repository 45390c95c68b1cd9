"""Strided convolutions: Radford et al. 2016, DCGAN, for any size that halves down to 3..7 pixels."""

from torch import Tensor, nn

from models import spec as specs

# Radford et al. 2016, section 4, initialise from a normal distribution with this deviation.
_DEVIATION = 0.02


class Generator(nn.Module):
    """N x latent_dim noise -> images_NCHW in [-1, 1]; the feature maps halve as the resolution doubles."""

    def __init__(self, spec: specs.DcganArchitecture, *, image_CHW: tuple[int, int, int]) -> None:
        super().__init__()
        halvings, base_resolution = _shape(image_CHW)
        widths = [spec.channels << level for level in reversed(range(halvings))]
        batch_norm = spec.generator_norm == "batch"
        layers: list[nn.Module] = [
            nn.Unflatten(1, (spec.latent_dim, 1, 1)),
            nn.ConvTranspose2d(spec.latent_dim, widths[0], base_resolution, bias=not batch_norm),
        ]
        for index, width in enumerate(widths):
            layers += [nn.BatchNorm2d(width)] if batch_norm else []
            layers.append(nn.ReLU())
            last = index == halvings - 1
            width_out = image_CHW[0] if last else widths[index + 1]
            layers.append(nn.ConvTranspose2d(width, width_out, 4, 2, 1, bias=last or not batch_norm))
        self.layers = nn.Sequential(*layers, nn.Tanh())
        self.apply(_initialise)

    def forward(self, latents: Tensor) -> Tensor:
        images_NCHW: Tensor = self.layers(latents)
        return images_NCHW


class Discriminator(nn.Module):
    """images_NCHW in [-1, 1] -> N logits; the feature maps double as the resolution halves."""

    def __init__(self, spec: specs.DcganArchitecture, *, image_CHW: tuple[int, int, int]) -> None:
        super().__init__()
        halvings, base_resolution = _shape(image_CHW)
        widths = [spec.channels << level for level in range(halvings)]
        layers: list[nn.Module] = []
        for index, width in enumerate(widths):
            # No norm on the first layer: Radford et al. 2016, section 3.
            batch_norm = spec.discriminator_norm == "batch" and index > 0
            width_in = widths[index - 1] if index else image_CHW[0]
            layers.append(nn.Conv2d(width_in, width, 4, 2, 1, bias=not batch_norm))
            layers += [nn.BatchNorm2d(width)] if batch_norm else []
            layers.append(nn.LeakyReLU(0.2))
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, base_resolution), nn.Flatten())
        self.apply(_initialise)

    def forward(self, images_NCHW: Tensor) -> Tensor:
        logits: Tensor = self.layers(images_NCHW)
        return logits.squeeze(1)


def _shape(image_CHW: tuple[int, int, int]) -> tuple[int, int]:
    """How often the resolution halves, and where it arrives."""
    halvings = specs.dcgan_halvings(image_CHW[1])
    assert halvings is not None, "the spec refuses such resolutions"
    return halvings, image_CHW[1] >> halvings


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, _DEVIATION)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, _DEVIATION)
