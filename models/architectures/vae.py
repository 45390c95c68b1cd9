"""A variational autoencoder's networks (Kingma & Welling 2014): a backbone's generator, and an encoder.

The encoder has the layers of the backbone's discriminator. There is no discriminator.
"""

from torch import Tensor, nn

from models import specs
from models.architectures import dcgan, mlp


def generator(spec: specs.VaeArchitecture, *, image_CHW: tuple[int, int, int], classes: int) -> nn.Module:
    """Return the backbone's generator."""
    backbone = spec.backbone
    if isinstance(backbone, specs.MlpArchitecture):
        return mlp.Generator(backbone, image_CHW=image_CHW, classes=classes)
    return dcgan.Generator(backbone, image_CHW=image_CHW, classes=classes)


class Encoder(nn.Module):
    """images_NCHW in [-1, 1], and N labels where there are classes -> N x 2 latent_dim: means, then log-variances.

    It is the backbone's discriminator with a wider last layer. Each class adds its own vector to the outputs, zero at
    first. A vector added to the features would be equivalent, because the layer between them is linear.
    """

    def __init__(self, spec: specs.VaeArchitecture, *, image_CHW: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.trunk = _trunk(spec, image_CHW=image_CHW)
        self.shifts = nn.Embedding(classes, 2 * spec.latent_dim) if classes else None
        if self.shifts is not None:
            nn.init.zeros_(self.shifts.weight)

    def forward(self, images_NCHW: Tensor, labels: Tensor | None = None) -> Tensor:
        assert (labels is None) == (self.classes == 0)
        encoded: Tensor = self.trunk(images_NCHW)
        return encoded if self.shifts is None else encoded + self.shifts(labels)


def _trunk(spec: specs.VaeArchitecture, *, image_CHW: tuple[int, int, int]) -> nn.Module:
    backbone, outputs = spec.backbone, 2 * spec.latent_dim
    if isinstance(backbone, specs.MlpArchitecture):
        return mlp.Discriminator(backbone, image_CHW=image_CHW, classes=0, outputs=outputs)
    return dcgan.Discriminator(backbone, image_CHW=image_CHW, classes=0, outputs=outputs)
