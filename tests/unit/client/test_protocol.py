"""Requests as tensors, and results from tensors."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kserve_fake import answer_with_lines, blank_answer, decoded, texts

from tritonocr import OPTIONS, InvalidInputError, ProtocolError
from tritonocr._options import DEFAULTS
from tritonocr._transport.output_tensors import OUTPUTS, PAGE_IMAGES, PER_CHARACTER, PER_WORD
from tritonocr._transport.protocol import encode_request, wanted_outputs

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "BOOL": st.booleans(),
    "INT32": st.integers(-(2**31) + 1, 2**31 - 1),
    "FP32": st.floats(width=32, allow_nan=False),
    "BYTES": st.text(),
}


@given(
    st.fixed_dictionaries({}, optional={name: VALUES[option.datatype] for name, option in OPTIONS.items()})
)
def test_every_option_arrives_as_it_was_given(options: dict[str, Any]) -> None:
    request = encode_request(b"file", options, request_id="r")
    tensors = {tensor.name: tensor for tensor in request.inputs}
    assert set(tensors) == {"file", *options}
    for name, value in options.items():
        tensor = tensors[name]
        arrived = tensor.array.item()
        assert tensor.array.shape == (1,)
        assert tensor.datatype == OPTIONS[name].datatype
        assert (arrived.decode() if isinstance(arrived, bytes) else arrived) == value


def test_bytes_go_as_file_and_pixels_as_image() -> None:
    pixels = np.zeros((3, 4, 3), np.uint8)
    assert [tensor.name for tensor in encode_request(pixels, {}, request_id="r").inputs] == ["image"]
    assert [tensor.name for tensor in encode_request(b"x", {}, request_id="r").inputs] == ["file"]


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 1)])
def test_grey_pixels_become_bgr(shape: tuple[int, ...]) -> None:
    grey = np.arange(6, dtype=np.uint8).reshape(shape)
    (tensor,) = encode_request(grey, {}, request_id="r").inputs
    assert tensor.array.shape == (2, 3, 3)
    assert (tensor.array == grey.reshape(2, 3, 1)).all()


def test_views_are_sent_as_they_look() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)[::-1, ::2]
    (tensor,) = encode_request(pixels, {}, request_id="r").inputs
    assert tensor.array.flags.c_contiguous
    assert (tensor.array == pixels).all()


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (b"", "The file is empty"),
        (np.zeros((2, 2, 3), np.float32), "dtype float32; expected uint8"),
        (np.zeros((2, 2, 2), np.uint8), r"or grey \[height, width\] or \[height, width, 1\]"),
        (np.zeros((2, 2, 4), np.uint8), r"shape \(2, 2, 4\); expected \[height, width, 3\]"),
        (np.zeros((0, 2, 3), np.uint8), r"shape \(0, 2, 3\)"),
        (np.zeros(3, np.uint8), r"shape \(3,\)"),
        ("text", "is a str; expected bytes"),
        (np.broadcast_to(np.uint8(0), (40_000, 20_000, 3)), "has 2400000000 bytes; expected at most"),
    ],
)
def test_a_wrong_file_is_named(file: Any, sentence: str) -> None:
    with pytest.raises(InvalidInputError, match=sentence):
        encode_request(file, {}, request_id="r")


EVERYTHING = {"return_word_box": True, "return_char_box": True, "return_page_images": True}


@pytest.mark.parametrize(
    ("options", "absent"),
    [
        ({}, {*PER_WORD, *PER_CHARACTER, "rec_sources", *PAGE_IMAGES}),
        ({"return_word_box": True}, {*PER_CHARACTER, "rec_sources", *PAGE_IMAGES}),
        ({"return_char_box": True}, {*PER_WORD, "rec_sources", *PAGE_IMAGES}),
        ({"return_page_images": True}, {*PER_WORD, *PER_CHARACTER, "rec_sources"}),
        ({**EVERYTHING, "pdf_text": "ocr"}, {"rec_sources"}),
        ({**EVERYTHING, "pdf_text": "auto"}, set()),
    ],
)
def test_only_what_is_used_is_asked_for(options: dict[str, Any], absent: set[str]) -> None:
    assert set(wanted_outputs(options)) == set(OUTPUTS) - absent


def decode(tensors: dict[str, Any], is_pdf: bool = False, **settings: Any) -> list[Any]:
    return decoded(tensors, {**DEFAULTS, **settings}, input_path="a.png", is_pdf=is_pdf)


@given(st.lists(st.tuples(st.integers(0, 3), st.text()), max_size=12).map(sorted))
def test_each_line_lands_on_its_page(lines: list[tuple[int, str]]) -> None:
    tensors = answer_with_lines([text for _, text in lines], [page for page, _ in lines], pages=4)
    for number, result in enumerate(decode(tensors)):
        assert result["page_index"] == number
        assert result["rec_texts"] == [text for page, text in lines if page == number]
        assert len(result["dt_polys"]) == len(result["rec_texts"])


@pytest.mark.parametrize(
    ("page_count", "is_pdf", "expected"),
    [(1, False, [None]), (1, True, [0]), (3, False, [0]), (3, True, [0])],
    ids=["an image", "a PDF of one page", "a TIFF of which one page was read", "a PDF cut short"],
)
def test_pages_are_numbered_as_paddlex_numbers_them(
    page_count: int, is_pdf: bool, expected: list[int | None]
) -> None:
    results = decode(blank_answer(page_count=page_count), is_pdf=is_pdf)
    assert [result["page_index"] for result in results] == expected
    assert results[0].page_count == page_count


def test_words_go_to_their_lines_across_pages() -> None:
    tensors = answer_with_lines(["a b", "", "c"], [0, 0, 1], pages=2)
    tensors |= {
        "word_line_index": np.array([0, 0, 2], np.int32),
        "word_texts": texts(["a", "b", "c"]),
        "word_boxes": np.arange(12, dtype=np.int32).reshape(3, 4),
        "word_polys": np.arange(24, dtype=np.int32).reshape(3, 4, 2),
        "word_scores": np.array([0.25, 0.5, 1], np.float32),
    }
    first, second = decode(tensors, return_word_box=True)
    assert first["text_word"] == [["a", "b"], []]
    assert [boxes.tolist() for boxes in first["text_word_boxes"]] == [[[0, 1, 2, 3], [4, 5, 6, 7]], []]
    assert first["text_word_polys"][0].tolist() == np.arange(16).reshape(2, 4, 2).tolist()
    assert first["text_word_scores"] == [[0.25, 0.5], []]
    assert second["text_word"] == [["c"]]


def test_the_settings_are_those_that_the_server_ran_with() -> None:
    told = {"text_det_thresh": 0.2, "text_det_unclip_ratio": 1.4, "text_rec_score_thresh": 0.5}
    (result,) = decode(blank_answer() | {"settings": np.array([json.dumps(told).encode()], object)})
    assert result["text_det_params"]["thresh"] == 0.2
    assert result["text_det_params"]["unclip_ratio"] == 1.4
    assert result["text_rec_score_thresh"] == 0.5


def test_pictures_go_to_their_pages() -> None:
    tensors = blank_answer(2) | {
        "input_images": np.array([b"one", b"two"], dtype=np.object_),
        "preprocessed_images": np.empty(0, dtype=np.object_),
    }
    results = decode(tensors, return_page_images=True)
    assert [result.page.input_image for result in results] == [b"one", b"two"]
    assert [result.page.preprocessed_image for result in results] == [None, None]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"rec_texts": None}, "lacks the tensor 'rec_texts'"),
        ({"rec_boxes": np.zeros((1, 2), np.int32)}, r"'rec_boxes' has shape \(1, 2\)"),
        ({"page_count": np.zeros(0, np.int32)}, "'page_count' has shape"),
        ({"settings": np.array([b"nonsense"], object)}, "'settings' is 'nonsense'; expected a JSON object"),
        ({"settings": np.array([b"[1]"], object)}, r"'settings' is '\[1\]'; expected a JSON object"),
        ({"input_images": np.array([b"a"], object)}, "'input_images' has 1 rows for 2 pages"),
    ],
)
def test_an_answer_that_breaks_the_contract_is_named(change: dict[str, Any], sentence: str) -> None:
    tensors = {**blank_answer(2), **change}
    tensors = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    with pytest.raises(ProtocolError, match=sentence):
        decode(tensors, return_page_images=True)


def test_the_contract_is_the_models_own() -> None:
    from pathlib import Path

    from google.protobuf import text_format
    from tritonclient.grpc import model_config_pb2

    file = Path(__file__).parents[3] / "model_repository" / "ocr" / "config.pbtxt"
    config = text_format.Parse(file.read_text(), model_config_pb2.ModelConfig())
    types = {"BYTES": "TYPE_STRING", **{name: f"TYPE_{name}" for name in ("BOOL", "INT32", "FP32", "UINT8")}}
    declared = {tensor.name: tensor.data_type for tensor in config.output}
    expected = {name: types[output.datatype] for name, output in OUTPUTS.items()}
    assert {name: model_config_pb2.DataType.Name(kind) for name, kind in declared.items()} == expected
    inputs = {tensor.name: tensor.data_type for tensor in config.input}
    expected = {name: types[option.datatype] for name, option in OPTIONS.items()}
    expected |= {"file": "TYPE_STRING", "image": "TYPE_UINT8"}
    assert {name: model_config_pb2.DataType.Name(kind) for name, kind in inputs.items()} == expected


def test_characters_come_beside_the_words() -> None:
    tensors = answer_with_lines(["ab"]) | {
        "char_line_index": np.array([0, 0], np.int32),
        "char_texts": texts(["a", "b"]),
        "char_boxes": np.arange(8, dtype=np.int32).reshape(2, 4),
        "char_polys": np.arange(16, dtype=np.int32).reshape(2, 4, 2),
        "char_scores": np.array([0.25, 0.5], np.float32),
    }
    (page,) = decode(tensors, return_char_box=True)
    assert page["text_char"] == [["a", "b"]]
    assert page["text_char_boxes"][0].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert page["text_char_polys"][0].shape == (2, 4, 2)
    assert page["text_char_scores"] == [[0.25, 0.5]]
    assert "text_word" not in page
