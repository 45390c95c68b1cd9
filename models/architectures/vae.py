"""A variational autoencoder's networks (Kingma & Welling 2014): a backbone's generator, and its discriminator's twin.

Nothing is judged here: in the discriminator's place stands an encoder.
"""

from torch import Tensor, nn

from models import specs
from models.architectures import dcgan, mlp


def generator(spec: specs.VaeArchitecture, *, image_CHW: tuple[int, int, int], classes: int) -> nn.Module:
    """The backbone's own."""
    backbone = spec.backbone
    if isinstance(backbone, specs.MlpArchitecture):
        return mlp.Generator(backbone, image_CHW=image_CHW, classes=classes)
    return dcgan.Generator(backbone, image_CHW=image_CHW, classes=classes)


class Encoder(nn.Module):
    """images_NCHW in [-1, 1], and N labels where there are classes -> N x 2 latent_dim: means, then log-variances.

    The backbone's discriminator with a wider last layer. A class adds its own vector to the outputs, zero at first:
    that says as much as one added to the features, as the layer between is linear.
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
