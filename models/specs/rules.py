"""Rules between the fields of a spec. Each rule returns None, or a message with the problem and its remedy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from models.specs import architectures, figures, methods

if TYPE_CHECKING:
    from models.specs.training import TrainingSpec

Rule = Callable[["TrainingSpec"], str | None]


def _body(spec: TrainingSpec) -> architectures.Architecture:
    """Return the architecture; for a vae, its backbone."""
    architecture = spec.architecture
    return architecture.backbone if isinstance(architecture, architectures.VaeArchitecture) else architecture


def batch_fits_the_dataset(spec: TrainingSpec) -> str | None:
    images = spec.dataset.facts.images
    if spec.batch_size <= images:
        return None
    return (
        f"batch_size {spec.batch_size} is larger than {spec.dataset.name}: use at most {images}, "
        "the number of its images"
    )


def budget_holds_a_step(spec: TrainingSpec) -> str | None:
    if spec.budget.images is None or spec.budget.images >= spec.batch_size:
        return None
    return (
        f"budget.images {spec.budget.images} is less than one batch of {spec.batch_size}: "
        "raise the budget or lower batch_size"
    )


def accumulation_divides_the_batch(spec: TrainingSpec) -> str | None:
    if spec.batch_size % spec.accumulation_steps == 0 and spec.batch_size >= 2 * spec.accumulation_steps:
        return None
    return (
        f"accumulation_steps {spec.accumulation_steps} does not cut batch_size {spec.batch_size} into equal parts of "
        "two images or more: choose a divisor"
    )


def architecture_fits_the_resolution(spec: TrainingSpec) -> str | None:
    architecture = _body(spec)
    if architecture.fits(spec.dataset.facts.resolution):
        return None
    return (
        f"architecture {architecture.kind} needs a resolution that halves down to 3..7 pixels at least once, not "
        f"{spec.dataset.facts.resolution}: use architecture mlp for {spec.dataset.name}"
    )


def groups_divide_the_channels(spec: TrainingSpec) -> str | None:
    architecture = spec.architecture
    if not isinstance(architecture, architectures.R3ganArchitecture):
        return None
    inside = architecture.channels * architecture.expansion
    if inside % architecture.group_width == 0:
        return None
    return (
        f"architecture.group_width {architecture.group_width} does not divide the {inside} feature maps inside a "
        "block (channels times expansion): choose a divisor"
    )


def shared_layers_leave_one_for_all(spec: TrainingSpec) -> str | None:
    architecture = _body(spec)
    if not isinstance(architecture, architectures.MlpArchitecture) or not architecture.share_channels:
        return None
    for side in ("generator_widths", "discriminator_widths"):
        if len(getattr(architecture, side)) < 2:
            return (
                "architecture.share_channels needs two hidden layers or more, one for all channels and one for each, "
                f"and {side} has 1: add one, or set share_channels to false"
            )
    return None


def penalties_once(spec: TrainingSpec) -> str | None:
    kinds = [penalty.kind for penalty in spec.penalties]
    for kind in kinds:
        if kinds.count(kind) > 1:
            return f"penalty {kind} is listed {kinds.count(kind)} times: list each kind once"
    return None


def metrics_have_what_they_need(spec: TrainingSpec) -> str | None:
    facts = spec.dataset.facts
    unsuited = [name for name in spec.evaluation.metrics if not figures.REGISTRY[name].suits(facts)]
    if not unsuited:
        return None
    lacks = figures.REGISTRY[unsuited[0]].lacks
    return f"{spec.dataset.name} has {lacks} for {', '.join(unsuited)}: leave it out of evaluation.metrics"


def labels_need_classes(spec: TrainingSpec) -> str | None:
    if spec.labels and spec.dataset.facts.classes < 2:
        return f"{spec.dataset.name} has no classes: set labels to false"
    return None


def method_has_what_it_needs(spec: TrainingSpec) -> str | None:
    return methods.first_problem(spec)


def graphs_are_of_compiled_networks(spec: TrainingSpec) -> str | None:
    if spec.cuda_graphs and not spec.compile:
        return "cuda_graphs replays compiled networks: set compile to true, or cuda_graphs to false"
    return None


def changes_of_images_need_images(spec: TrainingSpec) -> str | None:
    if spec.dataset.facts.resolution > 1:
        return None
    if spec.augment.kind != "none":
        return f"{spec.dataset.name} holds points, not images, for augment {spec.augment.kind}: set it to none"
    for penalty in spec.penalties:
        if penalty.needs_pixels:
            name = spec.dataset.name
            return f"{name} holds points, not images, that penalty {penalty.kind} could shift: leave it out"
    return None


def first_problem(spec: TrainingSpec, *, before: TrainingSpec | None = None) -> str | None:
    """Return the message of the first broken rule; None if all hold.

    `before` is the spec before an amendment. A rule that gives the same message for it is ignored, so that a stored
    spec stays usable when a rule is tightened.
    """
    for rule in REGISTRY:
        problem = rule(spec)
        if problem is not None and (before is None or rule(before) != problem):
            return problem
    return None


REGISTRY: tuple[Rule, ...] = (
    batch_fits_the_dataset,
    budget_holds_a_step,
    accumulation_divides_the_batch,
    architecture_fits_the_resolution,
    groups_divide_the_channels,
    shared_layers_leave_one_for_all,
    penalties_once,
    metrics_have_what_they_need,
    labels_need_classes,
    method_has_what_it_needs,
    graphs_are_of_compiled_networks,
    changes_of_images_need_images,
)
