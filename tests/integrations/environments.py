"""The type of the fixture `environment`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Environment = Callable[..., Path]
"""Installs packages into the environment of a name and returns its folder of programs."""
