"""The Triton models without Triton: an invalid request affects no other, and each gets its own response."""

import json
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pb_utils_stand_in as pb_utils
import pytest
from drawn_files import encode, pdf, picture, png_header_alone, tiff_with_a_bad_page
from drawn_pdfs import page_of, picture_page, text_at
from fake_models import FakeModels
from numpy.typing import NDArray
from onnx import TensorProto, helper
from stage_inputs import postprocess_inputs

from tritonocr_backend.core.contracts import STAGE_OUTPUTS, Role
from tritonocr_backend.core.errors import InvalidInputError
from tritonocr_backend.core.network_metadata import CHARACTERS_FILE, NetworkMetadata, Normalisation
from tritonocr_backend.core.settings import PipelineSettings, default_options, write_pipeline_settings
from tritonocr_backend.documents.decode import Document
from tritonocr_backend.documents.pages import Page
from tritonocr_backend.triton import cancellation, network
from tritonocr_backend.triton.network import NetworkModel
from tritonocr_backend.triton.ocr import Ocr, OcrStream
from tritonocr_backend.triton.stage import StageModel

PLAIN = Normalisation(1.0, (0, 0, 0), (1, 1, 1), "BGR")


def request(inputs: Mapping[str, NDArray[Any]], *outputs: str) -> pb_utils.InferenceRequest:
    return pb_utils.InferenceRequest([pb_utils.Tensor(*item) for item in inputs.items()], outputs)


def tensors(answer: pb_utils.InferenceResponse) -> dict[str, NDArray[Any]]:
    assert not answer.has_error(), answer.error().message()
    return {tensor.name(): tensor.as_numpy() for tensor in answer.output_tensors()}


def failure(answer: pb_utils.InferenceResponse) -> tuple[int, str]:
    return answer.error().code(), answer.error().message()


def arguments(folder: Path, config: Mapping[str, Any] | None = None) -> dict[str, str]:
    """What Triton hands to `initialize`."""
    return {
        "model_name": folder.name,
        "model_repository": str(folder),
        "model_version": "1",
        "model_instance_name": f"{folder.name}_0_0",
        "model_instance_kind": "CPU",
        "model_config": json.dumps({"max_batch_size": 8, "input": [], **(config or {})}),
    }


@pytest.fixture
def network_folder(tmp_path: Path) -> Path:
    """A detection network whose answer is the blue plane, divided by 255."""
    folder = tmp_path / "det"
    (folder / "1").mkdir(parents=True)
    metadata = NetworkMetadata("det", Role.TEXT_DETECTION, PLAIN, engine="onnxruntime")
    metadata.write(folder / "1")
    nodes = [
        helper.make_node("Cast", ["image"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("Constant", [], ["blue"], value_int=0),
        helper.make_node("Gather", ["values", "blue"], ["plane"], axis=3),
        helper.make_node("Constant", [], ["scale"], value_float=255.0),
        helper.make_node("Div", ["plane", "scale"], ["probability"]),
    ]
    graph = helper.make_graph(
        nodes,
        "blue",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["B", "H", "W", 3])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["B", "H", "W"])],
    )
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(network, folder / "1" / "model.onnx")
    return folder


