"""Requests of Triton's own clients: rejected requests, and the features of each protocol."""

import base64
import json
import queue
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

from tritonocr import InvalidInputError, OCRClient, OCRFailure, OCRResult, demo_page
from tritonocr._demo import DEMO_LINES
from tritonocr_backend.server.embedded import EmbeddedServer

OFF = ("use_doc_orientation_classify", "use_doc_unwarping", "use_textline_orientation")
TYPES = {bool: "BOOL", int: "INT32", float: "FP32", str: "BYTES", bytes: "BYTES", list: "BYTES"}
DTYPES = {"BOOL": np.bool_, "INT32": np.int32, "FP32": np.float32, "BYTES": np.object_, "UINT8": np.uint8}


@pytest.fixture(scope="module")
def page_bytes() -> bytes:
    """The demo page as PNG."""
    return bytes(cv2.imencode(".png", demo_page())[1])


@pytest.fixture(scope="module")
def grpc(server: EmbeddedServer) -> Iterator[tritonclient.grpc.InferenceServerClient]:
    """Triton's own gRPC client."""
    with tritonclient.grpc.InferenceServerClient(server.grpc_url) as client:
        yield client


def infer(client: Any, module: Any, model: str = "ocr", **inputs: Any) -> Any:
    """Send inputs given as Python values (one element each) or arrays."""
    tensors = []
    for name, value in inputs.items():
        array = value if isinstance(value, np.ndarray) else None
        datatype = "UINT8" if array is not None else TYPES[type(value)]
        if array is None:
            array = np.array(value if isinstance(value, list) else [value], dtype=DTYPES[datatype])
        tensor = module.InferInput(name, list(array.shape), datatype)
        tensor.set_data_from_numpy(array)
        tensors.append(tensor)
    return client.infer(model, tensors)


def texts(answer: Any) -> list[str]:
    return [text.decode() for text in answer.as_numpy("rec_texts")]


def plain() -> dict[str, Any]:
    return dict.fromkeys(OFF, False)


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_triton_clients_read_the_demo_page(server: EmbeddedServer, page_bytes: bytes, protocol: str) -> None:
    module = {"grpc": tritonclient.grpc, "http": tritonclient.http}[protocol]
    url = {"grpc": server.grpc_url, "http": server.http_url}[protocol]
    with module.InferenceServerClient(url) as client:
        answer = infer(client, module, file=page_bytes)
    assert sorted(texts(answer)) == sorted(line.text for line in DEMO_LINES)
    upside_down = [line.text for line in DEMO_LINES].index("This line stands on its head")
    assert answer.as_numpy("textline_orientation_angles").sum() == 1, DEMO_LINES[upside_down]


