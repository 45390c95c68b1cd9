"""Strided convolutions: Radford et al. 2016, DCGAN, for any size that halves down to 3..7 pixels."""

from torch import Tensor, nn

from models import specs
from models.architectures import layers

# Radford et al. 2016, section 4, initialise from a normal distribution with this deviation.
_DEVIATION = 0.02


class Generator(nn.Module):
    """N x latent_dim noise, and N labels where there are classes -> images_NCHW in [-1, 1].

    The number of feature maps halves as the resolution doubles. The class conditions the batch norms; without batch
    norms it conditions the latents.
    """

    def __init__(self, spec: specs.DcganArchitecture, *, image_CHW: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        levels, base_resolution = layers.pyramid(image_CHW)
        widths = [spec.channels << level for level in reversed(range(levels))]
        batch_norm = spec.generator_norm == "batch"
        self.classes = classes
        self.latents = layers.ClassedLatents(spec.latent_dim, classes=0 if batch_norm else classes)
        stack: list[nn.Module] = [
            nn.Unflatten(1, (self.latents.width, 1, 1)),
            nn.ConvTranspose2d(self.latents.width, widths[0], base_resolution, bias=not batch_norm),
        ]
        for index, width in enumerate(widths):
            stack += [layers.ClassedBatchNorm2d(width, classes=classes)] if batch_norm else []
            stack.append(nn.ReLU())
            last = index == levels - 1
            width_out = image_CHW[0] if last else widths[index + 1]
            stack.append(nn.ConvTranspose2d(width, width_out, 4, 2, 1, bias=last or not batch_norm))
        self.layers = nn.Sequential(*stack, nn.Tanh())
        self.apply(_initialise)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        assert (labels is None) == (self.classes == 0)
        return layers.run(self.layers, self.latents(latents, labels), labels)


class Discriminator(nn.Module):
    """images_NCHW in [-1, 1], and N labels where there are classes -> N logits, or N x outputs for more than one.

    The number of feature maps doubles as the resolution halves.
    """

    def __init__(
        self, spec: specs.DcganArchitecture, *, image_CHW: tuple[int, int, int], classes: int, outputs: int = 1
    ) -> None:
        super().__init__()
        assert outputs == 1 or classes == 0, "a conditional discriminator gives one logit"
        levels, base_resolution = layers.pyramid(image_CHW)
        widths = [spec.channels << level for level in range(levels)]
        self.classes = classes
        stack: list[nn.Module] = []
        for index, width in enumerate(widths):
            # No norm on the first layer: Radford et al. 2016, section 3.
            batch_norm = spec.discriminator_norm == "batch" and index > 0
            width_in = widths[index - 1] if index else image_CHW[0]
            stack.append(nn.Conv2d(width_in, width, 4, 2, 1, bias=not batch_norm))
            stack += [nn.BatchNorm2d(width)] if batch_norm else []
            stack.append(nn.LeakyReLU(0.2))
        self.layers = nn.Sequential(*stack, nn.Conv2d(widths[-1], outputs, base_resolution), nn.Flatten())
        self.projection = layers.Projection(widths[-1], classes=classes)
        self.apply(_initialise)
        if spec.discriminator_norm == "spectral":
            layers.normalise_spectrally(self)

    def forward(self, images_NCHW: Tensor, labels: Tensor | None = None) -> Tensor:
        assert (labels is None) == (self.classes == 0)
        *trunk, head, flatten = self.layers
        features_NCHW = images_NCHW
        for layer in trunk:
            features_NCHW = layer(features_NCHW)
        logits: Tensor = flatten(head(features_NCHW)).squeeze(1)
        if labels is None:
            return logits
        # The projection takes the sum over all positions, as in Miyato & Koyama 2018.
        projected: Tensor = self.projection(logits, features_NCHW.sum((2, 3)), labels)
        return projected


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, _DEVIATION)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, layers.ClassedBatchNorm2d) and module.gains is not None:
        nn.init.normal_(module.gains, 1.0, _DEVIATION)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, _DEVIATION)
