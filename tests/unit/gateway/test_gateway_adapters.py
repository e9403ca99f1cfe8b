"""The protocols of other OCR servers, each against its written contract."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from fake_triton import answer, blank_page, picture

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


def test_layout_parsing_returns_markdown_per_page(serve: Any, triton: Any) -> None:
    triton.tensors = answer(pages=2)
    body = {"file": FILE, "fileType": 1, "useTableRecognition": True}
    result = serve().post("/layout-parsing", json=body).json()["result"]
    assert [page["markdown"]["text"] for page in result["layoutParsingResults"]] == [
        "line of page 0",
        "line of page 1",
    ]
    assert result["layoutParsingResults"][0]["prunedResult"]["rec_texts"] == ["line of page 0"]
    assert result["warnings"] == ["The field 'useTableRecognition' is unknown and was ignored."]


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


@pytest.mark.parametrize(
    ("options", "data"),
    [
        ({}, [{"text": "line of page 0", "score": 0.5, "box": BOX, "end": "\n"}]),
        ({"data.format": "text"}, "line of page 0"),
    ],
)
def test_umi_ocr_gets_lines_or_text(serve: Any, options: dict[str, Any], data: Any) -> None:
    response = serve().post("/api/ocr", json={"base64": FILE, "options": options}).json()
    assert (response["code"], response["data"]) == (100, data)


def test_umi_ocr_learns_that_there_is_no_text(serve: Any, triton: Any) -> None:
    triton.tensors = blank_page()
    assert serve().post("/api/ocr", json={"base64": FILE}).json()["code"] == 101


def test_umi_ocr_s_options_have_titles_and_defaults(serve: Any) -> None:
    for option in serve().get("/api/ocr/get_options").json().values():
        assert {"title", "default"} <= option.keys()
