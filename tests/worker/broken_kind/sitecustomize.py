"""Adds a kind without a module to each Python process that has this folder on its path."""

from worker import kinds

kinds.REGISTRY["broken"] = "no_such_module"
