"""Methods: what the networks learn from one step's inputs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from models import architectures, data, training
from models.augment import adaptive
from models.checkpoints import checkpoint
from models.specs import TrainingSpec
from models.training import estimates, methods, objective
from models.training.inputs import InputPipeline, StepInputs
from models.training.methods import Method, Shown
from models.training.state import Player, TrainingState
from tests.models.runs import SMOOTH, content

CPU = torch.device("cpu")
PLAIN = {"generator_norm": "none", "latent_dim": 8, "generator_widths": [16], "discriminator_widths": [16]}
EXTRA_ADAM = {"kind": "extra_adam", "lr": 1e-3}


def weights(state: TrainingState) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in state.all_parameters()])


@pytest.fixture
def train(digits: data.ImageData) -> Callable[[TrainingSpec, int], Iterator[TrainingState]]:
    """Return a function that yields the state after each step: one object, so read it before the next step."""

    def run(spec: TrainingSpec, steps: int) -> Iterator[TrainingState]:
        state, method = methods.prepare(spec, device=CPU)
        pipeline = InputPipeline(spec, digits, device=CPU)
        for step in range(steps):
            state.begin_step(images_seen=step * spec.batch_size, budget_fraction=0.0, guard_factor=1.0)
            method.step(state, pipeline.step(step * spec.batch_size, salt=0))
            yield state

    return run


def test_lazy_penalty_weighs_as_much_over_time_as_an_eager_one(
    tiny: Callable[..., TrainingSpec], train: Callable[..., Any]
) -> None:
    """One step in `every_steps` is penalised, with `every_steps` times the weight."""

    def gradients(penalties: list[dict[str, Any]]) -> torch.Tensor:
        """Return the discriminator's first-layer gradients of four steps from the same weights, up to 1e-12."""
        still = {"lr": 1e-12}
        spec = tiny(
            precision="fp32",
            loss={"kind": "non_saturating"},
            penalties=penalties,
            generator_optimizer=still,
            discriminator_optimizer=still,
            budget={"images": 128, "seconds": None},
        )
        return torch.stack([state.parameters["discriminator"][0].grad.clone() for state in train(spec, 4)])

    none = gradients([])
    eager = gradients([{"kind": "r1", "weight": 5.0, "every_steps": 1}]) - none
    lazy = gradients([{"kind": "r1", "weight": 5.0, "every_steps": 4}]) - none
    assert eager.abs().max() > 1e-3
    torch.testing.assert_close(lazy[0], 4 * eager[0], rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(lazy[1:], torch.zeros_like(lazy[1:]), rtol=0, atol=1e-6)


def test_lazy_penalty_is_reported_in_the_ticks_that_it_was_due_in(
    tiny: Callable[..., TrainingSpec], events: Callable[..., list[training.Event]]
) -> None:
    spec = tiny(budget={"images": 320, "seconds": None}, penalties=[{"kind": "r2", "every_steps": 8}])
    ticks = [event for event in events(spec) if isinstance(event, training.Tick)]
    with_penalty = [tick.images_seen for tick in ticks if "r2" in tick.values]
    assert with_penalty == [32, 320]  # the first step and the ninth


@pytest.mark.parametrize("loss", ["non_saturating", "hinge", "relativistic_paired"])
def test_a_batch_in_parts_teaches_what_the_whole_teaches(
    tiny: Callable[..., TrainingSpec], train: Callable[..., Any], loss: str
) -> None:
    def gradients(parts: int) -> list[torch.Tensor]:
        how = {
            "loss": {"kind": loss},
            "accumulation_steps": parts,
            "generator_optimizer": SMOOTH,
            "discriminator_optimizer": SMOOTH,
        }
        spec = tiny(precision="fp32", architecture=PLAIN, penalties=[], **how)
        (state,) = train(spec, 1)
        return [parameter.grad for parameter in state.all_parameters()]

    for whole, parts in zip(gradients(1), gradients(4), strict=True):
        torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-6)


def test_looking_ahead_clips_both_of_its_steps(tiny: Callable[..., TrainingSpec], train: Callable[..., Any]) -> None:
    """Adam's direction does not change with a gradient's length but for epsilon, which here is as long as gradients."""

    def moved(max_norm: float | None) -> torch.Tensor:
        side = EXTRA_ADAM | {"max_gradient_norm": max_norm, "eps": 1.0}
        spec = tiny(precision="fp32", generator_optimizer=side, discriminator_optimizer=side, penalties=[])
        before, _ = methods.prepare(spec, device=CPU)
        (after,) = train(spec, 1)
        return weights(after) - weights(before)

    assert moved(1e-4).norm() < 0.01 * moved(None).norm()


