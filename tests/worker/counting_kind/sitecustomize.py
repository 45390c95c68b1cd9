"""Adds the kind `counting` to each Python process that has this folder on its path. The product knows nothing of it."""

from worker import kinds

kinds.REGISTRY["counting"] = "tests.worker.counting"
