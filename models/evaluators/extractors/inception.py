"""Inception v3, whose features published FIDs are measured in (Heusel et al. 2017, arXiv:1706.08500).

The network is torch-fidelity's, which the optional extra `fidelity` brings, with TensorFlow's weights of 2015. They are
91 MiB and are downloaded when they are first needed, into PyTorch's cache (TORCH_HOME).
"""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError

import torch
from torch import Tensor

from models.evaluators.extractors.errors import ExtractorMissing

if TYPE_CHECKING:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

FEATURES = 2048
LAYER = "2048"
"""The name of the last layer before the classes."""
COLOURS = 3


def weights_file() -> Path:
    """Return the file of the weights; download it if it is not there. Raises ExtractorMissing."""
    try:
        # Imported here because it is optional, and loads torchvision.
        from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3  # noqa: PLC0415
    except ImportError as error:
        message = "the features of inception need the optional extra: pip install 'saddle-gan[fidelity]' on the workers"
        raise ExtractorMissing(message) from error
    path: Path = Path(torch.hub.get_dir()) / "checkpoints" / URL_INCEPTION_V3.rpartition("/")[2]
    try:
        # It checks the digest in the file's name, and that the file holds weights and no program.
        torch.hub.load_state_dict_from_url(URL_INCEPTION_V3, progress=False, check_hash=True, weights_only=True)
    except (OSError, URLError) as error:
        message = f"the weights of inception cannot be downloaded ({error}): put {URL_INCEPTION_V3} at {path}"
        raise ExtractorMissing(message) from error
    return path


@cache
def network(device: torch.device) -> "FeatureExtractorInceptionV3":
    """Return the network with its weights. Raises ExtractorMissing."""
    path = weights_file()
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3  # noqa: PLC0415

    return FeatureExtractorInceptionV3("inception", [LAYER], feature_extractor_weights_path=str(path)).to(device)


def features(stored_NCHW: Tensor) -> Tensor:
    """Return the N x 2,048 features, float32, of uint8 images of 1 or 3 channels. Raises ExtractorMissing.

    Images are resized to 299 pixels a side as TensorFlow did it, without antialiasing; grey is repeated.
    """
    colour = stored_NCHW.expand(-1, COLOURS, -1, -1)
    found: Tensor = network(stored_NCHW.device)(colour)[0]
    return found
