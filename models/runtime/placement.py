"""The device and the memory layout of networks."""

from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils.memory_format import convert_conv2d_weight_memory_format

Network = TypeVar("Network", bound=nn.Module)


def place(network: Network, *, device: torch.device) -> Network:
    """Move the network to a device; convert the weights of its convolutions to channels last, the fastest layout."""
    network.to(device)
    convert_conv2d_weight_memory_format(network, torch.channels_last)
    return network
