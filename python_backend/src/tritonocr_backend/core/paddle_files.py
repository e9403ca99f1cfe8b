"""Names of the files in which Paddle stores a network."""

from __future__ import annotations

from typing import Final

PADDLE_PROGRAMS: Final = ("inference.json", "inference.pdmodel")
"""The program of a network: the new format (PIR) first, then the old one."""

PADDLE_WEIGHTS: Final = "inference.pdiparams"
