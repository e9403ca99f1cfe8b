"""Conversion of errors and tensors to Triton and back."""

import logging
from typing import Any

import numpy as np
import pb_utils_stand_in as pb_utils
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonocr_backend.core.errors import (
    AbandonedError,
    InvalidInputError,
    InvalidOptionError,
    OverloadedError,
    ServerError,
    SharedMemoryFullError,
    StageError,
    StoppingError,
    reason_of,
)
from tritonocr_backend.triton.errors import error_response, from_call_exception, from_response_error
from tritonocr_backend.triton.tensors import (
    decode_strings,
    encode_strings,
    from_response,
    read_inputs,
    response,
    to_triton,
)


class TestErrors:
    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (InvalidInputError("file: got 0 bytes"), pb_utils.TritonError.INVALID_ARG),
            (AbandonedError("gone"), pb_utils.TritonError.CANCELLED),
            (StageError("text_crop failed"), pb_utils.TritonError.INTERNAL),
            (ServerError("gone"), pb_utils.TritonError.INTERNAL),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_on_purpose_keep_their_sentence(self, error: Exception, code: int) -> None:
        sent = error_response(error).error()
        assert (sent.message(), sent.code()) == (str(error), code)

    @pytest.mark.parametrize(
        ("error", "message"),
        [
            (OverloadedError("busy"), "busy [overloaded]"),
            (StoppingError("bye"), "bye [stopping]"),
            (InvalidOptionError("lang: got 'xx'"), "lang: got 'xx' [invalid_option]"),
            (InvalidInputError("file: got 9 bytes", "too_large"), "file: got 9 bytes [too_large]"),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_state_the_reason_that_the_code_does_not_state(self, error: Exception, message: str) -> None:
        assert error_response(error).error().message() == message

    def test_a_called_model_hands_its_reason_on(self) -> None:
        sent = error_response(InvalidInputError("page 3 has too many lines", "too_large")).error()
        error = from_response_error("text_crop", sent)
        assert (str(error), reason_of(error)) == ("page 3 has too many lines", "too_large")

    def test_not_on_purpose_tell_the_log_and_not_the_client(self, caplog: pytest.LogCaptureFixture) -> None:
        error = RuntimeError("/secret/path is broken")
        with caplog.at_level(logging.ERROR):
            sent = error_response(error).error()
        assert sent.code() == pb_utils.TritonError.INTERNAL
        assert sent.message() == "internal error (RuntimeError); the server's log has the details"
        assert caplog.records[-1].exc_info is not None
        assert caplog.records[-1].exc_info[1] is error

    def test_a_request_id_forges_no_log_line(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.ERROR):
            sent = error_response(RuntimeError("x"), "a\nERROR forged").error()
        assert caplog.records[-1].getMessage() == r"a request failed under request id 'a\nERROR forged'"
        assert "\n" not in sent.message()

    @pytest.mark.parametrize(
        ("message", "code", "expected", "sentence"),
        [
            pytest.param(
                "polys: got", pb_utils.TritonError.INVALID_ARG, InvalidInputError, "polys: got", id="request"
            ),
            pytest.param(
                "any",
                pb_utils.TritonError.UNAVAILABLE,
                OverloadedError,
                "m is overloaded; try again",
                id="busy",
            ),
            pytest.param(
                "[request id: 7] Exceeds maximum queue size",
                pb_utils.TritonError.INTERNAL,
                OverloadedError,
                "m is overloaded; try again",
                id="a full queue, whatever code BLS gives it",
            ),
            pytest.param(
                "Failed to increase the shared memory pool size for key 'k' to 1048576 bytes.",
                pb_utils.TritonError.INTERNAL,
                SharedMemoryFullError,
                "the server is overloaded: its shared memory (/dev/shm) is full",
                id="no shared memory left",
            ),
            pytest.param("boom", pb_utils.TritonError.INTERNAL, StageError, "m failed: boom", id="ours"),
            pytest.param("gone", pb_utils.TritonError.NOT_FOUND, StageError, "m failed: gone", id="unloaded"),
        ],
    )
    def test_of_another_model_keep_their_meaning(
        self, message: str, code: int, expected: type[Exception], sentence: str
    ) -> None:
        error = from_response_error("m", pb_utils.TritonError(message, code))
        assert type(error) is expected
        assert str(error).startswith(sentence)

    def test_an_exception_of_pb_utils_is_a_full_shared_memory_by_its_own_class(self) -> None:
        text = "Failed to increase the shared memory pool size for key 'k' to 1048576 bytes."
        assert type(from_call_exception(RuntimeError(text))) is SharedMemoryFullError
        other = RuntimeError("boom")
        assert from_call_exception(other) is other

    def test_what_a_client_wrote_never_decides_the_code(self) -> None:
        error = InvalidInputError("lang: got 'shared memory pool size', expected one of ch")
        response = error_response(error)
        assert response.error().code() == pb_utils.TritonError.INVALID_ARG
        assert reason_of(error) == "invalid_request"


class TestStrings:
    @given(st.lists(st.text()))
    def test_survive_the_way_to_triton_and_back(self, texts: list[str]) -> None:
        tensor = np.array(texts, dtype=object)
        encoded = encode_strings(tensor)
        assert all(isinstance(item, bytes) for item in encoded)
        assert decode_strings(encoded, "texts").tolist() == texts

    def test_keep_their_shape(self) -> None:
        tensor = np.array([["a", "b"], ["中", ""]], dtype=object)
        assert decode_strings(encode_strings(tensor), "x").tolist() == tensor.tolist()

    def test_bytes_go_as_they_are(self) -> None:
        assert encode_strings(np.array([b"\xff\xd8"], dtype=object)).tolist() == [b"\xff\xd8"]

    def test_that_are_not_utf8_are_refused_by_name(self) -> None:
        with pytest.raises(InvalidInputError, match="model_name: got bytes that are not UTF-8 text"):
            decode_strings(np.array([b"\xff"], dtype=object), "model_name")


class TestTensors:
    def test_of_a_request_by_name(self) -> None:
        request = pb_utils.InferenceRequest([pb_utils.Tensor("image", np.ones((2, 2)))], [])
        assert read_inputs(request)["image"].tolist() == [[1, 1], [1, 1]]

    def test_views_become_contiguous(self) -> None:
        (tensor,) = to_triton({"x": np.arange(12).reshape(3, 4)[:, ::2]})
        assert tensor.as_numpy().flags.c_contiguous
        assert tensor.as_numpy().tolist() == [[0, 2], [4, 6], [8, 10]]

    def test_only_requested_ones_are_sent(self) -> None:
        outputs: dict[str, Any] = {"a": np.zeros(1), "b": np.zeros(2)}
        assert [tensor.name() for tensor in response(outputs, ["b"]).output_tensors()] == ["b"]

    def test_of_an_answer_come_back_with_texts_as_str(self) -> None:
        sent = response({"texts": np.array(["中"], dtype=object), "scores": np.ones(1)}, ["texts", "scores"])
        arrived = from_response(sent)
        assert arrived["texts"].tolist() == ["中"]
        assert arrived["scores"].tolist() == [1]
