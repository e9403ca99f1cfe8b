"""The protocols of other OCR servers, each against its written contract."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_triton import answer, blank_page, picture

import tritonocr
from tritonocr_gateway.adapters import adapters

FILE = base64.b64encode(picture()).decode()
BOX = [[10, 10], [90, 10], [90, 30], [10, 30]]
# By adapter: a request without a file, and the keys of the protocol's error body.
BAD_REQUESTS: dict[str, tuple[str, str, dict[str, Any], set[str]]] = {
    "paddlex_ocr": ("POST", "/ocr", {"json": {}}, {"logId", "errorCode", "errorMsg"}),
    "layout_parsing": ("POST", "/layout-parsing", {"json": {}}, {"logId", "errorCode", "errorMsg"}),
    "open_webui": ("PUT", "/process", {"content": b""}, {"detail"}),
    "liteparse": ("POST", "/liteparse/ocr", {"files": {"x": b"1"}}, {"error"}),
    "rapidocr": ("POST", "/rapidocr/ocr", {"data": {"x": "1"}}, {"detail"}),
    "umi_ocr": ("POST", "/api/ocr", {"json": {}}, {"code", "data"}),
    "paddleocr_jobs": ("POST", "/api/v2/ocr/jobs", {"files": {"x": b"1"}}, {"code", "msg", "logId"}),
}


@pytest.mark.parametrize("name", adapters())
def test_a_bad_request_gets_the_error_form_of_its_protocol(serve: Any, name: str, tmp_path: Any) -> None:
    method, path, arguments, keys = BAD_REQUESTS[name]
    response = serve(jobs_directory=tmp_path).request(method, path, **arguments)
    assert response.status_code == 422
    assert response.json().keys() == keys


@pytest.mark.parametrize("name", adapters())
def test_an_adapter_can_be_switched_off(serve: Any, name: str) -> None:
    method, path, arguments, _ = BAD_REQUESTS[name]
    client = serve(disabled_adapters=name)
    assert client.request(method, path, **arguments).status_code == 404
    assert path not in client.get("/openapi.json").json()["paths"]


@pytest.mark.parametrize("name", adapters())
def test_every_adapter_asks_for_a_key(serve: Any, name: str, tmp_path: Any) -> None:
    method, path, arguments, keys = BAD_REQUESTS[name]
    response = serve(api_keys="secret", jobs_directory=tmp_path).request(method, path, **arguments)
    assert (response.status_code, response.json().keys()) == (401, keys)


@pytest.mark.parametrize("name", adapters())
def test_every_adapter_rejects_a_wrong_key(serve: Any, name: str, tmp_path: Any) -> None:
    method, path, arguments, keys = BAD_REQUESTS[name]
    client = serve(api_keys="secret", jobs_directory=tmp_path)
    response = client.request(method, path, headers={"Authorization": "Bearer wrong"}, **arguments)
    assert (response.status_code, response.json().keys()) == (401, keys)
    assert "wrong" not in response.text.replace("missing or wrong", "")


# By adapter: a request whose field has the wrong type, and the name of the field.
WRONG_TYPES: dict[str, tuple[dict[str, Any], str]] = {
    "paddlex_ocr": ({"json": {"file": 5}}, "file"),
    "layout_parsing": ({"json": {"file": "", "useDocUnwarping": "perhaps"}}, "useDocUnwarping"),
    "rapidocr": ({"data": {"image_data": "AAAA", "use_cls": "perhaps"}}, "use_cls"),
    "umi_ocr": ({"json": {"base64": 5}}, "base64"),
    "paddleocr_jobs": (
        {"files": {"file": b"x"}, "data": {"optionalPayload": '{"textDetThresh": [1]}'}},
        "textDetThresh",
    ),
}


@pytest.mark.parametrize(
    ("form", "status", "sent"),
    [
        ({}, 200, None),
        ({"use_cls": "true"}, 200, True),
        ({"use_cls": "0", "use_det": "1"}, 200, False),
        ({"use_det": "false"}, 422, None),
        ({"use_rec": "false"}, 422, None),
    ],
)
def test_rapidocr_s_steps(serve: Any, triton: Any, form: dict[str, str], status: int, sent: Any) -> None:
    response = serve().post("/rapidocr/ocr", data={"image_data": FILE, **form})
    assert response.status_code == status, response.text
    if status == 200:
        assert triton.sent().get("use_textline_orientation") == sent
    else:
        assert "cannot be switched off" in response.json()["detail"]


@pytest.mark.parametrize("name", WRONG_TYPES)
def test_a_field_of_a_wrong_type_is_named_by_every_adapter(serve: Any, name: str, tmp_path: Path) -> None:
    method, path, _, keys = BAD_REQUESTS[name]
    arguments, field = WRONG_TYPES[name]
    response = serve(jobs_directory=tmp_path).request(method, path, **arguments)
    assert (response.status_code, response.json().keys()) == (422, keys)
    assert field in response.text


# By adapter: the request of a file, and whether the protocol carries Base64 and a language.
DOORS: dict[str, Any] = {
    "paddlex_ocr": lambda content: {"json": {"file": content}},
    "layout_parsing": lambda content: {"json": {"file": content}},
    "umi_ocr": lambda content: {"json": {"base64": content}},
    "rapidocr": lambda content: {"data": {"image_data": content}},
    "open_webui": lambda content: {"content": content},
    "liteparse": lambda content: {"files": {"file": content}},
    "paddleocr_jobs": lambda content: {"files": {"file": content}},
}
WITH_BASE64 = ("paddlex_ocr", "layout_parsing", "umi_ocr", "rapidocr")


def sent_to(serve: Any, name: str, content: Any, **settings: Any) -> tuple[int, str]:
    """Send a file to an adapter; return the status and the sentence of its error, in the adapter's form."""
    method, path, _, keys = BAD_REQUESTS[name]
    response = serve(**settings).request(method, path, **DOORS[name](content))
    body = response.json()
    assert body.keys() == keys, body
    (sentence,) = (body[key] for key in ("errorMsg", "detail", "error", "data", "msg") if key in body)
    return response.status_code, sentence


