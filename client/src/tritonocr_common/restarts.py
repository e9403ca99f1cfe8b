"""Pass the number of restarts to a process that a supervisor starts, for the metrics of the process."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Literal, get_args

from tritonocr_common import environment

RestartReason = Literal["died", "hung"]
"""Why a process was restarted: it ended, or it did not answer."""


def restart_variables(counts: Mapping[RestartReason, int]) -> dict[str, str]:
    """Return the environment variables for a process that was restarted this many times."""
    return {environment.RESTARTS: json.dumps(counts)}


def read_restarts() -> dict[RestartReason, int]:
    """Return how many times this process was restarted, by reason; every reason is present."""
    counts = json.loads(os.environ.get(environment.RESTARTS, "{}"))
    return {reason: int(counts.get(reason, 0)) for reason in get_args(RestartReason)}
