"""The variational autoencoder (Kingma & Welling 2014): a generator and an encoder maximise one bound together."""

from collections.abc import Mapping, Sequence

import torch

from models import specs
from models.runtime import precision
from models.training.inputs import StepInputs
from models.training.methods import elbo
from models.training.methods.method import Gradients, Method, Shown, added, mean
from models.training.state import Player, TrainingState


class Vae(Method):
    """A baseline to compare GANs with; it is not adversarial. `discriminator_optimizer` is the encoder's optimizer."""

    kept_passes = {"generator": 1, "encoder": 1}  # noqa: RUF012 - a class variable, as declared in Method

    def __init__(self, spec: specs.TrainingSpec, *, device: torch.device) -> None:
        assert isinstance(spec.loss, specs.Elbo)
        self._loss = spec.loss
        dtype = precision.autocast_dtype(spec.precision, device=device)
        self._autocast = torch.autocast(device.type, dtype, enabled=dtype is not None)

    @staticmethod
    def players(spec: specs.TrainingSpec) -> dict[str, Player]:
        return {
            "generator": Player(spec.generator_optimizer, side="g", averaged=True),
            "encoder": Player(spec.discriminator_optimizer, side="d"),
        }

    @staticmethod
    def flops_per_image(spec: specs.TrainingSpec, passes: Mapping[str, float]) -> float:
        # Both learn from each image; then the generator draws the images of `Shown`.
        return 3 * (passes["encoder"] + passes["generator"]) + passes["generator"]

    def step(self, state: TrainingState, inputs: Sequence[StepInputs]) -> Shown:
        (only,) = inputs
        parameters = [*state.parameters["generator"], *state.parameters["encoder"]]
        sums: Gradients | None = None
        for part in only.parts(state.spec.accumulation_steps):
            with self._autocast:
                encoded = state.networks["encoder"](part.real_NCHW, part.condition)
                posterior = elbo.Posterior.of(encoded.float())
                latents = posterior.draw(part.rng("posterior"))
                drawn_NCHW = state.networks["generator"](latents, part.condition).float()
            distortion = elbo.distortion(self._loss, part.real_NCHW, drawn_NCHW)
            divergence = posterior.divergence()
            loss = distortion + self._loss.kl_weight * divergence
            sums = added(sums, torch.autograd.grad(loss, parameters))
            state.meter.add({"loss_g": loss, "reconstruction": distortion, "kl": divergence})
        assert sums is not None
        gradients = mean(state, sums)
        count = len(state.parameters["generator"])
        state.step("generator", gradients[:count])
        state.step("encoder", gradients[count:])
        with torch.no_grad(), self._autocast:
            return Shown(only.real_NCHW, state.fast["generator"](only.latents, only.condition))
