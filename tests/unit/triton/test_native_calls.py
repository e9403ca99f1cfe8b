"""Test what is changed in calls to networks in Triton's own backend."""

from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonocr_backend.core.contracts import MAX_MAP_PIXELS, NATIVE_OUTPUTS, Role
from tritonocr_backend.core.network_metadata import NetworkMetadata, Normalisation
from tritonocr_backend.triton.native import Call, adapted

PLAIN = Normalisation(1.0, (0, 0, 0), (1, 1, 1), "BGR")


def network(role: Role, backend: Literal["python", "onnxruntime"] = "onnxruntime") -> NetworkMetadata:
    return NetworkMetadata("net", role, PLAIN, backend=backend)


def detection(height: int, width: int) -> Call:
    return Call("net", {"image": np.full((1, height, width, 3), 9, np.uint8)}, ("probability",))


@given(steps=st.tuples(st.integers(1, 60), st.integers(1, 60)))
def test_pages_have_few_sizes(steps: tuple[int, int]) -> None:
    height, width = (32 * count for count in steps)
    call = adapted(detection(height, width), network(Role.TEXT_DETECTION))
    padded = call.inputs["image"]
    for got, side in zip(padded.shape[1:3], (height, width), strict=True):
        assert got % 128 == 64
        assert side <= got < side + 128
    assert (padded[:, :height, :width] == 9).all()
    probability = np.arange(padded[..., 0].size, dtype=np.uint32).reshape(padded.shape[:3]) % 256
    answer = call.finish({"probability_uint8": probability.astype(np.uint8)})["probability"]
    assert (answer.shape, answer.dtype) == ((1, height, width), np.float32)
    assert np.abs(answer * 255 - probability[:, :height, :width]).max() < 1e-4


def test_a_page_of_the_longest_side_by_default_is_not_padded() -> None:
    assert adapted(detection(960, 704), network(Role.TEXT_DETECTION)).inputs["image"].shape == (
        1,
        960,
        704,
        3,
    )


def test_a_map_is_never_larger_than_its_limit() -> None:
    side = int(MAX_MAP_PIXELS**0.5)
    image = np.broadcast_to(np.uint8(0), (1, side, side, 3))
    call = adapted(Call("net", {"image": image}, ("probability",)), network(Role.TEXT_DETECTION))
    assert call.inputs["image"].shape == image.shape


def test_the_padding_repeats_the_edge() -> None:
    image = np.arange(32 * 32 * 3, dtype=np.uint32).astype(np.uint8).reshape(1, 32, 32, 3)
    call = Call("net", {"image": image}, ("probability",))
    padded = adapted(call, network(Role.TEXT_DETECTION)).inputs["image"]
    assert (padded == np.pad(image, ((0, 0), (0, 32), (0, 32), (0, 0)), mode="edge")).all()


@pytest.mark.parametrize("role", Role)
def test_a_network_of_our_engines_is_called_as_before(role: Role) -> None:
    call = detection(32, 32)
    assert adapted(call, network(role, backend="python")) is call
    assert adapted(call, None) is call


def test_rounding_to_uint8_is_in_the_contract() -> None:
    assert NATIVE_OUTPUTS[Role.TEXT_DETECTION] == ("probability", "probability_uint8")
