"""pip's settings, as `pip config list` prints them, and the flags and variables that tell uv the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass

FLAGS = {
    "index-url": "--default-index",
    "extra-index-url": "--index",
    "find-links": "--find-links",
    "trusted-host": "--allow-insecure-host",
    "constraint": "--constraint",
}
"""uv's flag for a setting that may hold several values."""
ENVIRONMENT = {
    "cert": ("SSL_CERT_FILE",),
    "proxy": ("HTTP_PROXY", "HTTPS_PROXY"),
    "timeout": ("UV_HTTP_TIMEOUT",),
    "default-timeout": ("UV_HTTP_TIMEOUT",),
}
"""The environment variables that pass a setting on to uv."""
NO_MATTER = {
    "break-system-packages",
    "cache-dir",
    "disable-pip-version-check",
    "no-cache-dir",
    "no-color",
    "no-input",
    "no-warn-script-location",
    "progress-bar",
    "quiet",
    "require-virtualenv",
    "retries",
    "root-user-action",
    "verbose",
}
"""Settings that change nothing about which packages are installed."""


class Untold(Exception):
    """pip has a setting that cannot be passed on to uv."""


@dataclass(frozen=True)
class Told:
    """The flags and variables that make uv look where pip would."""

    flags: list[str]
    environment: dict[str, str]


def read(listing: str) -> dict[str, str]:
    """Return the settings that `pip install` uses. Where several places have one, the environment wins."""
    sections: dict[str, dict[str, str]] = {}
    for line in listing.splitlines():
        match = re.fullmatch(r"(:env:|[\w-]+)\.([\w-]+)=(['\"].*)", line)
        if match:
            section, name, value = match.groups()
            sections.setdefault(section, {})[name] = ast.literal_eval(value)
    return sections.get("global", {}) | sections.get("install", {}) | sections.get(":env:", {})


def tell(settings: Mapping[str, str]) -> Told:
    """Return uv's flags and variables for the settings. Raises Untold."""
    # Like pip, uv must take the best version of all indexes, not the first index that has any.
    flags = ["--index-strategy", "unsafe-best-match"]
    environment: dict[str, str] = {}
    without_index = settings.get("no-index", "false").lower() in {"1", "true", "yes", "on"}
    if without_index:
        flags.append("--no-index")
    for name, value in settings.items():
        if name in FLAGS and not (without_index and name.endswith("index-url")):
            flags += [word for part in value.split() for word in (FLAGS[name], part)]
        elif name in ENVIRONMENT:
            environment |= dict.fromkeys(ENVIRONMENT[name], value)
        elif name not in {*FLAGS, *NO_MATTER, "no-index"}:
            raise Untold(f"pip is configured with {name}, which uv cannot be told of")
    return Told(flags, environment)
