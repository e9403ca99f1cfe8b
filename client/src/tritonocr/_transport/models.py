"""Which networks a server has loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# A network's role is told by what it answers: the server's contract, whatever the network's name.
_ROLE_OF_OUTPUT = {"probability": "text_detection", "indices": "text_recognition"}


def names_by_role(configs: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Sort the models that a request may choose between by what they do.

    Args:
        configs: Triton's model configurations as JSON; those of other models are fine.

    Returns:
        Sorted names under `text_detection` and `text_recognition`.
    """
    names: dict[str, list[str]] = {role: [] for role in _ROLE_OF_OUTPUT.values()}
    for config in configs:
        for output in config.get("output", ()):
            if role := _ROLE_OF_OUTPUT.get(output["name"]):
                names[role].append(config["name"])
    return {role: sorted(found) for role, found in names.items()}