class TestNetworkModel:
    @pytest.fixture
    def model(self, network_folder: Path) -> NetworkModel:
        model = NetworkModel()
        model.initialize(arguments(network_folder))
        return model

    @staticmethod
    def image(blue: int, batch: int = 1, size: int = 32) -> dict[str, NDArray[np.uint8]]:
        return {"image": np.full((batch, size, 64, 3), blue, np.uint8)}

    def test_requests_are_answered_each_with_its_own_part_of_the_batch(self, model: NetworkModel) -> None:
        batch = [request(self.image(blue, n), "probability") for blue, n in ((0, 1), (51, 2), (255, 1))]
        answers = [tensors(answer)["probability"] for answer in model.execute(batch)]
        assert [answer.shape for answer in answers] == [(1, 32, 64), (2, 32, 64), (1, 32, 64)]
        assert [answer.max() for answer in answers] == pytest.approx([0, 0.2, 1])

    def test_a_bad_request_harms_no_other(self, model: NetworkModel) -> None:
        batch = [
            request(self.image(51), "probability"),
            request(self.image(51, size=33), "probability"),
            request(self.image(255), "probability"),
        ]
        first, bad, last = model.execute(batch)
        assert tensors(first)["probability"].max() == pytest.approx(0.2)
        assert tensors(last)["probability"].max() == pytest.approx(1)
        assert failure(bad) == (
            pb_utils.TritonError.INVALID_ARG,
            "image: got 64x33 px, expected both sides to be multiples of 32",
        )

    def test_of_a_batch_that_fails_only_the_culprit_fails(
        self, model: NetworkModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        infer = model._batcher._engine.infer

        def fails_on_black(image: NDArray[np.uint8]) -> list[NDArray[Any]]:
            if not image.reshape(len(image), -1).any(axis=1).all():
                raise RuntimeError("black")
            return infer(image)

        monkeypatch.setattr(model._batcher._engine, "infer", fails_on_black)
        good, black = model.execute([request(self.image(b), "probability") for b in (51, 0)])
        assert tensors(good)["probability"].max() == pytest.approx(0.2)
        assert failure(black)[0] == pb_utils.TritonError.INTERNAL


class TestStageModel:
    @pytest.fixture
    def decode(self, tmp_path: Path) -> StageModel:
        network = tmp_path / "rec" / "1"
        network.mkdir(parents=True)
        NetworkMetadata("rec", Role.TEXT_RECOGNITION, PLAIN).write(network)
        (network / CHARACTERS_FILE).write_text('["中", "b"]', encoding="utf-8")
        folder = tmp_path / "text_recognition_decode"
        folder.mkdir()
        model = StageModel()
        strings = {"input": [{"name": "model_name", "data_type": "TYPE_STRING"}]}
        model.initialize(arguments(folder, strings))
        return model

    @staticmethod
    def line(indices: Sequence[int], model_name: bytes = b"rec") -> pb_utils.InferenceRequest:
        inputs = {
            "indices": np.array([indices], np.int32),
            "confidences": np.full((1, len(indices)), 0.5, np.float32),
            "column_counts": np.array([len(indices)], np.float32),
            "return_words": np.array([False]),
            "return_characters": np.array([False]),
            "exact": np.array([False]),
            "model_name": np.array([model_name], dtype=object),
        }
        return request(inputs, *STAGE_OUTPUTS["text_recognition_decode"])

    def test_a_bad_request_harms_no_other(self, decode: StageModel) -> None:
        batch = [self.line([1, 2, 3]), self.line([9]), self.line([2]), self.line([1], b"nobody")]
        first, too_high, last, unknown = decode.execute(batch)
        assert tensors(first)["texts"].tolist() == ["中b ".encode()]
        assert tensors(last)["texts"].tolist() == [b"b"]
        assert failure(too_high) == (
            pb_utils.TritonError.INVALID_ARG,
            "indices: got 9 to 9, expected 0 to 3",
        )
        assert failure(unknown)[0] == pb_utils.TritonError.INVALID_ARG
        assert "got 'nobody', which is not served; expected one of rec" in failure(unknown)[1]

    def test_a_name_that_is_no_text_is_the_requests_fault(self, decode: StageModel) -> None:
        (answer,) = decode.execute([self.line([1], b"\xff")])
        assert failure(answer) == (
            pb_utils.TritonError.INVALID_ARG,
            "model_name: got bytes that are not UTF-8 text",
        )


BOX = [[4, 4], [28, 4], [28, 20], [4, 20]]
NETWORKS = {role: role.value for role in (Role.TEXT_DETECTION, Role.TEXT_RECOGNITION)}
OFF = dict.fromkeys(("use_doc_orientation_classify", "use_doc_unwarping", "use_textline_orientation"), False)


@pytest.fixture
def ocr_folder(tmp_path: Path) -> Path:
    for role, name in NETWORKS.items():
        version = tmp_path / name / "1"
        version.mkdir(parents=True)
        NetworkMetadata(name, role, PLAIN).write(version)
    folder = tmp_path / "ocr"
    (folder / "1").mkdir(parents=True)
    # The pages are tiny: `exact` reads them without a margin.
    settings = PipelineSettings(networks=NETWORKS, options={**default_options(), **OFF}, exact=True)
    write_pipeline_settings(settings, folder / "1")
    return folder


@pytest.fixture(autouse=True)
def other_models(monkeypatch: pytest.MonkeyPatch) -> FakeModels:
    """Calls of `ocr` to other models are answered by the fake, in the calling thread."""
    fake = FakeModels([BOX])

    def answer(called: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        inputs = {tensor.name(): tensor.as_numpy() for tensor in called.inputs()}
        texts = {n: np.array([b.decode() for b in a], object) for n, a in inputs.items() if a.dtype == object}
        outputs = fake._answer(called.model_name, {**inputs, **texts})
        encoded = {
            name: np.array([t.encode() for t in tensor], object) if tensor.dtype == object else tensor
            for name, tensor in outputs.items()
        }
        return pb_utils.InferenceResponse([pb_utils.Tensor(*item) for item in encoded.items()])

    monkeypatch.setattr(pb_utils.InferenceRequest, "models", staticmethod(answer), raising=False)
    return fake


def file(data: bytes, **options: NDArray[Any]) -> dict[str, NDArray[Any]]:
    return {"file": np.array([data], dtype=object), **options}


TRUNCATED_TIFF = tiff_with_a_bad_page()
GOOD = encode(picture(), "PNG")
THREE_PAGES = pdf([(50, 40, 0), (60, 40, 0), (70, 40, 0)])


@pytest.fixture
def ocr(ocr_folder: Path) -> Any:
    model = Ocr()
    model.initialize(arguments(ocr_folder))
    yield model
    model.finalize()


@pytest.fixture
def ocr_stream(ocr_folder: Path) -> Any:
    model = OcrStream()
    model.initialize(arguments(ocr_folder))
    yield model
    model.finalize()


class TestOcr:
    def test_one_bad_file_of_eight_harms_none_of_the_seven(self, ocr: Ocr) -> None:
        files = [GOOD] * 3 + [b"rubbish"] + [GOOD] * 4
        answers = ocr.execute([request(file(data), "rec_texts", "dt_polys") for data in files])
        assert failure(answers[3])[0] == pb_utils.TritonError.INVALID_ARG
        for answer in answers[:3] + answers[4:]:
            assert tensors(answer)["dt_polys"].tolist() == [BOX]
            assert len(tensors(answer)["rec_texts"]) == 1

    def test_pages_come_in_order_with_how_many_the_file_has(self, ocr: Ocr) -> None:
        options = {"max_pages": np.array([2], np.int32)}
        (answer,) = ocr.execute([request(file(THREE_PAGES, **options), "page_sizes", "page_count")])
        assert tensors(answer)["page_sizes"].tolist() == [[80, 100], [80, 120]]
        assert tensors(answer)["page_count"].tolist() == [3]

    def test_a_page_that_cannot_be_read_leaves_the_other_pages(self, ocr: Ocr) -> None:
        outputs = ("page_sizes", "page_index", "page_errors", "page_warnings", "input_images", "dt_polys")
        asked = request(file(TRUNCATED_TIFF, return_page_images=np.array([True])), *outputs)
        answer = tensors(ocr.execute([asked])[0])
        assert answer["page_sizes"].tolist() == [[48, 64], [0, 0], [48, 64]]
        assert [bool(error) for error in answer["page_errors"]] == [False, True, False]
        assert "page 1 of the TIFF" in json.loads(answer["page_errors"][1])["message"]
        assert answer["page_warnings"].tolist() == [b"[]"] * 3
        assert [bool(image) for image in answer["input_images"]] == [True, False, True]
        assert len(answer["dt_polys"]) == 2

    @pytest.mark.parametrize(
        ("pdf_text", "texts", "networks_run"),
        [("ocr", [b"b"], True), ("auto", [b"Invoice 4711"], False), ("only", [b"Invoice 4711"], False)],
    )
    def test_the_text_of_a_pdf_is_read_or_taken(
        self,
        ocr: Ocr,
        monkeypatch: pytest.MonkeyPatch,
        pdf_text: str,
        texts: list[bytes],
        networks_run: bool,
    ) -> None:
        called: list[str] = []
        answer_ = FakeModels._answer
        monkeypatch.setattr(
            FakeModels,
            "_answer",
            lambda self, model, inputs: called.append(model) or answer_(self, model, inputs),
        )
        data = page_of(text_at(40, 120, "Invoice 4711"))
        options = {"pdf_text": np.array([pdf_text.encode()], object), "return_word_box": np.array([True])}
        outputs = ("page_sizes", "rec_texts", "rec_scores", "rec_sources", "word_texts", "dt_polys")
        answer = tensors(ocr.execute([request(file(data, **options), *outputs)])[0])
        assert bool(called) is networks_run
        assert answer["page_sizes"].tolist() == [[400, 600]]
        assert len(answer["dt_polys"]) == len(answer["rec_texts"]) == 1
        if not networks_run:
            assert answer["rec_texts"].tolist() == texts
            assert answer["rec_scores"].tolist() == [1]
            assert answer["word_texts"].tolist() == [b"Invoice", b"4711"]
        assert answer["rec_sources"].tolist() == [b"ocr" if networks_run else b"pdf"]

    def test_a_page_with_a_picture_and_text_is_read_and_taken(self, ocr: Ocr) -> None:
        data = picture_page((300, 200), (150, 100), (0, 0, 300, 200))
        options = {"pdf_text": np.array([b"auto"], object)}
        answer = tensors(ocr.execute([request(file(data, **options), "rec_sources")])[0])
        assert answer["rec_sources"].tolist() == [b"ocr"], "no text layer"

    @pytest.mark.parametrize(("dpi", "size"), [(0, [400, 600]), (72, [200, 300])])
    def test_the_resolution_of_pdf_pages_can_be_chosen(self, ocr: Ocr, dpi: int, size: list[int]) -> None:
        asked = request(file(page_of(b""), pdf_dpi=np.array([dpi], np.int32)), "page_sizes")
        assert tensors(ocr.execute([asked])[0])["page_sizes"].tolist() == [size]

    def test_the_only_page_of_a_file_is_the_files_own_error(self, ocr: Ocr) -> None:
        (answer,) = ocr.execute([request(file(GOOD[:-40]), "page_sizes", "page_errors")])
        assert failure(answer)[0] == pb_utils.TritonError.INVALID_ARG

    def test_only_requested_outputs_are_sent_and_only_what_they_need_is_called(
        self, ocr: Ocr, other_models: FakeModels, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        called: list[str] = []
        answer_ = FakeModels._answer
        monkeypatch.setattr(
            FakeModels,
            "_answer",
            lambda self, model, inputs: called.append(model) or answer_(self, model, inputs),
        )
        (answer,) = ocr.execute([request(file(GOOD), "dt_polys")])
        assert set(tensors(answer)) == {"dt_polys"}
        assert called == ["text_detection", "text_detection_postprocess"]

    def test_an_overloaded_stage_is_passed_on_as_unavailable(
        self, ocr: Ocr, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        full = pb_utils.InferenceResponse(error=pb_utils.TritonError("Exceeds maximum queue size"))
        monkeypatch.setattr(pb_utils.InferenceRequest, "models", staticmethod(lambda _: full))
        (answer,) = ocr.execute([request(file(GOOD), "rec_texts")])
        assert failure(answer) == (
            pb_utils.TritonError.UNAVAILABLE,
            "text_detection is overloaded; try again later [overloaded]",
        )

    @pytest.mark.parametrize(
        ("options", "count"),
        [({}, 0), ({"return_page_images": np.array([True])}, 1)],
        ids=["not", "asked for"],
    )
    def test_page_images_are_sent_when_asked_for(
        self, ocr: Ocr, options: dict[str, NDArray[Any]], count: int
    ) -> None:
        (answer,) = ocr.execute(
            [request(file(GOOD, **options), "input_images", "preprocessed_images", "rec_texts")]
        )
        assert len(tensors(answer)["input_images"]) == count
        assert len(tensors(answer)["preprocessed_images"]) == 0, "both preprocessing steps are off"

    @pytest.mark.parametrize("with_images", [False, True], ids=["results alone", "with page images"])
    def test_only_the_pages_in_flight_hold_pixels(
        self, ocr: Ocr, monkeypatch: pytest.MonkeyPatch, with_images: bool
    ) -> None:
        """A page's pixels are 50 MB and more; a file may have 1000 pages."""
        alive: list[int] = []
        pages: list[weakref.ref[Any]] = []

        def decode(index: int, reduction_of: Any) -> Page:
            pixels = np.zeros((64, 64, 3), np.uint8)
            pages.append(weakref.ref(pixels))
            alive.append(sum(page() is not None for page in pages))
            return Page(pixels, (64, 64))

        document = Document(40, decode, lambda: None)
        monkeypatch.setattr("tritonocr_backend.triton.requests._document", lambda *_: document)
        options = {"max_pages": np.array([40], np.int32), "return_page_images": np.array([with_images])}
        (answer,) = ocr.execute([request(file(GOOD, **options), "page_sizes", "input_images")])
        assert len(tensors(answer)["page_sizes"]) == len(pages) == 40
        assert len(tensors(answer)["input_images"]) == (40 if with_images else 0)
        assert max(alive) <= PipelineSettings().pages_in_flight + 1


class TestOcrStream:
    def test_a_send_that_fails_stops_the_pages_before_the_document_is_closed(
        self, ocr_stream: OcrStream, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        events: list[str] = []

        def decode(index: int, reduction_of: Any) -> Page:
            time.sleep(0.05 if index else 0)
            events.append(f"page {index}")
            return Page(np.zeros((64, 64, 3), np.uint8), (64, 64))

        document = Document(40, decode, lambda: events.append("closed"))
        monkeypatch.setattr("tritonocr_backend.triton.requests._document", lambda *_: document)
        options = {"max_pages": np.array([40], np.int32)}
        broken = request(file(GOOD, **options), "page_sizes")
        send = broken.sender.send

        def fail_once(response: Any = None, flags: int = 0) -> None:
            if not flags:
                raise RuntimeError("the client has gone")
            send(response, flags)

        monkeypatch.setattr(broken.sender, "send", fail_once)
        ocr_stream.execute([broken])
        assert broken.sender.final
        assert events.count("closed") == 1
        assert len(events) < 10, "no page is started after the failure"

    def test_sends_a_response_a_page_and_then_the_end(self, ocr_stream: OcrStream) -> None:
        asked = request(file(THREE_PAGES), "page_sizes", "page_index", "page_count", "rec_texts")
        ocr_stream.execute([asked])
        assert asked.sender.final
        pages = [tensors(answer) for answer in asked.sender.sent]
        assert [page["page_sizes"].tolist() for page in pages] == [[[80, 100]], [[80, 120]], [[80, 140]]]
        assert [page["page_index"].tolist() for page in pages] == [[0], [1], [2]], "its number in the file"
        assert [page["page_count"].tolist() for page in pages] == [[3]] * 3

    def test_a_bad_file_is_answered_by_one_error_and_harms_no_other(self, ocr_stream: OcrStream) -> None:
        bad, good = request(file(b"rubbish"), "rec_texts"), request(file(GOOD), "rec_texts")
        ocr_stream.execute([bad, good])
        assert bad.sender.final
        assert good.sender.final
        (error,) = bad.sender.sent
        assert failure(error)[0] == pb_utils.TritonError.INVALID_ARG
        assert len(tensors(good.sender.sent[0])["rec_texts"]) == 1

    def test_a_page_that_cannot_be_read_is_reported_between_the_other_pages(
        self, ocr_stream: OcrStream
    ) -> None:
        asked = request(file(TRUNCATED_TIFF), "page_sizes", "page_errors", "rec_texts")
        ocr_stream.execute([asked])
        assert asked.sender.final
        pages = [tensors(answer) for answer in asked.sender.sent]
        assert [page["page_sizes"].tolist() for page in pages] == [[[48, 64]], [[0, 0]], [[48, 64]]]
        assert [len(page["rec_texts"]) for page in pages] == [1, 0, 1]
        errors = [page["page_errors"].item() for page in pages]
        assert (errors[0], errors[2]) == (b"", b"")
        assert json.loads(errors[1])["code"] == "unreadable"


class TestReporting:
    """What is counted and logged; real metrics of several instances are the live suite's."""

    @pytest.fixture(autouse=True)
    def values(self) -> dict[tuple[str, ...], float]:
        pb_utils.MetricFamily.values.clear()
        return pb_utils.MetricFamily.values

    @staticmethod
    def reported(folder: Path, *asked: pb_utils.InferenceRequest) -> None:
        model = Ocr()
        model.initialize(arguments(folder))
        model.execute(list(asked))
        model.finalize()

    def test_pages_lines_and_seconds_are_counted(self, ocr_folder: Path, values: Any) -> None:
        self.reported(ocr_folder, request(file(THREE_PAGES), "rec_texts"), request(file(GOOD), "rec_texts"))
        counted = {
            name: values[f"tritonocr_{name}", "ocr"] for name in ("files_total", "pages_total", "lines_total")
        }
        assert counted == {"files_total": 2, "pages_total": 4, "lines_total": 4}
        assert values["tritonocr_page_lines", "ocr"] == 4
        assert values["tritonocr_received_bytes_total", "ocr"] == len(THREE_PAGES) + len(GOOD)
        assert values["tritonocr_pages_in_flight", "ocr", "ocr_0_0"] == 0
        seconds = {
            key[2]: value for key, value in values.items() if key[0] == "tritonocr_stage_seconds_total"
        }
        off = {"doc_orientation", "doc_unwarping", "textline_orientation"}
        assert {stage for stage, value in seconds.items() if not value} == off
        assert sum(seconds.values()) <= values["tritonocr_page_seconds", "ocr"] + seconds["answer_encode"]

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            pytest.param(b"rubbish", "unreadable", id="no picture"),
            pytest.param(png_header_alone(30_000, 30_000), "too_large", id="pixels"),
            pytest.param(b"", "unreadable", id="empty"),
        ],
    )
    def test_rejected_files_are_counted_by_reason(
        self, ocr_folder: Path, values: Any, data: bytes, reason: str
    ) -> None:
        self.reported(ocr_folder, request(file(data), "rec_texts"), request(file(GOOD), "rec_texts"))
        rejected = {
            key[2]: value for key, value in values.items() if key[0] == "tritonocr_rejected_files_total"
        }
        assert {name: value for name, value in rejected.items() if value} == {reason: 1}
        assert values["tritonocr_files_total", "ocr"] == 2

    def test_an_option_that_is_wrong_an_overload_and_a_bug_have_reasons_of_their_own(
        self, ocr_folder: Path, values: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.reported(ocr_folder, request(file(GOOD, max_pages=np.array([0], np.int32)), "rec_texts"))
        for message in ("Exceeds maximum queue size", "broken"):
            error = pb_utils.InferenceResponse(error=pb_utils.TritonError(message))
            monkeypatch.setattr(pb_utils.InferenceRequest, "models", staticmethod(lambda _, e=error: e))
            self.reported(ocr_folder, request(file(GOOD), "rec_texts"))
        for reason in ("invalid_option", "overloaded", "internal"):
            assert values["tritonocr_rejected_files_total", "ocr", reason] == 1

    def test_the_log_line_names_the_request_and_holds_no_text(
        self, ocr_folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TRITONOCR_LOG_REQUESTS", "1")
        asked = request(file(GOOD), "rec_texts")
        asked._request_id = "scan-7"
        self.reported(ocr_folder, asked)
        (line,) = [record.msg for record in caplog.records if record.name == "tritonocr.requests"]
        assert (line["request_id"], line["status"], line["pages"], line["lines"]) == ("scan-7", "ok", 1, 1)
        assert set(line) == {
            *("message", "model", "instance", "request_id", "status", "received_bytes"),
            *("pages", "lines", "milliseconds", "stage_milliseconds"),
        }

    def test_a_bug_is_answered_with_the_id_under_which_the_log_has_it(
        self, ocr: Ocr, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ocr, "_parse", lambda *_: 1 / 0)
        asked = request(file(GOOD), "rec_texts")
        asked._request_id = "scan-7"
        (answer,) = ocr.execute([asked])
        told = "internal error (ZeroDivisionError); the server's log has the details under request id scan-7"
        assert failure(answer) == (pb_utils.TritonError.INTERNAL, told)
        assert "a request failed under request id scan-7" in caplog.text
        assert "division by zero" in caplog.text


class TestDirectCalls:
    """Strangers may call each model: what it cannot take is refused with one sentence."""

    @pytest.mark.parametrize(
        ("role", "shape", "message"),
        [
            pytest.param(
                Role.TEXT_RECOGNITION,
                (1, 48, 1, 3),
                "image: got a width of 1 px, expected 32 to 3200 px",
                id="a line that the network would pool to nothing",
            ),
            pytest.param(
                Role.TEXT_RECOGNITION,
                (1, 48, 3232, 3),
                "image: got a width of 3232 px, expected 32 to 3200 px",
                id="a line wider than any of ours",
            ),
            pytest.param(
                Role.TEXT_RECOGNITION,
                (1, 48, 0, 3),
                "image: got a width of 0 px, expected 32 to 3200 px",
                id="no line",
            ),
            pytest.param(
                Role.TEXT_DETECTION,
                (2, 4000, 4000, 3),
                "image: got 2 images of 4000x4000 px, expected at most 16777216 px in all",
                id="two of the largest pages",
            ),
        ],
    )
    def test_of_a_network(self, role: Role, shape: tuple[int, ...], message: str) -> None:
        with pytest.raises(InvalidInputError) as error:
            network._CHECKS[role](np.broadcast_to(np.uint8(0), shape))
        assert str(error.value) == message

    def test_of_a_stage_stop_when_the_client_has_gone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cancellation, "ASK_EVERY_S", 0)
        folder = tmp_path / "text_detection_postprocess"
        folder.mkdir()
        model = StageModel()
        model.initialize(arguments(folder, {"input": []}))
        asked = request(postprocess_inputs(), *STAGE_OUTPUTS["text_detection_postprocess"])
        asked.cancelled = True
        (answer,) = model.execute([asked])
        assert failure(answer) == (
            pb_utils.TritonError.CANCELLED,
            "the request was cancelled by its client",
        )


class TestFinalize:
    """Triton's process of an instance crashes when a metric is alive at its exit."""

    @pytest.mark.parametrize("model", [Ocr(), OcrStream()], ids=["ocr", "ocr_stream"])
    def test_of_the_pipeline_deletes_its_metrics(self, model: Any, ocr_folder: Path) -> None:
        with no_metric_left():
            model.initialize(arguments(ocr_folder))
            model.finalize()

    def test_of_a_stage_deletes_its_metrics(self, tmp_path: Path) -> None:
        (tmp_path / "text_crop").mkdir()
        model = StageModel()
        with no_metric_left():
            model.initialize(arguments(tmp_path / "text_crop", {"input": []}))
            model.finalize()

    def test_of_a_network_deletes_its_metrics(self, network_folder: Path) -> None:
        model = NetworkModel()
        with no_metric_left():
            model.initialize(arguments(network_folder))
            model.finalize()


@contextmanager
def no_metric_left() -> Iterator[None]:
    """Expect that no metric that the block creates is alive after it, while its model object is."""
    before = set(pb_utils.Metric.alive)
    yield
    assert set(pb_utils.Metric.alive) <= before
