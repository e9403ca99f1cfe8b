"""Test the model `line_batching`: lines of all pages meet in few batches, and keep their answers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pb_utils_stand_in as pb_utils
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tritonocr_backend.core.contracts import MAX_WIDTH_PX, PADDING_BGR, WIDTH_STEP_PX, Role
from tritonocr_backend.core.network_metadata import NetworkMetadata, Normalisation
from tritonocr_backend.engines.fixed_shapes import (
    BATCH_SIZES,
    LINE_WIDTHS_PX,
    MAX_BATCH_WIDTH_PX,
    FixedBatches,
    largest_batch,
    widened,
)
from tritonocr_backend.triton.line_batching import LineBatching

PLAIN = Normalisation(1.0, (0, 0, 0), (1, 1, 1), "BGR")
POISON = 255


@pytest.fixture
def model(tmp_path: Path) -> LineBatching:
    for name, role in (
        ("rec", Role.TEXT_RECOGNITION),
        ("cls", Role.TEXTLINE_ORIENTATION),
        ("det", Role.TEXT_DETECTION),
    ):
        version = tmp_path / name / "1"
        version.mkdir(parents=True)
        NetworkMetadata(name, role, PLAIN, backend="onnxruntime").write(version)
    (tmp_path / "line_batching").mkdir()
    model = LineBatching()
    model.initialize(
        {
            "model_name": "line_batching",
            "model_repository": str(tmp_path / "line_batching"),
            "model_version": "1",
            "model_instance_name": "line_batching_0_0",
            "model_instance_kind": "CPU",
            "model_config": json.dumps({"max_batch_size": 256, "input": []}),
        }
    )
    return model


@pytest.fixture
def shapes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Shapes of the batches that a network gets; its answer is the first pixel, in every column of 8 px."""
    seen: list[tuple[int, ...]] = []

    def answer(request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        (image,) = (tensor.as_numpy() for tensor in request.inputs())
        seen.append(image.shape)
        if (image[:, 0, 0, 0] == POISON).any():
            return pb_utils.InferenceResponse(error=pb_utils.TritonError("poison"))
        first = image[:, 0, 0, 0]
        if request.model_name == "cls":
            return pb_utils.InferenceResponse([pb_utils.Tensor("probabilities", np.stack([first] * 2, 1))])
        indices = np.repeat(first[:, np.newaxis].astype(np.int32), image.shape[2] // 8, axis=1)
        return pb_utils.InferenceResponse(
            [pb_utils.Tensor("indices", indices), pb_utils.Tensor("confidences", indices / np.float32(100))]
        )

    monkeypatch.setattr(pb_utils.InferenceRequest, "models", staticmethod(answer), raising=False)
    return seen


def request(image: NDArray[np.uint8], name: str = "rec") -> pb_utils.InferenceRequest:
    names = np.full((len(image), 1), name.encode(), dtype=object)
    tensors = [pb_utils.Tensor("image", image), pb_utils.Tensor("model_name", names)]
    return pb_utils.InferenceRequest(tensors, ["indices", "confidences", "probabilities"])


def line(grey: int, width: int, count: int = 1, height: int = 48) -> NDArray[np.uint8]:
    return np.full((count, height, width, 3), grey, np.uint8)


def outputs(answer: pb_utils.InferenceResponse) -> dict[str, NDArray[Any]]:
    assert not answer.has_error(), answer.error().message()
    return {tensor.name(): tensor.as_numpy() for tensor in answer.output_tensors()}


def test_lines_of_many_requests_meet_in_few_batches(
    model: LineBatching, shapes: list[tuple[int, ...]]
) -> None:
    widths = [32 * (1 + number % 8) for number in range(96)]
    answers = model.execute([request(line(number, width)) for number, width in enumerate(widths)])
    for number, (width, answer) in enumerate(zip(widths, answers, strict=True)):
        assert outputs(answer)["indices"].tolist() == [[number] * (width // 8)], (
            "the columns of its own width"
        )
    assert sorted(shapes) == [
        (16, 48, 96, 3),
        (16, 48, 128, 3),
        (32, 48, 64, 3),
        (32, 48, 192, 3),
        (32, 48, 256, 3),
    ]


def test_networks_are_not_mixed(model: LineBatching, shapes: list[tuple[int, ...]]) -> None:
    first, second = model.execute([request(line(1, 64)), request(line(2, 160, 3, height=80), "cls")])
    assert outputs(first).keys() == {"indices", "confidences"}
    assert outputs(second)["probabilities"].tolist() == [[2, 2]] * 3
    assert sorted(shapes) == [(8, 48, 64, 3), (8, 80, 160, 3)]


@pytest.mark.parametrize(
    ("image", "name", "sentence"),
    [
        (line(1, 64), "none", "model_name: got 'none', expected one network for lines"),
        (line(1, 64), "det", "model_name: got 'det', expected one network for lines"),
        (line(1, 64, height=32), "rec", "image: got 64x32 px, expected any width x48 px"),
        (line(1, 64, height=80), "cls", "image: got 64x80 px, expected 160x80 px"),
        (line(1, 4), "rec", "image: got a width of 4 px, expected 32 to 3200 px"),
    ],
)
@pytest.mark.usefixtures("shapes")
def test_a_bad_request_harms_no_other(
    model: LineBatching, image: NDArray[np.uint8], name: str, sentence: str
) -> None:
    bad, good = model.execute([request(image, name), request(line(7, 32))])
    assert (bad.error().code(), bad.error().message()) == (pb_utils.TritonError.INVALID_ARG, sentence)
    assert outputs(good)["indices"].tolist() == [[7] * 4]


@pytest.mark.usefixtures("shapes")
def test_of_a_batch_that_fails_only_the_culprit_fails(model: LineBatching) -> None:
    good, bad = model.execute([request(line(7, 64)), request(line(POISON, 64))])
    assert outputs(good)["indices"][0, 0] == 7
    assert bad.error().message() == "rec failed: poison"


@given(st.integers(1, MAX_WIDTH_PX // WIDTH_STEP_PX).map(lambda steps: steps * WIDTH_STEP_PX))
def test_a_line_is_padded_by_at_most_its_half_and_a_step(width: int) -> None:
    wide = widened(line(9, width))
    assert wide.shape[2] in LINE_WIDTHS_PX
    assert width <= wide.shape[2] <= max(1.5 * width + WIDTH_STEP_PX, LINE_WIDTHS_PX[0])
    assert (wide[:, :, :width] == 9).all()
    assert (wide[:, :, width:] == PADDING_BGR).all()


@given(count=st.integers(1, 300), width=st.sampled_from(LINE_WIDTHS_PX), tensorrt=st.booleans())
def test_batches_have_fixed_sizes_and_bounded_memory(count: int, width: int, tensorrt: bool) -> None:
    sizes: list[int] = []

    def call(image: NDArray[np.uint8]) -> list[NDArray[Any]]:
        sizes.append(len(image))
        return [image[:, 0, 0]]

    values = np.arange(count, dtype=np.uint16)
    image = np.broadcast_to(values[:, np.newaxis, np.newaxis], (count, 1, width))
    largest = largest_batch(Role.TEXT_RECOGNITION, tensorrt=tensorrt)
    # More than 256 distinct values.
    (answer,) = FixedBatches(call, 1, largest).infer(image)  # type: ignore[arg-type]
    assert answer.tolist() == values.tolist()
    assert set(sizes) <= set(BATCH_SIZES)
    assert max(sizes) * width <= MAX_BATCH_WIDTH_PX
    assert max(sizes) <= largest


def test_finalize_deletes_the_metrics(model: LineBatching) -> None:
    alive = len(pb_utils.Metric.alive)
    model.finalize()
    assert len(pb_utils.Metric.alive) <= alive - 2, "load time and memory"
