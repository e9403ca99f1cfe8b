"""The responses: PaddleX's fields, pictures, text, PDF."""

from __future__ import annotations

import base64
import io
import re
from typing import Any

import numpy as np
import pytest
from fake_triton import HEIGHT_PX, WIDTH_PX, answer, picture
from PIL import Image

from tritonocr import FORMATS, DocumentFormat
from tritonocr_gateway.responses import JPEG_MAX_SIDE_PX, encoded, preferred_type


def _post(serve: Any, body: dict[str, Any], accept: str = "application/json", **fields: Any) -> Any:
    return serve().post("/ocr", json={**body, **fields}, headers={"accept": accept})


def test_the_answer_has_paddlex_s_fields(serve: Any, body: dict[str, Any]) -> None:
    found = _post(serve, body, logId="mine").json()
    assert found.keys() == {"logId", "result", "errorCode", "errorMsg"}
    assert (found["logId"], found["errorCode"], found["errorMsg"]) == ("mine", 0, "Success")
    assert found["result"].keys() == {"ocrResults", "dataInfo"}
    assert found["result"]["dataInfo"] == {"width": WIDTH_PX, "height": HEIGHT_PX, "type": "image"}
    (page,) = found["result"]["ocrResults"]
    assert page.keys() == {"prunedResult"}
    assert page["prunedResult"]["rec_texts"] == ["line of page 0"]


def test_where_a_result_comes_from_is_pruned_at_every_depth(
    serve: Any, triton: Any, body: dict[str, Any]
) -> None:
    triton.tensors = answer(preprocessed=True)
    pruned = _post(serve, body).json()["result"]["ocrResults"][0]["prunedResult"]
    assert not pruned.keys() & {"input_path", "page_index"}
    assert pruned["doc_preprocessor_res"].keys() == {"model_settings", "angle", "unwarped"}


@pytest.mark.parametrize(
    ("preprocessed", "pictures"),
    [
        (False, {"ocrImage": (2 * WIDTH_PX, HEIGHT_PX), "inputImage": (WIDTH_PX, HEIGHT_PX)}),
        (
            True,
            {
                "ocrImage": (2 * WIDTH_PX, HEIGHT_PX),
                "docPreprocessingImage": None,
                "inputImage": (WIDTH_PX, HEIGHT_PX),
            },
        ),
    ],
)
def test_pictures_are_jpeg_in_base64(
    serve: Any, triton: Any, body: dict[str, Any], preprocessed: bool, pictures: dict[str, Any]
) -> None:
    triton.tensors = answer(preprocessed=preprocessed)
    (page,) = _post(serve, body, visualize=True).json()["result"]["ocrResults"]
    assert page.keys() == {"prunedResult", *pictures}
    for name, size in pictures.items():
        image = Image.open(io.BytesIO(base64.b64decode(page[name])))
        assert image.format == "JPEG"
        assert size in (None, image.size)


@pytest.mark.parametrize(
    ("setting", "field", "drawn"),
    [(True, None, True), (False, None, False), (True, False, False), (False, True, True)],
)
def test_visualize_is_the_request_s_or_else_the_gateway_s(
    serve: Any, triton: Any, body: dict[str, Any], setting: bool, field: bool | None, drawn: bool
) -> None:
    found = serve(visualize=setting).post("/ocr", json={**body, "visualize": field}).json()
    assert ("ocrImage" in found["result"]["ocrResults"][0]) is drawn
    assert triton.sent()["return_page_images"] == drawn, "unrequested pictures cost time"


def test_the_page_that_coordinates_refer_to(serve: Any, triton: Any, body: dict[str, Any]) -> None:
    triton.tensors = answer(preprocessed=True)
    triton.tensors["preprocessed_images"] = np.array([picture(size=(7, 9))], np.object_)
    page = _post(serve, body, returnPageImage=True).json()["result"]["ocrResults"][0]
    assert page.keys() == {"prunedResult", "pageImage"}
    assert Image.open(io.BytesIO(base64.b64decode(page["pageImage"]))).size == (7, 9)


def test_a_picture_that_jpeg_cannot_say_is_png() -> None:
    wide = Image.new("1", (JPEG_MAX_SIDE_PX + 1, 1))
    assert Image.open(io.BytesIO(base64.b64decode(encoded(wide)))).format == "PNG"


def test_a_document_says_how_many_pages_it_has(serve: Any, triton: Any) -> None:
    triton.tensors = answer(pages=2, page_count=12)
    file = base64.b64encode(b"%PDF-1.7").decode()
    found = _post(serve, {"file": file, "fileType": 0, "visualize": False}).json()["result"]
    assert found["dataInfo"] == {
        "numPages": 12,
        "pages": [{"width": WIDTH_PX, "height": HEIGHT_PX}] * 2,
        "type": "pdf",
    }
    assert found["warnings"] == ["The file has 12 pages; 2 of them were read."]
    assert [page["prunedResult"]["rec_texts"] for page in found["ocrResults"]] == [
        ["line of page 0"],
        ["line of page 1"],
    ]


