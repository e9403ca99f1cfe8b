"""Names of the array types that stages exchange."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.uint8]
"""uint8 [H, W, 3], BGR."""

Floats: TypeAlias = NDArray[np.float32]
Ints: TypeAlias = NDArray[np.int32]

Quads: TypeAlias = NDArray[np.int32]
"""int32 [n, 4, 2]: corners in the order top left, top right, bottom right, bottom left; (x, y) in pixels."""

Tensors: TypeAlias = Mapping[str, NDArray[Any]]
"""The input or output tensors of a stage, by name."""
