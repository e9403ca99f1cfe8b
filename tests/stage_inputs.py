"""Inputs of the stages for tests, and the message of a rejected input."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tritonocr_backend.core.errors import InvalidInputError

Inputs = dict[str, NDArray[Any]]
BOX = [[10, 10], [70, 10], [70, 30], [10, 30]]
NO_AREA = [[10, 10], [70, 10], [70, 10], [10, 10]]
CHARACTERS = ["", "a", "b", " "]


def postprocess_inputs(**changes: Any) -> Inputs:
    probability = np.zeros((64, 96), np.float32)
    probability[20:30, 20:60] = 0.9
    inputs = {
        "probability": probability,
        "page_size": np.array([640, 960], np.int32),
        "thresh": np.array([0.3], np.float32),
        "box_thresh": np.array([0.6], np.float32),
        "unclip_ratio": np.array([2.0], np.float32),
        "max_candidates": np.array([1000], np.int32),
        "exact": np.array([False]),
    }
    return {**inputs, **changes}


def crop_inputs(**changes: Any) -> Inputs:
    inputs: Inputs = {
        "image": np.random.default_rng(0).integers(0, 256, (100, 200, 3), dtype=np.uint8),
        "polys": np.array([BOX], np.int32),
        "reduction": np.array([1], np.int32),
        "exact": np.array([False]),
        "orientation_images": np.array([True]),
    }
    return {**inputs, **changes}


def decode_inputs(**changes: Any) -> Inputs:
    inputs: Inputs = {
        "indices": np.array([[1, 0, 2], [0, 0, 0]], np.int32),
        "confidences": np.full((2, 3), 0.5, np.float32),
        "column_counts": np.array([3, 3], np.float32),
        "return_words": np.array([False]),
        "return_characters": np.array([False]),
        "exact": np.array([False]),
    }
    return {**inputs, **changes}


def refused(stage: Any, *arguments: Any) -> str:
    with pytest.raises(InvalidInputError) as error:
        stage(*arguments)
    return str(error.value)
