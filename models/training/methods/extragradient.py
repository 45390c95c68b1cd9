"""Extragradient steps (Gidel et al. 2019, algorithm 4): both networks use gradients computed a step ahead."""

from collections.abc import Mapping, Sequence

from models import optimizers, specs
from models.training.inputs import StepInputs
from models.training.methods.adversarial import Adversarial
from models.training.methods.method import Gradients, Shown
from models.training.state import TrainingState


class Extragradient(Adversarial):
    """Moves both networks a step ahead, computes gradients there, and applies them to the original weights.

    Both halves of a step use the same inputs (Mishchenko et al. 2020).
    """

    @staticmethod
    def flops_per_image(spec: specs.TrainingSpec, passes: Mapping[str, float]) -> float:
        return 2 * Adversarial.flops_per_image(spec, passes)

    def step(self, state: TrainingState, inputs: Sequence[StepInputs]) -> Shown:
        (only,) = inputs
        discriminator, generator, _ = self._gradients(state, only, adapts=False)
        self._extrapolate(state, "discriminator", discriminator)
        self._extrapolate(state, "generator", generator)
        # An adaptive augmentation counts each image once.
        discriminator, generator, shown = self._gradients(state, only, adapts=True)
        self.step_discriminator(state, discriminator)
        state.step("generator", generator)
        return shown

    def _gradients(
        self, state: TrainingState, inputs: StepInputs, *, adapts: bool
    ) -> tuple[Gradients, Gradients, Shown]:
        discriminator, fake_NCHW = self.discriminator_gradients(state, inputs, keep_graph=True, adapts=adapts)
        generator = self.generator_gradients(state, inputs, fake_NCHW)
        return discriminator, generator, Shown(inputs.real_NCHW, fake_NCHW)

    def _extrapolate(self, state: TrainingState, role: str, gradients: Gradients) -> None:
        max_norm = state.players[role].optimizer.max_gradient_norm
        optimizers.extrapolate(state.optimizers[role], gradients, max_norm=max_norm)
