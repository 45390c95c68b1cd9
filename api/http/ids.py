"""Ids in paths and query strings."""

from typing import Annotated

from fastapi import Path

from store import ids


def pattern(prefix: str) -> str:
    """Return the regular expression of a kind's ids."""
    return f"^{prefix}_{ids.PATTERN}$"


EXAMPLE_JOB = "job_01kb1q2w3e4r5t6y7v8b9n0m1k"
CHECKPOINT_CHOICE = f"^(latest|best|ckpt_{ids.PATTERN})$"
"""One of a job's checkpoints."""

JobId = Annotated[str, Path(description="A job's id", pattern=pattern("job"), examples=[EXAMPLE_JOB])]
CheckpointId = Annotated[str, Path(description="A checkpoint's id", pattern=pattern("ckpt"))]
DatasetId = Annotated[str, Path(description="An imported dataset's id", pattern=pattern("ds"))]
EvaluationId = Annotated[str, Path(description="An evaluation's id", pattern=pattern("eval"))]
AnyDataset = Annotated[str, Path(description="An imported dataset's id, or a built-in name", max_length=100)]
KeyId = Annotated[str, Path(pattern=pattern("key"))]


def matches(text: str, prefix: str) -> bool:
    """Return whether a text is an id of a kind."""
    return ids.is_valid(text, prefix=prefix)
