"""Our losses and penalties against theory, in the smallest adversarial problem: the Dirac-GAN.

Mescheder et al. 2018, sections 2 to 4: one real point at 0, one fake at theta, D(x) = psi x. Both networks descend our
losses near the equilibrium (0, 0). There the discriminator's loss slopes by s along the fake's logit and the
generator's by -s, where s = f'(0), e.g. 1/2 for the logistic losses, since sigma(0) = 1/2. With R1's weight gamma (0
without it), the gradient flow is

    d theta / dt = s psi        d psi / dt = -s theta - gamma psi.

The Jacobian [[0, s], [-s, -gamma]] has the eigenvalues -gamma/2 +- sqrt(gamma^2/4 - s^2): imaginary without R1, so
nothing contracts, and of negative real part with it. A step of size h multiplies by I + h J if both networks step at
once. If the discriminator steps first, it multiplies by a matrix of determinant 1 - h gamma.
"""

import cmath
import math
from typing import Literal

import pytest
import torch
from torch import Tensor

from models import losses, penalties
from models.specs import GradientPenalty, Penalty, R1Penalty, R2Penalty

SLOPES = {
    "minimax": 0.5,
    "non_saturating": 0.5,
    "wasserstein": 1.0,
    "hinge": 1.0,
    "relativistic_paired": 0.5,
    "relativistic_average": 1.0,
}
"""s. Two logarithms of a half each make 1. Least squares is not here: its targets differ from D(0) = 0."""
START = torch.tensor([0.1, 0.1], dtype=torch.float64)
"""theta, psi."""

Order = Literal["simultaneous", "alternating"]


def point(x: Tensor) -> Tensor:
    """Return x as a batch of one image."""
    return x.view(1, 1, 1, 1)


def discriminator_loss(kind: str, theta: Tensor, psi: Tensor, penalty: Penalty | None, rng: torch.Generator) -> Tensor:
    def judge(images_NCHW: Tensor) -> Tensor:
        return psi * images_NCHW.flatten()

    real_NCHW = point(torch.zeros((), dtype=psi.dtype)).requires_grad_()
    fake_NCHW = point(theta.detach()).requires_grad_()
    real, fake = judge(real_NCHW), judge(fake_NCHW)
    loss = losses.REGISTRY[kind].discriminator(real, fake)
    if penalty is None:
        return loss
    term = penalties.REGISTRY[penalty.kind].term
    assert term is not None
    return loss + term(penalty, penalties.PenaltyContext(real_NCHW, fake_NCHW, real, fake, judge, rng, {}))


def generator_loss(kind: str, theta: Tensor, psi: Tensor) -> Tensor:
    return losses.REGISTRY[kind].generator(torch.zeros(1, dtype=psi.dtype), psi.detach() * theta.view(1))


def play(
    kind: str, steps: int, *, size: float, order: Order, penalty: Penalty | None = None, start: Tensor = START
) -> Tensor:
    """Return steps + 1 places (theta, psi) of gradient descent from the start."""
    rng = torch.Generator().manual_seed(0)
    theta, psi = (value.clone().requires_grad_() for value in start)
    places = [start]
    for _ in range(steps):
        (against,) = torch.autograd.grad(discriminator_loss(kind, theta, psi, penalty, rng), psi)
        moved = (psi.detach() - size * against).requires_grad_()
        seen = moved if order == "alternating" else psi
        (towards,) = torch.autograd.grad(generator_loss(kind, theta, seen), theta)
        theta, psi = (theta.detach() - size * towards).requires_grad_(), moved
        places.append(torch.stack([theta, psi]).detach())
    return torch.stack(places)


def jacobian(kind: str, penalty: Penalty | None) -> Tensor:
    """Return the Jacobian of the velocity at the equilibrium, by central differences of one simultaneous step."""
    width = 1e-5
    columns = []
    for direction in torch.eye(2, dtype=torch.float64):
        ahead, behind = (
            play(kind, 1, size=1.0, order="simultaneous", penalty=penalty, start=sign * width * direction)
            for sign in (1, -1)
        )
        columns.append(((ahead[1] - ahead[0]) - (behind[1] - behind[0])) / (2 * width))
    return torch.stack(columns, 1)


def eigenvalues(slope: float, gamma: float) -> list[complex]:
    """Return -gamma/2 +- sqrt(gamma^2/4 - s^2)."""
    root = cmath.sqrt(gamma**2 / 4 - slope**2)
    return [-gamma / 2 - root, -gamma / 2 + root]


def step_rate(slope: float, gamma: float, *, size: float, order: Order) -> float:
    """Return the larger absolute eigenvalue of a step's matrix, from its trace and determinant."""
    trace, determinant = 2 - size * gamma, 1 - size * gamma
    if order == "simultaneous":
        determinant += (size * slope) ** 2
    else:
        trace -= (size * slope) ** 2
    root = cmath.sqrt(trace**2 / 4 - determinant)
    return max(abs(trace / 2 - root), abs(trace / 2 + root))