@pytest.mark.parametrize("name", DOORS)
def test_an_empty_file_is_named_by_every_adapter(serve: Any, name: str, tmp_path: Path) -> None:
    content: Any = "" if name in WITH_BASE64 else b""
    status, sentence = sent_to(serve, name, content, jobs_directory=tmp_path)
    assert status == 422
    assert "empty" in sentence or "required" in sentence


@pytest.mark.parametrize("name", WITH_BASE64)
def test_bad_base64_is_named_by_every_adapter(serve: Any, name: str) -> None:
    status, sentence = sent_to(serve, name, "!" * 40)
    assert (status, sentence.startswith("The file is not Base64")) == (422, True)


@pytest.mark.parametrize("name", DOORS)
def test_a_body_over_the_limit_is_named_by_every_adapter(serve: Any, name: str, tmp_path: Path) -> None:
    content: Any = "A" * 5000 if name in WITH_BASE64 else b"A" * 5000
    status, sentence = sent_to(serve, name, content, max_body_bytes=2048, jobs_directory=tmp_path)
    assert (status, "setting max_body_bytes" in sentence) == (413, True)


@pytest.mark.parametrize("name", [name for name in DOORS if name != "paddleocr_jobs"])
def test_a_file_that_triton_rejects_is_named_by_every_adapter(serve: Any, triton: Any, name: str) -> None:
    triton.error = tritonocr.InvalidInputError("file: the format is unknown")
    content: Any = FILE if name in WITH_BASE64 else b"text"
    assert sent_to(serve, name, content) == (422, "file: the format is unknown")


@pytest.mark.parametrize("name", [name for name in DOORS if name != "paddleocr_jobs"])
def test_a_server_that_is_away_is_named_by_every_adapter(serve: Any, triton: Any, name: str) -> None:
    triton.error = tritonocr.ServerUnavailableError("10.0.0.1 refuses")
    content: Any = FILE if name in WITH_BASE64 else b"text"
    status, sentence = sent_to(serve, name, content, restart_wait_s=0)
    assert (status, "10.0.0.1" in sentence) == (503, False)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("paddlex_ocr", {"content": b"x", "headers": {"Content-Type": "text/html"}}),
        ("layout_parsing", {"content": b"x", "headers": {"Content-Type": "text/html"}}),
        ("rapidocr", {"json": {}}),
        ("liteparse", {"json": {}}),
        ("paddleocr_jobs", {"content": b"x", "headers": {"Content-Type": "text/html"}}),
    ],
)
def test_another_media_type_is_named_by_every_adapter(
    serve: Any, name: str, arguments: dict[str, Any], tmp_path: Path
) -> None:
    method, path, _, keys = BAD_REQUESTS[name]
    response = serve(jobs_directory=tmp_path).request(method, path, **arguments)
    assert response.json().keys() == keys
    assert response.status_code == 415, response.text


