"""The device and the memory layout of networks."""

from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def place(network: Network, *, device: torch.device, compiled: bool = False) -> Network:
    """Move the network to a device; convert the weights of its convolutions to channels last, the fastest layout.

    A network to be `compiled` for a GPU keeps its layout. PyTorch's compiler chooses one by itself there, and it
    mistakes the layout of gradients of channels-last weights (pytorch/pytorch issue 171622).
    """
    network.to(device)
    if compiled and device.type != "cpu":
        return network
    for weight in network.parameters():
        # Only convolutions have weights of four dimensions, those under a parametrization (spectral norm) included.
        if weight.dim() == 4:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    return network
