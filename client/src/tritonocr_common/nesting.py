"""The size of nested data whose parts may be shared, such as YAML with aliases."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any


def expanded_size(value: Any) -> float:
    """Return the number of values if each shared part is written out; infinite if a part contains itself."""
    return _size(value, {})


def _size(value: Any, known: dict[int, float]) -> float:
    parts = (*value, *value.values()) if isinstance(value, Mapping) else value
    if isinstance(value, (str, bytes)) or not isinstance(parts, Collection):
        return 1
    if id(value) not in known:
        known[id(value)] = math.inf  # while its parts are counted
        known[id(value)] = 1 + sum(_size(part, known) for part in parts)
    return known[id(value)]