def test_an_image_of_several_pages_is_a_tiff(serve: Any, triton: Any, body: dict[str, Any]) -> None:
    triton.tensors = answer(pages=2)
    assert _post(serve, body).json()["result"]["dataInfo"]["type"] == "tiff"


def test_text_that_detection_left_out_is_said(serve: Any, triton: Any, body: dict[str, Any]) -> None:
    triton.tensors["max_candidates_reached"] = np.array([True])
    assert _post(serve, body).json()["result"]["warnings"] == [
        "Page 1 has more text than the limit of detection: lines are missing."
    ]


@pytest.mark.parametrize("accept", ["application/json", "text/plain", "application/pdf"])
def test_a_page_that_was_not_read_leaves_the_other_pages(
    serve: Any, triton: Any, body: dict[str, Any], accept: str
) -> None:
    triton.tensors = answer(pages=2)
    triton.tensors["page_errors"] = np.array([b"", b'{"code": "too_large", "message": "a b"}'], np.object_)
    triton.tensors["page_warnings"] = np.array([b'[{"code": "x", "message": "c d"}]', b"[]"], np.object_)
    triton.tensors["input_images"][1] = b""
    found = serve().post("/ocr", json={**body, "returnPageImage": True}, headers={"Accept": accept})
    assert (found.status_code, found.headers["X-Pages-Read"]) == (200, "2")
    if accept == "application/json":
        result = found.json()["result"]
        assert result["warnings"] == ["Page 1: c d", "Page 2 was not read: a b"]
        assert result["ocrResults"][1]["prunedResult"]["error"] == {"code": "too_large", "message": "a b"}
        assert "pageImage" in result["ocrResults"][0]
        assert "pageImage" not in result["ocrResults"][1]


def test_text_is_the_lines_with_a_form_feed_between_pages(
    serve: Any, triton: Any, body: dict[str, Any]
) -> None:
    triton.tensors = answer(pages=2, page_count=3)
    found = _post(serve, body, "text/plain", visualize=True)
    assert found.headers["content-type"] == "text/plain; charset=utf-8"
    assert found.text == "line of page 0\n\fline of page 1\n"
    assert (found.headers["x-page-count"], found.headers["x-pages-read"]) == ("3", "2")
    assert not triton.sent()["return_page_images"]


def test_a_searchable_pdf(serve: Any, body: dict[str, Any]) -> None:
    found = _post(serve, body, "application/pdf")
    assert found.headers["content-type"] == "application/pdf"
    assert found.content.startswith(b"%PDF-")


@pytest.mark.parametrize(
    "row", [row for name, row in FORMATS.items() if name not in ("json", "ndjson")], ids=lambda row: row.name
)
def test_accept_chooses_every_format(
    serve: Any, triton: Any, body: dict[str, Any], row: DocumentFormat
) -> None:
    found = _post(serve, body, row.media_type)
    assert (found.status_code, found.headers["content-type"].split(";")[0]) == (200, row.media_type)
    assert {"line", "of", "page", "0"} <= set(re.findall(r"\w+", found.text))
    assert bool(triton.sent().get("return_word_box")) == row.has_words


def test_a_format_of_one_page_is_refused_for_several(serve: Any, triton: Any, body: dict[str, Any]) -> None:
    triton.tensors = answer(pages=2)
    found = _post(serve, body, FORMATS["page"].media_type)
    assert found.status_code == 422
    assert "holds one page, but the file has more" in found.json()["errorMsg"]


def test_an_error_is_json_whatever_is_accepted(serve: Any) -> None:
    assert serve().post("/ocr", json={}, headers={"accept": "text/plain"}).json()["errorCode"] == 422


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("*/*", "application/json"),
        ("", "application/json"),
        ("text/plain", "text/plain"),
        ("TEXT/Plain; charset=utf-8", "text/plain"),
        ("application/pdf, */*", "application/pdf"),
        ("text/plain;q=0.5, application/pdf;q=0.9", "application/pdf"),
        ("*/*, text/plain;q=0.1", "application/json"),
        ("image/png", "application/json"),
        ("text/html, application/xhtml+xml, */*;q=0.8", "application/json"),
        ("text/plain;q=x", "text/plain"),
        *((row.media_type, row.media_type) for row in FORMATS.values()),
        ("text/plain;q=0", "application/json"),
        ("text/plain;q=0, application/pdf;q=0.1", "application/pdf"),
        (";;,,;q=", "application/json"),
    ],
)
def test_the_media_type_is_the_one_preferred(accept: str, chosen: str) -> None:
    assert preferred_type(accept) == chosen
