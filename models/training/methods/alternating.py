"""Alternating steps: the discriminator's, then the generator's (Goodfellow et al. 2014, algorithm 1)."""

from collections.abc import Sequence

from models.training.inputs import StepInputs
from models.training.methods.adversarial import Adversarial
from models.training.methods.method import Shown
from models.training.state import TrainingState


class Alternating(Adversarial):
    """The generator learns from the fakes of the discriminator's last step."""

    def step(self, state: TrainingState, inputs: Sequence[StepInputs]) -> Shown:
        for each in inputs:
            last = each is inputs[-1]
            gradients, fake_NCHW = self.discriminator_gradients(state, each, keep_graph=last)
            self.step_discriminator(state, gradients)
        gradients = self.generator_gradients(state, each, fake_NCHW)
        state.step("generator", gradients)
        return Shown(each.real_NCHW, fake_NCHW)