def test_the_last_step_of_a_falling_schedule_still_moves(
    tiny: Callable[..., TrainingSpec], events: Callable[..., list[training.Event]]
) -> None:
    falling = {"lr": 1e-3, "schedule": {"kind": "linear", "start": 0.0, "final": 0.0}}
    spec = tiny(budget={"images": 128, "seconds": None}, generator_optimizer=falling)
    rates = [event.values["lr_g"] for event in events(spec) if isinstance(event, training.Tick)]
    assert rates == pytest.approx([1e-3, 0.75e-3, 0.25e-3])  # after the first, the second and the fourth step


@pytest.mark.parametrize("parts", [1, 4])
def test_an_adaptive_augmentation_learns_once_a_step_from_the_whole_batch(
    tiny: Callable[..., TrainingSpec], train: Callable[..., Any], parts: int
) -> None:
    spec = tiny(augment={"kind": "adaptive"}, accumulation_steps=parts)
    (state,) = train(spec, 1)
    assert state.statistics[adaptive.STEPS].item() == 1
    assert state.statistics[adaptive.IMAGES].item() == spec.batch_size


@pytest.mark.parametrize(("loss", "zero"), [("non_saturating", 0.0), ("relativistic_paired", 6.0)])
def test_logits_of_a_loss_that_compares_count_from_the_fakes(
    tiny: Callable[..., TrainingSpec], loss: str, zero: float
) -> None:
    """Such a loss leaves it open which logit means undecided: without a zero, p would follow a chance drift."""
    spec = tiny(augment={"kind": "adaptive"}, loss={"kind": loss})
    state, _ = methods.prepare(spec, device=CPU)
    real, fake = torch.tensor([zero + 1, zero + 2, zero - 1]), torch.tensor(6.0)
    part = objective.DiscriminatorLoss(torch.zeros(()), real, {"logit_fake": fake})
    objective.update_augmentation(state, objective.Objective.of(spec, device=CPU), [part])
    assert state.statistics[adaptive.SIGNS].item() == 1


class TwoPairs(Method):
    """Two independent pairs: as many networks as an unpaired translation has."""

    kept_passes = {"generator": 1, "discriminator": 2, "generator_b": 1, "discriminator_b": 2}  # noqa: RUF012

    def __init__(self, spec: TrainingSpec, *, device: torch.device) -> None:
        del spec, device

    @staticmethod
    def players(spec: TrainingSpec) -> dict[str, Player]:
        return {
            "generator": Player(spec.generator_optimizer, side="g", averaged=True),
            "discriminator": Player(spec.discriminator_optimizer, side="d"),
            "generator_b": Player(spec.generator_optimizer, side="g", averaged=True),
            "discriminator_b": Player(spec.discriminator_optimizer, side="d"),
        }

    @staticmethod
    def flops_per_image(spec: TrainingSpec, passes: Mapping[str, float]) -> float:
        return sum(passes.values())

    def step(self, state: TrainingState, inputs: Sequence[StepInputs]) -> Shown:
        (only,) = inputs
        for suffix in ("", "_b"):
            generator, discriminator = f"generator{suffix}", f"discriminator{suffix}"
            fake_NCHW = state.networks[generator](only.latents)
            real, fake = (state.networks[discriminator](images) for images in (only.real_NCHW, fake_NCHW))
            for role, loss in ((discriminator, fake.mean() - real.mean()), (generator, -fake.mean())):
                state.step(role, list(torch.autograd.grad(loss, state.parameters[role], retain_graph=True)))
        return Shown(only.real_NCHW, fake_NCHW.detach())


def test_a_method_may_have_two_generators_and_two_discriminators(
    tiny: Callable[..., TrainingSpec], events: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = architectures.REGISTRY["mlp"].networks
    both = {**pair, **{f"{role}_b": make for role, make in pair.items()}}
    monkeypatch.setitem(architectures.REGISTRY, "mlp", architectures.Architecture(both))
    monkeypatch.setitem(methods.REGISTRY, "alternating", TwoPairs)
    spec = tiny(budget={"images": 256, "seconds": None}, checkpoint={"every_images": 64})
    whole = [event.snapshot for event in events(spec) if isinstance(event, training.CheckpointDue)]
    assert set(whole[-1].networks) == set(whole[-1].optimizers) == set(both)
    assert set(whole[-1].averages) == {"generator", "generator_b"}
    checkpoint.write(tmp_path, whole[0])
    resumed = events(spec, resume=checkpoint.read(tmp_path))
    (*_, last) = [event.snapshot for event in resumed if isinstance(event, training.CheckpointDue)]
    assert content(last) == content(whole[-1])
    assert content(last) != content(whole[0])
    assert estimates.estimate(spec).flops_per_image > 0
