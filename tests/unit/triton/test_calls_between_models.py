"""How `ocr` calls other models: through Triton, in its own process, and loading what is not loaded yet."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pb_utils_stand_in as pb_utils
import pytest
from numpy.typing import NDArray

from tritonocr_backend.core.arrays import Tensors
from tritonocr_backend.core.contracts import DECODE, STAGE_OUTPUTS, Role
from tritonocr_backend.core.errors import AbandonedError, InvalidInputError, StageError
from tritonocr_backend.core.network_metadata import CHARACTERS_FILE, NetworkMetadata, Normalisation
from tritonocr_backend.core.repository_view import RepositoryView
from tritonocr_backend.pipeline.stages import run_stage
from tritonocr_backend.triton import cancellation
from tritonocr_backend.triton.bls import CANCELLATION, ORIGIN, BlsCaller
from tritonocr_backend.triton.cancellation import CancellationCheck

PLAIN = Normalisation(1.0, (0, 0, 0), (1, 1, 1), "BGR")


@pytest.fixture
def repository(tmp_path: Path) -> RepositoryView:
    version = tmp_path / "rec" / "1"
    version.mkdir(parents=True)
    NetworkMetadata("rec", Role.TEXT_RECOGNITION, PLAIN).write(version)
    (version / CHARACTERS_FILE).write_text('["a", "b"]', encoding="utf-8")
    return RepositoryView(tmp_path)


Answer = Callable[[pb_utils.InferenceRequest], pb_utils.InferenceResponse]


class TestThroughTriton:
    @pytest.fixture(autouse=True)
    def none_loaded(self) -> Iterator[None]:
        pb_utils.LOADED.clear()
        yield
        pb_utils.LOADED.clear()

    @pytest.fixture
    def call(
        self, repository: RepositoryView, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[Callable[..., Any]]:
        """Calls a model that answers as given, with a text and a number."""

        def call_(
            model: str, answer: Answer, inputs: Tensors | None = None, *, exact: bool = False
        ) -> dict[str, NDArray[Any]]:
            monkeypatch.setattr(pb_utils.InferenceRequest, "models", staticmethod(answer), raising=False)
            inputs = inputs or {"text": np.array(["中"], dtype=object), "number": np.ones(1, np.float32)}
            with ThreadPoolExecutor(1) as threads:
                return asyncio.run(BlsCaller(threads, repository, exact=exact)(model, inputs, ("out",)))

        origin = pb_utils.InferenceRequest([], [], request_id="page-1", trace="the client's")
        tokens = ORIGIN.set(origin), CANCELLATION.set(CancellationCheck(origin))
        yield call_
        ORIGIN.reset(tokens[0])
        CANCELLATION.reset(tokens[1])

    @pytest.mark.parametrize(
        ("backend", "exact", "called"),
        [("onnxruntime", False, "line_batching"), ("onnxruntime", True, "rec"), ("python", False, "rec")],
    )
    def test_lines_for_tritons_backend_go_through_line_batching(
        self,
        backend: Literal["python", "onnxruntime"],
        exact: bool,
        called: str,
        call: Callable[..., Any],
        repository: RepositoryView,
        tmp_path: Path,
    ) -> None:
        NetworkMetadata("rec", Role.TEXT_RECOGNITION, PLAIN, backend=backend).write(tmp_path / "rec" / "1")

        def answer(request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
            names = [t.as_numpy().tolist() for t in request.inputs() if t.name() == "model_name"]
            assert names == ([[[b"rec"]] * 2] if called == "line_batching" else [])
            return pb_utils.InferenceResponse([pb_utils.Tensor("out", np.array([request.model_name]))])

        image = np.zeros((2, 48, 64, 3), np.uint8)
        assert call("rec", answer, {"image": image}, exact=exact)["out"].tolist() == [called]

    def test_texts_go_and_come_as_str(self, call: Callable[..., Any]) -> None:
        def echo(request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
            assert (request.model_name, request.requested_output_names()) == ("rec", ["out"])
            text = next(tensor for tensor in request.inputs() if tensor.name() == "text").as_numpy()
            assert text.tolist() == ["中".encode()]
            return pb_utils.InferenceResponse([pb_utils.Tensor("out", text)])

        assert call("rec", echo)["out"].tolist() == ["中"]

    def test_is_not_made_for_a_client_that_has_gone(
        self, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cancellation, "ASK_EVERY_S", 0)
        ORIGIN.get().cancelled = True
        with pytest.raises(AbandonedError, match="cancelled by its client"):
            call("rec", lambda request: pytest.fail("called"))

    def test_carries_the_id_and_the_trace_of_the_request_it_is_made_for(
        self, call: Callable[..., Any]
    ) -> None:
        def named(request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
            assert (request.request_id(), request.trace()) == ("page-1", "the client's")
            return pb_utils.InferenceResponse([pb_utils.Tensor("out", np.ones(1))])

        assert call("rec", named)["out"].tolist() == [1]

    def test_wants_the_answer_in_memory_that_numpy_can_read(self, call: Callable[..., Any]) -> None:
        """Triton's backends leave it on their GPU otherwise."""

        def answer(request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
            assert request.preferred_memory is not None
            assert request.preferred_memory.memory_type == pb_utils.TRITONSERVER_MEMORY_CPU
            return pb_utils.InferenceResponse([pb_utils.Tensor("out", np.ones(1))])

        assert call("rec", answer)["out"].tolist() == [1]

    def test_an_error_keeps_its_meaning(self, call: Callable[..., Any]) -> None:
        error = pb_utils.TritonError("image: got", pb_utils.TritonError.INVALID_ARG)
        with pytest.raises(InvalidInputError, match="image: got"):
            call("rec", lambda _: pb_utils.InferenceResponse(error=error))

    @staticmethod
    def answers_once_loaded(request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        if not pb_utils.is_model_ready(request.model_name):
            message = f"Failed for execute: Model {request.model_name} is not ready."
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(message))
        return pb_utils.InferenceResponse([pb_utils.Tensor("out", np.ones(1))])

    def test_a_network_that_is_not_loaded_is_loaded_first(self, call: Callable[..., Any]) -> None:
        assert call("rec", self.answers_once_loaded)["out"].tolist() == [1]
        assert {"rec"} == pb_utils.LOADED

    def test_a_call_is_repeated_if_another_instance_loads_the_network_meanwhile(
        self, call: Callable[..., Any]
    ) -> None:
        """The server reports the network as ready by the time the failed call returns."""

        def answers_late(request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
            response = self.answers_once_loaded(request)
            pb_utils.LOADED.add(request.model_name)
            return response

        assert call("rec", answers_late)["out"].tolist() == [1]

    def test_a_call_that_a_loaded_network_fails_is_not_repeated(self, call: Callable[..., Any]) -> None:
        calls = []

        def fails(request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
            calls.append(request)
            return pb_utils.InferenceResponse(error=pb_utils.TritonError("out of memory"))

        pb_utils.LOADED.add("rec")
        with pytest.raises(StageError, match="rec failed: out of memory"):
            call("rec", fails)
        assert len(calls) == 1

    def test_what_the_repository_does_not_hold_is_not(self, call: Callable[..., Any]) -> None:
        with pytest.raises(StageError, match=r"other failed: .*is not ready"):
            call("other", self.answers_once_loaded)
        assert set() == pb_utils.LOADED

    def test_where_loading_fails_the_first_error_stands(
        self, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuses(model_name: str) -> None:
            raise RuntimeError("explicit model load / unload is not allowed")

        monkeypatch.setattr(pb_utils, "load_model", refuses)
        with pytest.raises(StageError, match=r"rec failed: .*is not ready"):
            call("rec", self.answers_once_loaded)


def test_lines_are_decoded_with_their_networks_dictionary(repository: RepositoryView) -> None:
    inputs: Tensors = {
        "indices": np.array([[1, 0, 2]], np.int32),
        "confidences": np.ones((1, 3), np.float32),
        "column_counts": np.array([3], np.float32),
        "return_words": np.array([False]),
        "return_characters": np.array([False]),
        "exact": np.array([False]),
        "model_name": np.array(["rec"], dtype=object),
    }
    outputs = run_stage(DECODE, inputs, repository)
    assert outputs["texts"].tolist() == ["ab"]
    assert tuple(outputs) == STAGE_OUTPUTS[DECODE]
