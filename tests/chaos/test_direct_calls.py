"""Calls to stages and networks by a client that passes the gateway and `ocr` by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from direct_calls import call, crop, decode, dots, equal_quads, noise, postprocess
from hostile import Service, check, reads_on

from tritonocr_backend.core.contracts import CROP, DECODE, POSTPROCESS, Role
from tritonocr_backend.core.settings import DEFAULT_NETWORKS

NAN = np.array([np.nan], np.float32)
RECOGNITION, DETECTION = (DEFAULT_NETWORKS[role] for role in (Role.TEXT_RECOGNITION, Role.TEXT_DETECTION))
CALLS: dict[str, tuple[str, Callable[[], dict[str, Any]], bool]] = {
    "a million dots": (POSTPROCESS, dots, True),
    "noise": (POSTPROCESS, noise, True),
    "NaN": (POSTPROCESS, lambda: postprocess(np.full((64, 64), np.nan)), False),
    "a page of 2^31 px": (
        POSTPROCESS,
        lambda: postprocess(np.ones((64, 64)), page_size=np.array([2**31 - 1, 1], np.int32)),
        False,
    ),
    "a negative page": (
        POSTPROCESS,
        lambda: postprocess(np.ones((64, 64)), page_size=np.array([-1, 9], np.int32)),
        False,
    ),
    "a ratio of NaN": (POSTPROCESS, lambda: postprocess(np.ones((64, 64)), unclip_ratio=NAN), False),
    "1500 equal quads": (CROP, lambda: equal_quads(1500), True),
    "a million equal quads": (CROP, lambda: equal_quads(1_000_000), True),
    "a negative quad": (CROP, lambda: crop([[[-1, 0], [9, 0], [9, 9], [0, 9]]]), False),
    "a huge quad": (CROP, lambda: crop([[[0, 0], [2**31 - 1, 0], [9, 9], [0, 9]]]), False),
    "a reduction of 0": (CROP, lambda: crop([], reduction=np.array([0], np.int32)), False),
    "8 million characters": (DECODE, lambda: decode((20_000, 400)), False),
    "a line of a million characters": (DECODE, lambda: decode((1, 1_000_000)), False),
    "a negative class": (DECODE, lambda: decode((1, 5), -1), False),
    "a class of 2^31": (DECODE, lambda: decode((1, 5), 2**31 - 1), False),
    "columns of NaN": (DECODE, lambda: decode((1, 5), column_counts=NAN), False),
    "a name of 30 kB": (DECODE, lambda: decode((1, 5), model_name=np.array(["x" * 30_000], object)), False),
    "a line of width 1": (RECOGNITION, lambda: {"image": np.zeros((1, 48, 1, 3), np.uint8)}, False),
    "a map of 17 megapixels": (DETECTION, lambda: {"image": np.zeros((1, 4096, 4096, 3), np.uint8)}, True),
    "a map of 1 pixel": (DETECTION, lambda: {"image": np.zeros((1, 1, 1, 3), np.uint8)}, False),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_direct_call(service: Service, name: str, happened: Callable[[str], None]) -> None:
    model, make, is_read = CALLS[name]
    tensors = make()
    with service.watched() as seen:
        status = call(service, model, tensors)
    assert status == ("OK" if is_read else "INVALID_ARGUMENT")
    check(seen, happened)


def test_abandoned_calls_to_stages(service: Service, happened: Callable[[str], None]) -> None:
    with service.watched() as seen:
        for tensors in (dots(), noise(), dots()):
            assert call(service, POSTPROCESS, tensors, timeout_s=0.5) == "DEADLINE_EXCEEDED"
        assert reads_on(service)
    check(seen, happened)
