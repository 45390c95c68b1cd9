"""The LeCam penalty: logits stay near the other side's moving average."""

from torch import Tensor

from models import specs
from models.penalties.context import PenaltyContext


def lecam(spec: specs.LecamPenalty, context: PenaltyContext) -> Tensor:
    """lambda (E (D(x) - a_F)^2 + E (D(G(z)) - a_R)^2): Tseng et al. 2021, eq. 3.

    a_R and a_F follow the mean logits of real and of generated images, this batch's included (eq. 4). The authors' code
    leaves out logits that have crossed the other side's average; the paper and this do not.
    """
    real, fake = context.real_logits, context.fake_logits
    real_mean, fake_mean = context.group.mean([real.detach().mean(), fake.detach().mean()])
    real_average = _follow(spec, context.statistics, "lecam.real", real_mean)
    fake_average = _follow(spec, context.statistics, "lecam.fake", fake_mean)
    distance = (real - fake_average).square().mean() + (fake - real_average).square().mean()
    return distance * spec.weight


def _follow(spec: specs.LecamPenalty, statistics: dict[str, Tensor], name: str, mean: Tensor) -> Tensor:
    """The moving average after a batch's mean logit; the first one begins it, so that none is drawn towards 0.

    A lazy penalty sees one step of many, and its average forgets as much as the steps between would have.
    """
    statistics[name] = mean if name not in statistics else statistics[name].lerp(mean, 1 - spec.decay**spec.every_steps)
    return statistics[name]
