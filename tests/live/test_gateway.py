"""The gateway with a real server: PaddleX's recorded responses, the tutorial's example, and errors."""

from __future__ import annotations

import base64
import html
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from beside_checkout import shared
from rapidfuzz.distance import Levenshtein
from running_gateway import Line, free_port, running

from tritonocr import OCRClient
from tritonocr_backend.server.embedded import EmbeddedServer
from tritonocr_gateway import Settings, create_app

DOCS = (Path(__file__).parents[2] / "docs" / "rest.md").read_text(encoding="utf-8")

# As the recorded server was set up.
NO_PREPROCESSING = {
    "useDocOrientationClassify": False,
    "useDocUnwarping": False,
    "useTextlineOrientation": False,
}
JSON = {"content-type": "application/json"}
BASE = "edge/00_base_rgb.png"


@pytest.fixture(scope="module")
def gateway(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    settings = Settings(url=server.grpc_url, jobs_directory=tmp_path_factory.mktemp("jobs"))
    with (
        running(create_app(settings)) as url,
        httpx.Client(base_url=url, timeout=120) as client,
    ):
        yield client


@dataclass(frozen=True)
class Case:
    """A recorded request: a file of the corpus with fields, or a raw body."""

    file: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    raw: Any = None
    headers: dict[str, str] = field(default_factory=lambda: JSON)
    method: str = "POST"
    path: str = "/ocr"
    replace_file: Any = None

    def send(self, gateway: httpx.Client, corpus: Path) -> httpx.Response:
        if self.method == "GET":
            return gateway.get(self.path)
        if self.file is None:
            return gateway.post(self.path, content=self.raw, headers=self.headers)
        text = base64.b64encode((corpus / self.file).read_bytes()).decode()
        file = self.replace_file(text) if self.replace_file else text
        return gateway.post(
            self.path,
            json={"file": file, "fileType": 1, "visualize": False, **NO_PREPROCESSING, **self.fields},
        )


def _image(name: str, **fields: Any) -> Case:
    return Case(f"edge/{name}", fields)


def _base(**fields: Any) -> Case:
    return Case(BASE, fields)


def _raw(raw: Any) -> Case:
    return Case(raw=raw if isinstance(raw, bytes) else json.dumps(raw).encode())


def _base64(replace: Any) -> Case:
    return Case(BASE, replace_file=replace)


_GOOD_BODY = b'{"file": "AAAA", "fileType": 1}'

CASES: dict[str, Case] = {
    "valid_png": _base(),
    "valid_png_logId": _base(logId="abc-123"),
    "valid_png_wordbox": _base(returnWordBox=True),
    "visualize_default": _base(visualize=None),
    "no_fileType_base64": _base(fileType=None),
    "fileType_null": _base(fileType=None),
    "fileType_2": _base(fileType=2),
    "fileType_str_'1'": _base(fileType="1"),
    "fileType_true": _base(fileType=True),
    "fileType_1.0": _base(fileType=1.0),
    "fileType_0_with_png": _base(fileType=0),
    "fileType_1_with_pdf": _image("60_1page.pdf", fileType=1),
    "bad_base64_chars": _base64(lambda _: "!!!not base64!!!"),
    "bad_base64_padding": _base64(lambda text: text.rstrip("=")[:-1]),
    "base64_with_newlines": _base64(lambda text: "\n".join(re.findall(".{1,76}", text))),
    "base64_urlsafe": _base64(lambda text: text.replace("+", "-").replace("/", "_")),
    "data_uri": _base64(lambda text: f"data:image/png;base64,{text}"),
    "base64_valid_not_image": _base64(lambda _: base64.b64encode(b"this is not an image").decode()),
    "missing_file": _raw({"fileType": 1}),
    "file_null": _raw({"file": None, "fileType": 1}),
    "file_int": _raw({"file": 5, "fileType": 1}),
    "empty_string_file": _raw({"file": "", "fileType": 1}),
    "empty_object": _raw({}),
    "json_list": _raw([]),
    "json_null": _raw(None),
    "json_string": _raw("text"),
    "body_empty": _raw(b""),
    "body_bad_json": _raw(b'{"file": '),
    "body_wrong_ctype": Case(raw=_GOOD_BODY, headers={"content-type": "text/plain"}),
    "body_no_ctype": Case(raw=_GOOD_BODY, headers={}),
    "invalid_utf8": _raw(b'{"file": "\xff\xfe"}'),
    "extra_field": _base(foo="bar"),
    "1x1": _image("10_white_1x1.png"),
    "blank": _image("11_blank_white.png"),
    "gray": _image("20_gray8.png"),
    "exif6_jpg": _image("23_exif6.jpg"),
    "cmyk_jpg": _image("24_cmyk.jpg"),
    "rgba": _image("21_rgba_black_on_transparent_black.png"),
    "gray16": _image("22_gray16.png"),
    "truncated_jpg_half": _image("30_truncated_half.jpg"),
    "truncated_png_half": _image("30_truncated_half.png"),
    "gif": _image("40_static.gif"),
    "jp2": _image("40.jp2"),
    "webp": _image("40.webp"),
    "avif": _image("40.avif"),
    "bmp": _image("40.bmp"),
    "tiff_single": _image("40.tiff"),
    "tiff_multi": _image("40_multipage.tif"),
    "tiff_exif6": _image("23_exif6.tiff"),
    "tiff_cmyk": _image("24_cmyk.tiff"),
    "pdf_12": _image("60_12pages.pdf", fileType=0),
    "pdf_garbage": _image("60_garbage.pdf", fileType=0),
    "pdf_password": _image("password_protected.pdf", fileType=0),
    "pdf_empty_string": _raw({"file": "", "fileType": 0}),
    "url_unreachable": _raw({"file": "http://127.0.0.1:9/x.png", "fileType": 1}),
    "url_no_type": _raw({"file": "http://127.0.0.1:9/x"}),
    "url_txt": _raw({"file": "http://127.0.0.1:9/x.txt"}),
    "textDetThresh='abc'": _base(textDetThresh="abc"),
    "textDetThresh=0.0": _base(textDetThresh=0.0),
    "textDetThresh=2": _base(textDetThresh=2),
    "textDetLimitType='foo'": _base(textDetLimitType="foo"),
    "textDetLimitSideLen=1.5": _base(textDetLimitSideLen=1.5),
    "textDetLimitSideLen=-5": _base(textDetLimitSideLen=-5),
    "textDetLimitSideLen=64": _base(textDetLimitSideLen=64),
    "textDetUnclipRatio=-1": _base(textDetUnclipRatio=-1),
    "useTextlineOrientation=True": _base(useTextlineOrientation=True),
    "useDocUnwarping=True": _base(useDocUnwarping=True),
    "useDocOrientationClassify=False": _base(useDocOrientationClassify=False),
    "textRecScoreThresh=0.999": _base(textRecScoreThresh=0.999),
    "visualize='yes'": _base(visualize="yes"),
    "visualize=0": _base(visualize=0),
    "logId=5": _base(logId=5),
    "GET /ocr": Case(method="GET", path="/ocr"),
    "GET /": Case(method="GET", path="/"),
    "GET /nope": Case(method="GET", path="/nope"),
    "GET /health": Case(method="GET", path="/health"),
    "POST /health": Case(raw=b"", path="/health"),
    "GET /openapi.json": Case(method="GET", path="/openapi.json"),
    "GET /docs": Case(method="GET", path="/docs"),
    "huge_12000x9000": _image("50_huge_12000x9000.png"),
    "huge_20000x20000": _image("50_huge_20000x20000.png"),
}


@dataclass(frozen=True)
class Difference:
    """Responses that intentionally differ from PaddleX's; docs/rest.md has the same rows.

    Attributes:
        status: ours.
        contains: what our body has in it.
    """

    status: int
    contains: str = ""


LINES = "Second line ABC"
DIFFERENCES: dict[str, Difference] = {
    "no_fileType_base64": Difference(200, LINES),
    "fileType_null": Difference(200, LINES),
    "data_uri": Difference(200, LINES),
    "body_wrong_ctype": Difference(415, "text/plain"),
    "body_no_ctype": Difference(415, "missing"),
    "extra_field": Difference(200, "The field 'foo' is unknown"),
    "rgba": Difference(200, LINES),
    "truncated_jpg_half": Difference(422, "truncated"),
    "gif": Difference(200, LINES),
    "avif": Difference(200, LINES),
    "pdf_12": Difference(200, '"numPages":12'),
    "textDetThresh=0.0": Difference(200, '"thresh":0.0'),
    "textDetThresh=2": Difference(422, "body.textDetThresh"),
    "textDetLimitType='foo'": Difference(422, "body.textDetLimitType"),
    "textDetLimitSideLen=-5": Difference(422, "body.textDetLimitSideLen"),
    "textDetUnclipRatio=-1": Difference(422, "body.textDetUnclipRatio"),
    "useTextlineOrientation=True": Difference(200, LINES),
    "useDocUnwarping=True": Difference(200, LINES),
    "logId=5": Difference(422, "body.logId"),
    "GET /": Difference(200, "<html"),
}


@pytest.fixture(scope="module")
def recorded(corpus: Path) -> dict[str, Any]:
    """By name, PaddleX's status and body; its lists are cut to three elements."""
    cases: dict[str, Any] = json.loads((corpus / "reference" / "paddlex_rest.json").read_text("utf-8"))
    return cases


def test_every_recorded_case_is_sent(recorded: dict[str, Any]) -> None:
    assert recorded.keys() == CASES.keys()
    assert DIFFERENCES.keys() <= CASES.keys()


@pytest.mark.parametrize("name", [name for name in CASES if name not in DIFFERENCES])
def test_the_answer_is_paddlex_s(
    gateway: httpx.Client, corpus: Path, recorded: dict[str, Any], name: str
) -> None:
    theirs, ours = recorded[name], CASES[name].send(gateway, corpus)
    assert ours.status_code == theirs["status"], ours.text[:300]
    if name in ("GET /openapi.json", "GET /docs"):
        return  # their text is FastAPI's and Swagger's
    body = theirs["body"] if isinstance(theirs["body"], dict) else json.loads(theirs["body"])
    assert ours.json().keys() == body.keys()
    assert ours.json()["errorCode"] == body["errorCode"]
    if "result" in body:
        _assert_same_result(ours.json()["result"], body["result"])
    elif body["errorMsg"].startswith("[") or ours.status_code in (400, 404, 405):
        assert ours.json()["errorMsg"] == body["errorMsg"]


LAYOUT_KEYS = (
    *("reading_order", "row_index", "block_index", "block_kind"),
    *("text_word_polys", "text_word_scores"),
)
"""Keys that TritonOCR adds to PaddleX's."""


def _assert_same_result(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert _cut(ours["dataInfo"]) == theirs["dataInfo"]
    for our_page, their_page in zip(ours["ocrResults"], theirs["ocrResults"], strict=True):
        assert our_page.keys() == their_page.keys()
        our, their = our_page["prunedResult"], their_page["prunedResult"]
        assert set(our) - set(their) <= {"dt_scores", "textline_orientation_angles", *LAYOUT_KEYS}
        assert set(their) - set(our) <= {"return_word_box"}
        assert our["model_settings"] == their["model_settings"]
        assert our["text_det_params"] == {
            name: value for name, value in their["text_det_params"].items() if name != "max_side_limit"
        }
        side_px = our["text_det_params"]["limit_side_len"]
        # On a map of 64 px, one pixel is ten of the page: bf16 cuts other lines than float32 there.
        max_edits = 1 if side_px <= 64 else 0
        for our_text, their_text in zip(our["rec_texts"], their["rec_texts"], strict=True):
            assert Levenshtein.distance(our_text, their_text) <= max_edits, (our_text, their_text)
        np.testing.assert_allclose(our["rec_scores"], their["rec_scores"], atol=0.15 if max_edits else 0.05)
        tolerance_px = 4 * max(1, ours["dataInfo"].get("width", 0) / side_px)  # 4 px of detection's map
        for boxes in ("dt_polys", "rec_polys", "rec_boxes"):
            assert len(our[boxes]) == len(their[boxes])
            if our[boxes]:
                np.testing.assert_allclose([_cut(box) for box in our[boxes]], their[boxes], atol=tolerance_px)


def _cut(value: Any) -> Any:
    """Cut lists as the recording does."""
    if isinstance(value, dict):
        return {name: _cut(item) for name, item in value.items()}
    return value[:3] if isinstance(value, list) else value


@pytest.mark.parametrize("name", DIFFERENCES)
def test_where_the_answer_differs_it_does_so_on_purpose(
    gateway: httpx.Client, corpus: Path, recorded: dict[str, Any], name: str
) -> None:
    ours = CASES[name].send(gateway, corpus)
    assert ours.status_code == DIFFERENCES[name].status, ours.text[:300]
    assert DIFFERENCES[name].contains in ours.text
    assert f"`{name}`" in DOCS, "the table of differences lacks it"
    theirs = recorded[name]
    same_status = theirs["status"] == ours.status_code
    assert not same_status or ours.json()["result"] != theirs["body"]["result"], "it does not differ any more"


def test_the_tutorial_s_example_runs_as_it_stands(
    server: EmbeddedServer, corpus: Path, tmp_path: Path
) -> None:
    """Taken from the tutorial and run as a process, beside a gateway on the port that it names."""
    tutorial = next(shared("seeds").glob("*.txt")).read_text(encoding="utf-8")
    found = re.search(r'<code class="language-python">(import base64.*?)</code>', tutorial, re.DOTALL)
    assert found, "the tutorial has no Python example of the service"
    code, port = html.unescape(found[1]), 8080
    assert f"localhost:{port}" in code
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:  # another server: only the port differs
            probe.close()
            port = free_port()
            code = code.replace("localhost:8080", f"localhost:{port}")
    (tmp_path / "example.py").write_text(code, encoding="utf-8")
    (tmp_path / "demo.jpg").write_bytes((corpus / "edge" / "01_base.jpg").read_bytes())
    with running(create_app(Settings(url=server.grpc_url)), port):
        done = subprocess.run(
            [sys.executable, "example.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 0, done.stderr
    assert "Hello" in done.stdout
    assert (tmp_path / "ocr_0.jpg").read_bytes().startswith(b"\xff\xd8\xff")


def test_every_door_gives_the_same_lines(gateway: httpx.Client, server: EmbeddedServer, corpus: Path) -> None:
    path = corpus / "receipts" / "314.jpg"
    content = path.read_bytes()
    with OCRClient(server.grpc_url) as client:
        (result,) = client.ocr(content)
    with OCRClient(f"http://{server.http_url}") as client:
        over_http = client.ocr(content)[0]
    command = [sys.executable, "-m", "tritonocr", "predict", "--url", server.grpc_url, "--format", "text"]
    as_printed = subprocess.run(
        [*command, "--quiet", "--input", str(path)], capture_output=True, text=True, timeout=120, check=True
    ).stdout
    body = {"file": base64.b64encode(content).decode(), "visualize": False}
    as_json = gateway.post("/ocr", json=body).json()["result"]["ocrResults"][0]["prunedResult"]
    as_form = gateway.post("/ocr", files={"file": content}).json()["result"]["ocrResults"][0]["prunedResult"]
    as_text = gateway.post("/ocr", json=body, headers={"accept": "text/plain"}).text
    assert len(result["rec_texts"]) > 20
    for pruned in (over_http.json["res"], as_json, as_form):
        assert pruned["rec_texts"] == result["rec_texts"]
        assert pruned["dt_polys"] == result.json["res"]["dt_polys"]
    assert as_text == as_printed == f"{result.text}\n"


def test_a_searchable_pdf_has_the_pages_text(gateway: httpx.Client, corpus: Path) -> None:
    import pypdfium2

    content = (corpus / "edge" / "60_12pages.pdf").read_bytes()
    answer = gateway.post(
        "/ocr",
        files={"file": content},
        data={"fileType": "0", "maxPages": "2", "useDocUnwarping": "false"},
        headers={"accept": "application/pdf"},
    )
    assert (answer.headers["x-page-count"], answer.headers["x-pages-read"]) == ("12", "2")
    pdf = pypdfium2.PdfDocument(answer.content)
    texts = [page.get_textpage().get_text_range() for page in pdf]
    pdf.close()
    assert "Page 1 of twelve" in texts[0]
    assert "Page 2 of twelve" in texts[1]
    assert texts[2:] == [""] * 10, "pages that were not read are kept, without text"


def test_models_are_those_of_the_server(gateway: httpx.Client) -> None:
    models = gateway.get("/models").json()
    assert "PP-OCRv4_mobile_det" in models["textDetection"]
    assert "PP-OCRv4_mobile_rec" in models["textRecognition"]
    assert "UVDoc" not in str(models)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("textRecognitionModelName", "PP-OCRv4_mobile_det", "text_recognition_model_name"),
        ("textDetectionModelName", "nope", "text_detection_model_name"),
        ("lang", "xx", "lang: got 'xx'"),
    ],
)
def test_a_model_that_is_not_served_is_the_request_s_fault(
    gateway: httpx.Client, corpus: Path, field: str, value: str, message: str
) -> None:
    answer = Case(BASE, {field: value}).send(gateway, corpus)
    assert answer.status_code == 422
    assert message in answer.json()["errorMsg"]


def test_a_file_that_takes_too_long(server: EmbeddedServer, corpus: Path) -> None:
    with (
        running(create_app(Settings(url=server.grpc_url, timeout_s=0.05))) as url,
        httpx.Client(base_url=url) as client,
    ):
        answer = Case("receipts/314.jpg").send(client, corpus)
    assert (answer.status_code, answer.json()["errorCode"]) == (504, 504)


def test_the_gateway_outlives_the_server(server: EmbeddedServer, corpus: Path) -> None:
    """Triton stops and starts again; the gateway stays up, reports it, and continues."""
    with (
        Line(server.grpc_port) as line,
        running(create_app(Settings(url=f"127.0.0.1:{line.port}", restart_wait_s=4))) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        assert CASES["valid_png"].send(client, corpus).status_code == 200
        line.cut()
        away = CASES["valid_png"].send(client, corpus)
        assert (away.status_code, away.headers["retry-after"]) == (503, "1")
        assert client.get("/health/ready").status_code == 503
        assert client.get("/models").status_code == 503
        assert client.get("/health").status_code == 200
        with ThreadPoolExecutor(1) as pool:
            held = pool.submit(CASES["valid_png"].send, client, corpus)
            time.sleep(0.5)
            line.mend()
            assert held.result().status_code == 200, "the request waited"
        assert eventually(lambda: client.get("/health/ready").status_code == 200)
        assert CASES["valid_png"].send(client, corpus).status_code == 200


def eventually(condition: Callable[[], bool], timeout_s: float = 60) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    return condition()


def test_a_client_that_goes_away_frees_the_server(
    gateway: httpx.Client, server: EmbeddedServer, corpus: Path
) -> None:
    """What the instances of `ocr_stream`, which reads documents, have not begun is cancelled in Triton."""
    content = base64.b64encode((corpus / "edge" / "60_12pages.pdf").read_bytes()).decode()
    before = _cancelled(server)

    def give_up(_: int) -> None:
        with pytest.raises(httpx.ReadTimeout):
            gateway.post("/ocr", json={"file": content, "visualize": False, "maxPages": 2}, timeout=0.5)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(give_up, range(8)))
    assert eventually(lambda: _cancelled(server) > before)


def _cancelled(server: EmbeddedServer) -> float:
    text = httpx.get(server.metrics_url).text
    cancelled = r'nv_inference_request_failure\{model="ocr_stream",reason="CANCELED"[^}]*\} (\S+)'
    return sum(map(float, re.findall(cancelled, text)))


@pytest.mark.parametrize(
    "generation",
    [
        pytest.param(("--phases", "examples,coverage"), id="every-constraint-kept-and-broken"),
        # Broken requests are not fuzzed: Schemathesis itself fails on an upload that it has mutated.
        pytest.param(("--phases", "fuzzing", "--mode", "positive", "--max-time", "25"), id="fuzzing"),
    ],
)
def test_no_request_fails_inside(gateway: httpx.Client, generation: tuple[str, ...]) -> None:
    """Schemathesis, on the gateway's own OpenAPI: no 5xx, and every answer as documented."""
    checks = (
        "not_a_server_error,status_code_conformance,content_type_conformance,"
        "response_schema_conformance,negative_data_rejection,unsupported_method"
    )
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{gateway.base_url}/openapi.json"]
    done = subprocess.run(
        [*command, "--checks", checks, *generation, "--no-color"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout[-5000:]
    assert re.search(r"\d{2,} generated, \d{2,} passed", done.stdout), done.stdout[-2000:]
