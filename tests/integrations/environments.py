"""Where the environments of the clients are, and the type of the fixture `environment`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
ENVIRONMENTS = CHECKOUT / "build" / "integrations"
Environment = Callable[..., Path]
"""Installs packages into the environment of a name and returns its folder of programs."""
