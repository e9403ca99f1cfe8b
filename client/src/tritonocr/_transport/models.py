"""The networks that a server has loaded, and the languages that they read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tritonocr_common.languages import TITLES

# The name of a network's output tensor states its role; this is part of the server's contract.
_ROLE_OF_OUTPUT = {"probability": "text_detection", "indices": "text_recognition"}


def names_by_role(configs: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Group the networks that a request may choose by their role.

    Args:
        configs: Triton's model configurations as JSON; other models among them are ignored.

    Returns:
        Sorted names under `text_detection` and `text_recognition`.
    """
    names: dict[str, list[str]] = {role: [] for role in _ROLE_OF_OUTPUT.values()}
    for config in configs:
        for output in config.get("output", ()):
            if role := _ROLE_OF_OUTPUT.get(output["name"]):
                names[role].append(config["name"])
    return {role: sorted(found) for role, found in names.items()}


def languages_of(configs: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the codes of `lang` that the networks read, in the order of `tritonocr_common.languages`.

    Args:
        configs: Triton's model configurations as JSON: `{"parameters": {name: {"string_value": text}}}`.
    """
    codes: set[str] = set()
    for config in configs:
        codes.update(config.get("parameters", {}).get("languages", {}).get("string_value", "").split())
    return [code for code in TITLES if code in codes]