@pytest.mark.parametrize(
    "options",
    [
        {"ocr.cls": "perhaps"},
        {"ocr.limit_side_len": -1},
        {"tbpu.parser": "poem"},
        {"tbpu.ignoreArea": [[1, 2]]},
        {"data.format": "xml"},
        [],
    ],
)
def test_a_wrong_option_of_umi_ocr_is_named(serve: Any, options: Any) -> None:
    response = serve().post("/api/ocr", json={"base64": FILE, "options": options})
    assert (response.status_code, response.json()["code"]) == (422, 901)
    assert all(name in response.json()["data"] for name in options)


def test_layout_parsing_returns_markdown_per_page(serve: Any, triton: Any) -> None:
    triton.tensors = answer(pages=2)
    body = {"file": FILE, "fileType": 1, "useTableRecognition": True}
    result = serve().post("/layout-parsing", json=body).json()["result"]
    assert [page["markdown"]["text"] for page in result["layoutParsingResults"]] == [
        "line of page 0",
        "line of page 1",
    ]
    assert result["layoutParsingResults"][0]["prunedResult"]["rec_texts"] == ["line of page 0"]
    assert result["layoutParsingResults"][1]["prunedResult"]["parsing_res_list"] == [
        {
            "block_label": "text",
            "block_content": "line of page 1",
            "block_bbox": [10, 10, 90, 30],
            "block_id": 0,
            "block_order": 1,
        }
    ]
    assert result["warnings"] == ["The field 'useTableRecognition' is unknown and was ignored."]


@pytest.mark.parametrize(
    ("platform", "body", "expected"),
    [
        ("ragflow", {}, (144, b"input")),
        ("ragflow", {"pdfDpi": 200}, (200, b"input")),
        ("other", {}, (None, None)),
    ],
)
def test_ragflow_gets_the_coordinates_that_it_expects(
    serve: Any, triton: Any, platform: str, body: Any, expected: Any
) -> None:
    headers = {"Client-Platform": platform}
    response = serve().post("/layout-parsing", json={"file": FILE, **body}, headers=headers)
    assert response.status_code == 200
    sent = triton.sent()
    assert (sent.get("pdf_dpi"), sent.get("coordinates")) == expected


def test_paddleocr_s_token_is_a_key(serve: Any) -> None:
    client = serve(api_keys="secret")
    statuses = [
        client.post("/layout-parsing", json={"file": FILE}, headers={"Authorization": value}).status_code
        for value in ("token secret", "token wrong", "Basic secret")
    ]
    assert statuses == [200, 401, 401]


def test_open_webui_gets_a_document_per_page(serve: Any, triton: Any) -> None:
    triton.tensors = answer(pages=2)
    headers = {"Content-Type": "application/pdf", "X-Filename": "b%C3%BCcher.pdf"}
    response = serve().put("/process", content=b"%PDF-1.7", headers=headers)
    assert response.json() == [
        {"page_content": "line of page 0", "metadata": {"source": "bücher.pdf", "page": 1}},
        {"page_content": "line of page 1", "metadata": {"source": "bücher.pdf", "page": 2}},
    ]


def test_open_webui_learns_that_there_is_no_text(serve: Any, triton: Any) -> None:
    triton.tensors = blank_page()
    response = serve().put("/process", content=picture())
    assert (response.status_code, response.json()) == (422, {"detail": "No extractable text"})


def test_liteparse_gets_boxes_of_its_own_image(serve: Any, triton: Any) -> None:
    response = serve().post("/liteparse/ocr", files={"file": picture()}, data={"language": "en"})
    assert response.json() == {
        "results": [{"text": "line of page 0", "bbox": [10, 10, 90, 30], "confidence": 0.5, "polygon": BOX}]
    }
    sent = triton.sent()
    assert (sent["lang"], sent["use_doc_unwarping"], sent["use_doc_orientation_classify"]) == (
        b"en",
        False,
        False,
    )


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"files": {"image_file": picture()}}, "an upload"),
        ({"data": {"image_data": FILE}}, "a URL-encoded form with Base64"),
        ({"files": {"image_data": (None, FILE)}}, "a multipart form with Base64"),
    ],
)
def test_rapidocr_gets_lines_by_index(serve: Any, arguments: dict[str, Any], reason: str) -> None:
    response = serve().post("/rapidocr/ocr", **arguments)
    assert response.json() == {"0": {"rec_txt": "line of page 0", "dt_boxes": BOX, "score": 0.5}}, reason


