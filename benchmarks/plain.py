"""Plain loops: adversarial training the way most example code writes it, for comparison.

float32, a DataLoader over images in memory, an optimizer a network, `.item()` at every step.
"""

import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

Images = Iterator[Tensor]

LATENTS = 100
CPU = torch.device("cpu")


def images(images_NCHW: Tensor, *, batch_size: int, device: torch.device = CPU) -> Images:
    """Yield batches of float images on a device, epoch after epoch, each in another order."""
    loader = DataLoader(TensorDataset(images_NCHW), batch_size=batch_size, shuffle=True, drop_last=True)
    while True:
        for (real_NCHW,) in loader:
            yield real_NCHW.to(device)


def alternate(
    generator: nn.Module,
    discriminator: nn.Module,
    real: Images,
    *,
    latent_dim: int,
    lr: float,
    betas: tuple[float, float],
) -> Iterator[None]:
    """Train as Goodfellow et al. 2014 with the non-saturating loss. Yields after every step of both networks."""
    optimizer_g = torch.optim.Adam(generator.parameters(), lr=lr, betas=betas)
    optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=lr, betas=betas)
    judge = nn.BCEWithLogitsLoss()
    for real_NCHW in real:
        ones, zeros = real_NCHW.new_ones(len(real_NCHW)), real_NCHW.new_zeros(len(real_NCHW))
        fake_NCHW = generator(torch.randn(len(real_NCHW), latent_dim, device=real_NCHW.device))
        optimizer_d.zero_grad()
        loss_d = judge(discriminator(real_NCHW), ones) + judge(discriminator(fake_NCHW.detach()), zeros)
        loss_d.backward()
        optimizer_d.step()
        optimizer_g.zero_grad()
        loss_g = judge(discriminator(fake_NCHW), ones)
        loss_g.backward()
        optimizer_g.step()
        loss_d.item()
        loss_g.item()
        yield


def wgan_gp(
    generator: nn.Module, critic: nn.Module, real: Images, *, critic_steps: int = 5, weight: float = 10.0
) -> Iterator[None]:
    """Train as Gulrajani et al. 2017, algorithm 1, with the rates of widely copied scripts. Yields after every critic
    step.
    """
    optimizer_g = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    optimizer_c = torch.optim.Adam(critic.parameters(), lr=2e-4, betas=(0.5, 0.999))
    for number, real_NCHW in enumerate(real):
        optimizer_c.zero_grad()
        fake_NCHW = generator(torch.randn(len(real_NCHW), LATENTS))
        share = torch.rand(len(real_NCHW), 1, 1, 1)
        between_NCHW = (share * real_NCHW + (1 - share) * fake_NCHW.detach()).requires_grad_()
        (slopes,) = torch.autograd.grad(critic(between_NCHW).sum(), between_NCHW, create_graph=True)
        penalty = (slopes.flatten(1).norm(dim=1) - 1).square().mean()
        loss_c = critic(fake_NCHW.detach()).mean() - critic(real_NCHW).mean() + weight * penalty
        loss_c.backward()
        optimizer_c.step()
        loss_c.item()
        if number % critic_steps == 0:
            optimizer_g.zero_grad()
            loss_g = -critic(generator(torch.randn(len(real_NCHW), LATENTS))).mean()
            loss_g.backward()
            optimizer_g.step()
            loss_g.item()
        yield


def relativistic(
    generator: nn.Module,
    discriminator: nn.Module,
    real: Images,
    *,
    latent_dim: int,
    lr: float,
    betas: tuple[float, float],
    weight: float,
    every_steps: int,
) -> Iterator[None]:
    """Train as Huang et al. 2024, R3GAN, with R1 and R2 every `every_steps` steps.

    Yields after every step of both networks.
    """
    optimizer_g = torch.optim.Adam(generator.parameters(), lr=lr, betas=betas)
    optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=lr, betas=betas)
    softplus = nn.Softplus()
    for number, real_NCHW in enumerate(real):
        due = number % every_steps == 0
        fake_NCHW = generator(torch.randn(len(real_NCHW), latent_dim, device=real_NCHW.device))
        optimizer_d.zero_grad()
        shown = [batch_NCHW.detach().requires_grad_(due) for batch_NCHW in (real_NCHW, fake_NCHW)]
        logits = [discriminator(batch_NCHW) for batch_NCHW in shown]
        loss_d = softplus(logits[1] - logits[0]).mean()
        if due:
            slopes = torch.autograd.grad([logit.sum() for logit in logits], shown, create_graph=True)
            penalty = sum(slope.square().sum((1, 2, 3)).mean() for slope in slopes)
            loss_d = loss_d + every_steps * weight / 2 * penalty
        loss_d.backward()
        optimizer_d.step()
        optimizer_g.zero_grad()
        loss_g = softplus(discriminator(real_NCHW) - discriminator(fake_NCHW)).mean()
        loss_g.backward()
        optimizer_g.step()
        loss_d.item()
        loss_g.item()
        yield


def small_pair() -> tuple[nn.Module, nn.Module]:
    """Return the fully connected generator and critic of widely copied scripts, for grey 28x28 images."""
    widths = (128, 256, 512, 1024)
    stack: list[nn.Module] = [nn.Linear(LATENTS, widths[0]), nn.LeakyReLU(0.2)]
    for width_in, width_out in pairwise(widths):
        stack += [nn.Linear(width_in, width_out), nn.BatchNorm1d(width_out, 0.8), nn.LeakyReLU(0.2)]
    generator = nn.Sequential(*stack, nn.Linear(widths[-1], 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28)))
    critic = nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 512),
        nn.LeakyReLU(0.2),
        nn.Linear(512, 256),
        nn.LeakyReLU(0.2),
        nn.Linear(256, 1),
    )
    return generator, critic


def until(steps: Iterator[None], *, deadline: float, clock: Callable[[], float] = time.time) -> int:
    """Return how many steps are taken until the clock shows the deadline."""
    for number, _ in enumerate(steps, start=1):
        if clock() >= deadline:
            return number
    raise AssertionError("the steps never end")