@pytest.mark.parametrize("prefix", [b"", b"data:image/png;base64,"])
def test_curl_with_base64_in_json(server: EmbeddedServer, page_bytes: bytes, prefix: bytes) -> None:
    body = {
        "inputs": [
            {
                "name": "file",
                "shape": [1],
                "datatype": "BYTES",
                "data": [(prefix + base64.b64encode(page_bytes)).decode()],
            },
            {"name": "use_doc_unwarping", "shape": [1], "datatype": "BOOL", "data": [False]},
        ],
        "outputs": [{"name": "rec_texts"}],
    }
    command = ["curl", "-sS", "--data-binary", "@-", f"http://{server.http_url}/v2/models/ocr/infer"]
    answer = subprocess.run(command, input=json.dumps(body).encode(), capture_output=True, check=True).stdout
    [output] = json.loads(answer)["outputs"]
    assert sorted(output["data"]) == sorted(line.text for line in DEMO_LINES)


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
def test_the_javascript_example(server: EmbeddedServer, page_bytes: bytes, tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "model_repository" / "README.md").read_text("utf-8")
    (tmp_path / "read.mjs").write_text(readme.split("```js\n")[1].split("```")[0])
    (tmp_path / "page.png").write_bytes(page_bytes)
    (tmp_path / "text.png").write_text("text")
    command = ["node", str(tmp_path / "read.mjs")]
    url = f"http://{server.http_url}"
    done = subprocess.run([*command, str(tmp_path / "page.png"), url], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for line in DEMO_LINES:
        assert f"{line.text} [" in done.stdout
    failed = subprocess.run([*command, str(tmp_path / "text.png"), url], capture_output=True, text=True)
    assert "Error: " in failed.stderr
    assert "file: " in failed.stderr


def test_raw_pixels_read_like_the_file(grpc: Any, page_bytes: bytes) -> None:
    by_file = infer(grpc, tritonclient.grpc, file=page_bytes, **plain())
    by_pixels = infer(grpc, tritonclient.grpc, image=demo_page(), **plain())
    assert texts(by_file) == texts(by_pixels)


BAD_REQUESTS = [
    pytest.param({}, "got neither file nor image, expected exactly one", id="nothing"),
    pytest.param({"file": b"x", "image": np.zeros((9, 9, 3), np.uint8)}, "got file and image", id="both"),
    pytest.param({"image": np.zeros((0, 9, 3), np.uint8)}, "image: got an image of 9x0 px", id="no-pixels"),
    pytest.param({"text_det_thresh": 1.5}, "text_det_thresh: got 1.5, expected 0 to 1", id="above"),
    pytest.param({"text_det_thresh": float("nan")}, "text_det_thresh: got nan", id="nan"),
    pytest.param({"text_det_unclip_ratio": -1.0}, "text_det_unclip_ratio: got -1", id="negative"),
    pytest.param({"text_det_limit_side_len": 0}, "text_det_limit_side_len: got 0, expected 1", id="zero-px"),
    pytest.param({"text_det_limit_type": "foo"}, "text_det_limit_type: got 'foo', expected", id="word"),
    pytest.param({"max_pages": 0}, "max_pages: got 0, expected 1", id="no-pages"),
    pytest.param({"lang": "klingon"}, "lang: got 'klingon', which no served model reads", id="lang"),
    pytest.param(
        {"text_recognition_model_name": "nope"},
        "text_recognition_model_name: got 'nope', which is not served; expected one of PP-OCRv4_mobile_rec",
        id="unknown-model",
    ),
    pytest.param(
        {"text_detection_model_name": "PP-OCRv4_mobile_rec"},
        "text_detection_model_name: got 'PP-OCRv4_mobile_rec', which is not served; expected one of PP",
        id="model-of-another-role",
    ),
    pytest.param({"text_det_thresh": 1}, "inference input 'text_det_thresh' data-type is 'INT32'", id="type"),
    pytest.param({"use_doc_unwarping": [b"a", b"b"]}, "use_doc_unwarping", id="type-and-shape"),
    pytest.param({"nope": 1}, "unexpected inference input 'nope'", id="unknown-input"),
]


@pytest.mark.parametrize("protocol", ["grpc", "http"])
@pytest.mark.parametrize(("inputs", "sentence"), BAD_REQUESTS)
def test_bad_requests(
    server: EmbeddedServer, page_bytes: bytes, protocol: str, inputs: dict[str, Any], sentence: str
) -> None:
    module = {"grpc": tritonclient.grpc, "http": tritonclient.http}[protocol]
    url = {"grpc": server.grpc_url, "http": server.http_url}[protocol]
    page = {} if not inputs or inputs.keys() & {"file", "image"} else {"file": page_bytes}
    with module.InferenceServerClient(url) as client:
        with pytest.raises(InferenceServerException) as caught:
            infer(client, module, **page, **inputs)
        assert sentence in caught.value.message()
        assert "INVALID_ARG" in str(caught.value.status()) or caught.value.status() == "400"
        assert texts(infer(client, module, image=np.full((64, 64, 3), 255, np.uint8))) == []


def test_an_http_client_gets_status_400(server: EmbeddedServer) -> None:
    body = b'{"inputs": [{"name": "file", "shape": [1], "datatype": "BYTES", "data": ["hello"]}]}'
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://{server.http_url}/v2/models/ocr/infer", body, timeout=30)
    assert caught.value.code == 400
    assert "expected a JPEG" in json.loads(caught.value.read())["error"]


def test_a_threshold_of_zero_is_zero(grpc: Any) -> None:
    dust = np.full((200, 300, 3), 255, np.uint8)
    dust[100:104, 100:130] = 90
    kept = infer(grpc, tritonclient.grpc, image=dust, text_det_box_thresh=0.0, text_det_thresh=0.0, **plain())
    default = infer(grpc, tritonclient.grpc, image=dust, **plain())
    assert len(kept.as_numpy("dt_polys")) > len(default.as_numpy("dt_polys"))


def test_one_bad_request_harms_none_of_the_seven(server: EmbeddedServer, page_bytes: bytes) -> None:
    files = [page_bytes] * 8
    files[3] = page_bytes[: len(page_bytes) // 2]
    with OCRClient(server.grpc_url) as client:
        results = list(client.predict(files, jobs=8))
    assert [type(result) for result in results] == [OCRFailure if i == 3 else OCRResult for i in range(8)]
    for result in results:
        if isinstance(result, OCRResult):
            assert len(result["rec_texts"]) == len(DEMO_LINES)


def test_pages_of_a_stream_come_one_by_one(grpc: Any, corpus: Path) -> None:
    answers: queue.Queue[Any] = queue.Queue()
    grpc.start_stream(lambda result, error: answers.put((result, error)))
    file = tritonclient.grpc.InferInput("file", [1], "BYTES")
    file.set_data_from_numpy(np.array([(corpus / "edge" / "60_12pages.pdf").read_bytes()], dtype=object))
    try:
        grpc.async_stream_infer("ocr_stream", [file], enable_empty_final_response=True)
        pages, final = [], False
        while not final:
            result, error = answers.get(timeout=60)
            assert error is None
            final = result.get_response().parameters["triton_final_response"].bool_param
            if not final:
                pages.append(set(result.as_numpy("page_index").tolist()))
                assert result.as_numpy("page_count")[0] == 12
    finally:
        grpc.stop_stream()
    assert pages == [{index} for index in range(10)], "max_pages is 10 unless asked otherwise"


def test_bad_files_in_streams_harm_no_server(grpc: Any, server: EmbeddedServer) -> None:
    """Triton 2.51 sometimes crashes if a stream with the header triton_grpc_error has an error."""
    bad = [b"%PDF-1.7 no document", b"II*\0 no picture"]
    with OCRClient(server.grpc_url) as client:
        for failure in client.predict(bad * 50):
            assert isinstance(failure, OCRFailure)
            assert isinstance(failure.error, InvalidInputError), failure.error
    assert grpc.is_server_ready()


def test_what_is_not_asked_for_is_not_computed(grpc: Any, page_bytes: bytes) -> None:
    def recognitions() -> int:
        stats = grpc.get_inference_statistics("PP-OCRv4_mobile_rec").model_stats[0]
        return int(stats.inference_count)

    before = recognitions()
    file = tritonclient.grpc.InferInput("file", [1], "BYTES")
    file.set_data_from_numpy(np.array([page_bytes], dtype=object))
    only_boxes = [tritonclient.grpc.InferRequestedOutput("dt_polys")]
    answer = grpc.infer("ocr", [file], outputs=only_boxes)
    assert len(answer.as_numpy("dt_polys")) == len(DEMO_LINES)
    assert answer.as_numpy("rec_texts") is None
    assert recognitions() == before


def test_every_stage_shows_in_tritons_statistics(grpc: Any, page_bytes: bytes) -> None:
    def counts() -> dict[str, int]:
        stats = grpc.get_inference_statistics().model_stats
        return {stat.name: stat.inference_stats.success.count for stat in stats}

    def grown() -> set[str]:
        return {name for name, count in counts().items() if count > before.get(name, 0)}

    before = counts()
    infer(grpc, tritonclient.grpc, file=page_bytes)
    deadline_s = time.monotonic() + 5  # Triton counts a request after its answer has left
    while "ocr" not in grown() and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert grown() == {*before} - {"ocr_stream"}, "the demo page has work for every stage"


@pytest.mark.parametrize(
    ("line_count", "limit_side_len"),
    [
        pytest.param(1, 960, id="one"),
        pytest.param(129, 2400, id="more-than-128"),
        pytest.param(2500, 3200, id="contour-limit"),
    ],
)
def test_no_line_is_lost(grpc: Any, line_count: int, limit_side_len: int) -> None:
    rows, columns = -(-line_count // 25), min(line_count, 25)
    page = np.full((rows * 32 + 40, columns * 96 + 40, 3), 255, np.uint8)
    for number in range(line_count):
        row, column = divmod(number, columns)
        at = (20 + column * 96, 44 + row * 32)
        cv2.putText(page, f"{number:04}", at, cv2.FONT_HERSHEY_SIMPLEX, 0.7, (0, 0, 0), 2)
    answer = infer(grpc, tritonclient.grpc, image=page, text_det_limit_side_len=limit_side_len, **plain())
    assert len(answer.as_numpy("dt_polys")) == len(texts(answer)) == line_count
    assert not answer.as_numpy("max_candidates_reached").any()


def test_a_very_long_line_is_read(grpc: Any) -> None:
    page = np.full((100, 6000, 3), 255, np.uint8)
    cv2.putText(page, "0123456789 " * 22, (20, 65), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (0, 0, 0), 3)
    answer = infer(grpc, tritonclient.grpc, image=page, text_det_limit_side_len=4000, **plain())
    assert len(texts(answer)) == 1, "wider than 3200 px at 48 px height"
    assert texts(answer)[0].startswith("0123456789")


def test_a_page_of_forty_megapixels_is_read(grpc: Any) -> None:
    page = np.full((5000, 8000, 3), 255, np.uint8)
    cv2.putText(page, "FORTY MEGAPIXELS", (300, 2500), cv2.FONT_HERSHEY_SIMPLEX, 20, (0, 0, 0), 50)
    answer = infer(grpc, tritonclient.grpc, image=page, **plain())
    assert "".join(texts(answer)).replace(" ", "") == "FORTYMEGAPIXELS"


@pytest.mark.parametrize(
    ("model", "shapes"),
    [
        pytest.param("ocr", [], id="whole-pipeline"),
        pytest.param("PP-OCRv4_mobile_rec", ["--shape", "image:48,320,3"], id="a-network-alone"),
    ],
)
def test_perf_analyzer(
    server: EmbeddedServer, page_bytes: bytes, tmp_path: Path, model: str, shapes: list[str]
) -> None:
    data = tmp_path / "page.json"
    content = {"data": [{"file": [base64.b64encode(page_bytes).decode()]}]}
    data.write_text(json.dumps(content))
    inputs = shapes or ["--input-data", str(data), "--shape", "file:1"]
    command = [
        *(
            sys.executable,
            "-m",
            "tritonocr",
            "perf-analyzer",
            "-m",
            model,
            "-u",
            server.grpc_url,
            "-i",
            "grpc",
            *inputs,
        ),
        *("--measurement-mode", "count_windows", "--measurement-request-count", "3"),
        *("--max-trials", "6", "--stability-percentage", "999"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "Throughput:" in done.stdout, done.stdout + done.stderr
