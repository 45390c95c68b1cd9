"""Artifacts: sets of files behind keys, such as a checkpoint's. A local folder is the only backend so far."""

from store.artifacts.interface import Artifacts, Listed
from store.artifacts.local import LocalArtifacts

__all__ = ["Artifacts", "Listed", "LocalArtifacts"]
