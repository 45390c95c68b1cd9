"""The LeCam penalty: keeps logits near the moving average of the other kind's logits."""

from torch import Tensor

from models import specs
from models.penalties.context import PenaltyContext


def lecam(spec: specs.LecamPenalty, context: PenaltyContext) -> Tensor:
    """lambda (E (D(x) - a_F)^2 + E (D(G(z)) - a_R)^2): Tseng et al. 2021, eq. 3.

    a_R and a_F are moving averages of the mean logits of real and of generated images, this batch included (eq. 4). The
    authors' code ignores logits beyond the other kind's average. The paper does not, and neither does this function.
    """
    real, fake = context.real_logits, context.fake_logits
    real_mean, fake_mean = context.group.mean([real.detach().mean(), fake.detach().mean()])
    real_average = _follow(spec, context.statistics, "lecam.real", real_mean)
    fake_average = _follow(spec, context.statistics, "lecam.fake", fake_mean)
    distance = (real - fake_average).square().mean() + (fake - real_average).square().mean()
    return distance * spec.weight


def _follow(spec: specs.LecamPenalty, statistics: dict[str, Tensor], name: str, mean: Tensor) -> Tensor:
    """Return the moving average after a batch's mean logit. It starts at the first mean, to have no bias towards 0.

    A lazy penalty updates its average with the decay of all steps since its last one.
    """
    statistics[name] = mean if name not in statistics else statistics[name].lerp(mean, 1 - spec.decay**spec.every_steps)
    return statistics[name]