def rate(places: Tensor) -> float:
    """Return the mean factor by which a step changes the distance from the equilibrium, without the first fifth.

    A spiral shrinks irregularly, as |psi| swings, so it is measured from one passage of psi = 0 to another.
    """
    places = places[len(places) // 5 :]
    passages = (places[:, 1].sign().diff() != 0).nonzero().flatten().tolist()
    first, last = (passages[0], passages[-1]) if len(passages) > 1 else (0, len(places) - 1)
    return math.exp(math.log(places[last].norm() / places[first].norm()) / (last - first))


@pytest.mark.parametrize(("kind", "slope"), SLOPES.items())
@pytest.mark.parametrize("gamma", [None, 0.3, 0.8, 3.0])
def test_jacobian_at_the_equilibrium_is_the_papers(kind: str, slope: float, gamma: float | None) -> None:
    found = jacobian(kind, None if gamma is None else R1Penalty(weight=gamma))
    expected = torch.tensor([[0, slope], [-slope, -(gamma or 0.0)]], dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)
    ours, papers = (
        sorted(values, key=lambda value: (round(value.imag, 3), value.real))
        for values in (torch.linalg.eigvals(found).tolist(), eigenvalues(slope, gamma or 0.0))
    )
    assert ours == pytest.approx(papers, abs=1e-5)


# Without a penalty


@pytest.mark.parametrize("kind", SLOPES)
def test_unregularised_players_who_move_at_once_drift_apart(kind: str) -> None:
    """Every step multiplies the distance by |1 +- i h s| = sqrt(1 + h^2 s^2) > 1, however small h is."""
    places = play(kind, 400, size=0.1, order="simultaneous", start=START / 100)
    distances = places.norm(dim=1)
    assert (distances[1:] > distances[:-1]).all()
    grown = (1 + (0.1 * SLOPES[kind]) ** 2) ** 200
    assert (distances[-1] / distances[0]).item() == pytest.approx(grown, rel=0.01)


@pytest.mark.parametrize("kind", SLOPES)
def test_unregularised_players_who_take_turns_circle_the_equilibrium(kind: str) -> None:
    """The step's matrix has determinant 1 and keeps theta^2 + psi^2 - h s theta psi."""
    size, slope = 0.1, SLOPES[kind]
    places = play(kind, 400, size=size, order="alternating", start=START / 100)
    theta, psi = places.T
    kept = theta.square() + psi.square() - size * slope * theta * psi
    torch.testing.assert_close(kept / kept[0], torch.ones_like(kept), rtol=0, atol=1e-3)
    assert theta.min() < -0.9 * theta.max() < 0, "it goes round"


def test_unregularised_wasserstein_players_keep_the_ellipse_wherever_they_start() -> None:
    """Both losses are linear in each network: the law is exact."""
    start = torch.tensor([3.0, -1.0], dtype=torch.float64)
    theta, psi = play("wasserstein", 500, size=0.2, order="alternating", start=start).T
    kept = theta.square() + psi.square() - 0.2 * theta * psi
    torch.testing.assert_close(kept, torch.full_like(kept, 10.6), rtol=1e-12, atol=0)


# With a penalty


@pytest.mark.parametrize("order", ["simultaneous", "alternating"])
@pytest.mark.parametrize("kind", ["non_saturating", "relativistic_paired", "wasserstein"])
@pytest.mark.parametrize("gamma", [0.3, 0.8, 3.0])
def test_r1_makes_the_players_converge_as_fast_as_the_eigenvalues_say(kind: str, order: Order, gamma: float) -> None:
    """With gamma 0.3 and 0.8 the path spirals (gamma < 2 s); with 3.0 it creeps (real eigenvalues)."""
    size, slope = 0.05, SLOPES[kind]
    places = play(kind, 800, size=size, order=order, penalty=R1Penalty(weight=gamma))
    found = math.log(rate(places))
    assert places[-1].norm() < 0.1 * places[0].norm()
    assert found == pytest.approx(math.log(step_rate(slope, gamma, size=size, order=order)), rel=0.02)
    if slope == 0.5:  # Small enough for a step of this size to be near to the flow that it follows.
        assert found == pytest.approx(size * max(value.real for value in eigenvalues(slope, gamma)), rel=0.05)


def test_r2_of_a_linear_discriminator_is_r1() -> None:
    """psi is the slope at the fake too."""
    one, two = (
        play("non_saturating", 50, size=0.1, order="alternating", penalty=penalty)
        for penalty in (R1Penalty(weight=0.7), R2Penalty(weight=0.7))
    )
    assert torch.equal(one, two)


WGAN_GP_STARTS = [(0.1, 0.1), (0.0, 0.01), (1.0, -2.0)]


def play_wgan_gp(weight: float, start: tuple[float, float]) -> Tensor:
    penalty, place = GradientPenalty(weight=weight), torch.tensor(start, dtype=torch.float64)
    return play("wasserstein", 1500, size=0.05, order="alternating", penalty=penalty, start=place)


@pytest.mark.parametrize("weight", [0.1, 0.5])
@pytest.mark.parametrize("start", WGAN_GP_STARTS)
def test_wgan_gp_with_turns_stays_in_a_band_round_the_equilibrium(weight: float, start: tuple[float, float]) -> None:
    """The penalty draws |psi| to 1 and so away from the equilibrium's 0 (Mescheder et al. 2018, section 3)."""
    places = play_wgan_gp(weight, start)
    earlier, later = (places[part].norm(dim=1) for part in (slice(500, 1000), slice(1000, 1501)))
    assert later.min() > 1.0
    assert later.max() < 2.0
    assert later.min() > 0.99 * earlier.min(), "the band does not shrink"
    assert (places[500:, 0].sign().diff() != 0).sum() >= 8, "it goes round and round"


@pytest.mark.parametrize("weight", [1.0, 1.25])
@pytest.mark.parametrize("start", WGAN_GP_STARTS)
def test_wgan_gp_of_a_large_weight_gets_stuck_where_the_penalty_outweighs_the_game(
    weight: float, start: tuple[float, float]
) -> None:
    """On psi > 0 the field is (psi, -theta - 2 lambda (psi - 1)). It rests at theta = 2 lambda, psi = 0.

    Its eigenvalues there are -lambda +- sqrt(lambda^2 - 1): real from lambda = 1 on, so psi creeps to 0 and never
    passes it.
    """
    theta, psi = play_wgan_gp(weight, start)[-1]
    assert theta.abs().item() == pytest.approx(2 * weight, rel=1e-3)
    assert psi.abs().item() < 1e-3


def test_wgan_gp_on_the_dirac_gan_is_lambda_times_the_squared_distance_of_psi_from_one() -> None:
    """D(x) = psi x has slope psi everywhere; the penalty adds 2 lambda (|psi| - 1) sign(psi) to psi's gradient."""
    rng = torch.Generator().manual_seed(0)
    theta = torch.tensor(0.7, dtype=torch.float64)
    for value in (-2.5, -0.5, 0.25, 1.0, 3.0):
        psi = torch.tensor(value, dtype=torch.float64, requires_grad=True)
        losses_of_psi = [
            discriminator_loss("wasserstein", theta, psi, penalty, rng) for penalty in (None, GradientPenalty())
        ]
        penalty = losses_of_psi[1] - losses_of_psi[0]
        (gradient,) = torch.autograd.grad(penalty, psi)
        assert penalty.item() == pytest.approx(10 * (abs(value) - 1) ** 2)
        assert gradient.item() == pytest.approx(20 * (abs(value) - 1) * math.copysign(1, value))


def test_wgan_gp_of_a_quadratic_discriminator_is_what_its_matrix_says() -> None:
    """D(x) = x'Ax/2 + b'x slopes by Ax + b; with reals and fakes in one place x^ is there: (|Ax + b| - 1)^2.

    A = [[2, 0], [0, 1]], b = (0, 1): at (1.5, 3) the slope is (3, 4), of length 5; at (0, -1) it is 0; at (0.3, -0.2)
    it is (0.6, 0.8), of length 1. lambda (16 + 1 + 0) / 3.
    """
    bends = torch.tensor([2.0, 1.0], dtype=torch.float64, requires_grad=True)
    tilt = torch.tensor([0.0, 1.0], dtype=torch.float64, requires_grad=True)

    def judge(images_NCHW: Tensor) -> Tensor:
        points = images_NCHW.flatten(1)
        return (bends * points.square() / 2 + tilt * points).sum(1)

    places = torch.tensor([[1.5, 3.0], [0.0, -1.0], [0.3, -0.2]], dtype=torch.float64).view(3, 1, 1, 2)
    rng = torch.Generator().manual_seed(0)
    said = penalties.PenaltyContext(places, places.clone(), judge(places), judge(places), judge, rng, {})
    term = penalties.REGISTRY["gradient_penalty"].term
    assert term is not None
    penalty = term(GradientPenalty(weight=6.0), said)
    assert penalty.item() == pytest.approx(6 * 17 / 3)
    # d/db = 2 lambda E (|g| - 1) g / |g|, and d/dA the same times x: only the first point counts, g / |g| = (3, 4) / 5.
    of_bends, of_tilt = torch.autograd.grad(penalty, (bends, tilt))
    torch.testing.assert_close(of_tilt, torch.tensor([9.6, 12.8], dtype=torch.float64))
    torch.testing.assert_close(of_bends, torch.tensor([9.6 * 1.5, 12.8 * 3], dtype=torch.float64))
