"""Where and how networks lie in memory."""

from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils.memory_format import convert_conv2d_weight_memory_format

Network = TypeVar("Network", bound=nn.Module)


def place(network: Network, *, device: torch.device) -> Network:
    """Moves the network to a device, the weights of its convolutions channels last, as their kernels like them best."""
    network.to(device)
    convert_conv2d_weight_memory_format(network, torch.channels_last)
    return network
