"""The base of adversarial methods: the gradients of a discriminator and a generator, and their cost."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from models import losses, penalties, specs
from models.training import objective
from models.training.inputs import StepInputs
from models.training.methods.method import Gradients, Method, added, mean
from models.training.objective import Objective
from models.training.state import Player, TrainingState


class Adversarial(Method):
    kept_passes = {"generator": 1, "discriminator": 2}  # noqa: RUF012 - a class variable, as declared in Method

    def __init__(self, spec: specs.TrainingSpec, *, device: torch.device) -> None:
        self.objective = Objective.of(spec, device=device)

    @staticmethod
    def players(spec: specs.TrainingSpec) -> dict[str, Player]:
        return {
            "generator": Player(spec.generator_optimizer, side="g", averaged=True),
            "discriminator": Player(spec.discriminator_optimizer, side="d"),
        }

    @staticmethod
    def flops_per_image(spec: specs.TrainingSpec, passes: Mapping[str, float]) -> float:
        generator, discriminator = passes["generator"], passes["discriminator"]
        discriminator_learns = 2 * 3 * discriminator
        terms = sum(penalties.REGISTRY[term.kind].passes * discriminator / term.every_steps for term in spec.penalties)
        generator_learns = 2 * generator + 2 * discriminator
        if losses.REGISTRY[spec.loss.kind].generator_compares:
            generator_learns += discriminator
        if spec.accumulation_steps > 1:
            # Fakes are generated again for the generator, because the discriminator's have no graph.
            generator_learns += generator
        return generator + discriminator_learns + terms + generator_learns / spec.discriminator_steps

    def discriminator_gradients(
        self, state: TrainingState, inputs: StepInputs, *, keep_graph: bool, adapts: bool = True
    ) -> tuple[Gradients, Tensor]:
        """Return the discriminator's gradients and the fakes.

        With `keep_graph` the fakes keep the generator's graph, unless the batch is cut into parts, whose purpose is to
        save the graph's memory. `adapts`: whether an adaptive augmentation counts the batch.
        """
        number = state.spec.accumulation_steps
        sums: Gradients | None = None
        fakes, found = [], []
        for part in inputs.parts(number):
            fake_NCHW = objective.generate(state, self.objective, part, with_graph=keep_graph and number == 1)
            loss = objective.discriminator_loss(
                state, self.objective, part, fake_NCHW, terms=self.objective.terms_at(part.number)
            )
            state.meter.add(loss.scores)
            sums = added(sums, torch.autograd.grad(loss.loss, state.parameters["discriminator"]))
            fakes.append(fake_NCHW)
            found.append(loss)
        assert sums is not None
        if adapts:
            objective.update_augmentation(state, self.objective, found)
        return mean(state, sums), fakes[0] if number == 1 else torch.cat(fakes)

    def generator_gradients(self, state: TrainingState, inputs: StepInputs, fake_NCHW: Tensor) -> Gradients:
        """Return the gradients of the generator that made the fakes."""
        number = state.spec.accumulation_steps
        sums: Gradients | None = None
        for part in inputs.parts(number):
            drawn_NCHW = fake_NCHW
            if number > 1:
                drawn_NCHW = objective.generate(state, self.objective, part, with_graph=True)
            loss = objective.generator_loss(state, self.objective, part, drawn_NCHW)
            sums = added(sums, torch.autograd.grad(loss, state.parameters["generator"]))
            state.meter.add({"loss_g": loss})
        assert sums is not None
        return mean(state, sums)

    def step_discriminator(self, state: TrainingState, gradients: Sequence[Tensor]) -> None:
        """Update the discriminator, then apply the penalties that change its weights, such as weight_clip."""
        state.step("discriminator", gradients)
        for penalty in self.objective.penalties:
            if (project := penalties.REGISTRY[penalty.kind].project) is not None:
                project(penalty, state.parameters["discriminator"])