def umi_page() -> Any:
    """Return a page of three lines: a paragraph of two, and one line of its own."""
    tensors = answer()
    boxes = [[10, 10, 90, 30], [10, 40, 90, 60], [10, 70, 90, 90]]
    polys = np.array([[[x, y], [right, y], [right, low], [x, low]] for x, y, right, low in boxes], np.int32)
    texts = np.array(["eins", "zwei", "三"], np.object_)
    return {
        **tensors,
        "dt_page_index": np.zeros(3, np.int32),
        "dt_polys": polys,
        "dt_scores": np.full(3, 0.75, np.float32),
        "textline_orientation_angles": np.full(3, -1, np.int32),
        "page_index": np.zeros(3, np.int32),
        "rec_texts": np.array([text.encode() for text in texts], np.object_),
        "rec_scores": np.full(3, 0.5, np.float32),
        "rec_polys": polys,
        "rec_boxes": np.array(boxes, np.int32),
        "reading_order": np.array([1, 2, 0], np.int32),
        "row_index": np.array([1, 2, 0], np.int32),
        "block_index": np.array([1, 1, 0], np.int32),
        "block_kind": np.array([b"paragraph"] * 3, np.object_),
    }


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "三\neins zwei\n"),
        ({"tbpu.parser": "single_line"}, "三\neins\nzwei\n"),
        ({"tbpu.parser": "multi_none"}, "三eins zwei "),
        ({"tbpu.parser": "none"}, "eins\nzwei\n三\n"),
        ({"tbpu.ignoreArea": [[[0, 0], [100, 35]], [[0, 65], [100, 100]]]}, "zwei\n"),
    ],
)
def test_umi_ocr_s_parser_orders_and_ends_lines(serve: Any, triton: Any, options: Any, text: str) -> None:
    triton.tensors = umi_page()
    for form in ("text", "dict"):
        body = {"base64": FILE, "options": {**options, "data.format": form}}
        response = serve().post("/api/ocr", json=body).json()
        assert response["code"] == 100
        data = response["data"]
        assert (data if form == "text" else "".join(line["text"] + line["end"] for line in data)) == text


def test_umi_ocr_gets_lines(serve: Any) -> None:
    response = serve().post("/api/ocr", json={"base64": FILE}).json()
    assert response["data"] == [{"text": "line of page 0", "score": 0.5, "box": BOX, "end": "\n"}]


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"ocr.language": "models/config_chinese.txt"}, {"lang": b"ch"}),
        ({"ocr.language": "models/config_chinese_cht(v2).txt"}, {"lang": b"chinese_cht"}),
        ({"ocr.language": "models/config_en.txt"}, {"lang": b"en"}),
        ({"ocr.language": "models/config_japan.txt"}, {"lang": b"japan"}),
        ({"ocr.language": "models/config_korean.txt"}, {"lang": b"korean"}),
        ({"ocr.language": "models/config_cyrillic.txt"}, {"lang": b"cyrillic"}),
        ({"ocr.language": "de"}, {"lang": b"de"}),
        ({"ocr.limit_side_len": 4320}, {"text_det_limit_side_len": 4320, "text_det_limit_type": b"max"}),
        ({"ocr.cls": True}, {"use_textline_orientation": True}),
    ],
)
def test_umi_ocr_s_options_reach_triton(serve: Any, triton: Any, options: Any, sent: Any) -> None:
    response = serve().post("/api/ocr", json={"base64": FILE, "options": options})
    assert response.json()["code"] == 100, response.text
    assert {name: triton.sent()[name] for name in sent} == sent


def test_umi_ocr_learns_which_options_are_unknown(serve: Any) -> None:
    body = {"base64": FILE, "options": {"ocr.angle": True}}
    assert serve().post("/api/ocr", json=body).json()["warnings"] == [
        "The option 'ocr.angle' is unknown and was ignored."
    ]


def test_umi_ocr_learns_that_there_is_no_text(serve: Any, triton: Any) -> None:
    triton.tensors = blank_page()
    assert serve().post("/api/ocr", json={"base64": FILE}).json()["code"] == 101


def test_umi_ocr_s_options_have_titles_and_defaults(serve: Any) -> None:
    for option in serve().get("/api/ocr/get_options").json().values():
        assert {"title", "default", "type", "toolTip"} <= option.keys()
        if option["type"] == "enum":
            assert option["default"] in [value for value, _ in option["optionsList"]]
