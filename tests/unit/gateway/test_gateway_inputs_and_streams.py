"""`POST /ocr` with a raw body, with several files, and with a stream of pages."""

from __future__ import annotations

import base64
import json
import tempfile
import time
from typing import Any

import httpx
import numpy as np
import pypdfium2
import pytest
from drawn_pdfs import page_of, text_at
from fake_triton import HEIGHT_PX, WIDTH_PX, answer, picture

import tritonocr

NDJSON = {"accept": "application/x-ndjson"}


@pytest.mark.parametrize("media_type", ["image/jpeg", "application/octet-stream", "IMAGE/PNG; x=y"])
def test_the_body_can_be_the_file(serve: Any, triton: Any, media_type: str) -> None:
    query = {"visualize": "false", "textDetThresh": "0.5", "fileType": "1", "lang": "en"}
    response = serve().post("/ocr", content=picture(), params=query, headers={"content-type": media_type})
    assert response.status_code == 200, response.text
    sent = triton.sent()
    assert (sent["file"], sent["text_det_thresh"], sent["lang"]) == (picture(), 0.5, b"en")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"textDetThresh": "x"}, "textDetThresh: got"),
        ({"fileType": "0"}, "fileType is 0"),
        ({"maxPages": "11"}, "at most 10"),
    ],
)
def test_a_wrong_field_in_the_query_is_named(serve: Any, query: dict[str, str], message: str) -> None:
    response = serve().post("/ocr", content=picture(), params=query, headers={"content-type": "image/jpeg"})
    assert response.status_code == 422
    assert message in response.json()["errorMsg"]


def test_each_of_several_files_has_its_own_result(serve: Any, triton: Any) -> None:
    files = [
        ("file", (name, content)) for name, content in (("a", picture()), ("b", b"%PDF-"), ("c", picture()))
    ]
    response = serve().post("/ocr", files=files, data={"fileType": "1", "visualize": "false"}).json()
    assert [(entry["fileName"], entry["errorCode"]) for entry in response["results"]] == [
        ("a", 0),
        ("b", 422),
        ("c", 0),
    ]
    assert response["results"][1]["errorMsg"] == "fileType is 1 (image), but the file is a PDF."
    texts = [
        entry["result"]["ocrResults"][0]["prunedResult"]["rec_texts"]
        for entry in response["results"]
        if "result" in entry
    ]
    assert texts == [["line of page 0"]] * 2


def test_the_result_of_a_file_that_fails_after_pages_is_its_error(serve: Any, triton: Any) -> None:
    triton.tensors = answer(pages=2)
    triton.error_after_pages = tritonocr.InvalidInputError("broken page")
    files = [("file", ("a.pdf", b"%PDF-1.7")), ("file", ("b.png", picture()))]
    response = serve().post("/ocr", files=files, data={"visualize": "false"}).json()
    first, second = response["results"]
    assert first == {"fileName": "a.pdf", "fileIndex": 0, "errorCode": 422, "errorMsg": "broken page"}
    assert (second["fileName"], second["errorCode"]) == ("b.png", 0)
    assert second["result"]["dataInfo"]["numPages"] == 2


def test_pages_of_several_files_come_as_lines_with_the_name_of_their_file(serve: Any, triton: Any) -> None:
    triton.tensors = answer(pages=2)
    files = [("file", ("a.pdf", b"%PDF-1.7")), ("file", ("b", b"")), ("file", ("c.pdf", b"%PDF-1.7"))]
    response = serve().post("/ocr", files=files, headers=NDJSON)
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert [(line["fileName"], line.get("pageIndex"), line.get("errorCode")) for line in lines] == [
        ("a.pdf", 0, None),
        ("a.pdf", 1, None),
        ("b", None, 422),
        ("c.pdf", 0, None),
        ("c.pdf", 1, None),
    ]


def test_several_files_are_not_text(serve: Any) -> None:
    files = [("file", picture()), ("file", picture())]
    response = serve().post("/ocr", files=files, headers={"accept": "text/plain"})
    assert (response.status_code, response.json()["errorCode"]) == (422, 422)


def test_pages_come_as_lines(serve: Any, triton: Any) -> None:
    triton.tensors = answer(pages=3)
    response = serve().post("/ocr", files={"file": b"%PDF-1.7"}, headers=NDJSON)
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert response.headers["content-type"] == "application/x-ndjson"
    assert [(line["pageIndex"], line["pageCount"], line["text"]) for line in lines] == [
        (0, 3, "line of page 0"),
        (1, 3, "line of page 1"),
        (2, 3, "line of page 2"),
    ]


@pytest.mark.parametrize(
    ("error", "status"),
    [(tritonocr.InvalidInputError("bad"), 422), (tritonocr.OverloadedError("full"), 429)],
)
def test_an_error_before_the_first_page_has_its_status(
    serve: Any, triton: Any, error: Exception, status: int
) -> None:
    triton.error = error
    client = serve(max_concurrent_requests=1)
    statuses = [client.post("/ocr", files={"file": picture()}, headers=NDJSON).status_code for _ in range(2)]
    assert statuses == [status, status], "the permit is returned"


def test_a_line_of_a_stream_has_the_picture_and_the_warnings(serve: Any, triton: Any) -> None:
    triton.tensors = answer(pages=2)
    triton.tensors["page_warnings"] = np.array(
        [b"[]", b'[{"code": "small", "message": "Too small."}]'], object
    )
    data = {"returnPageImage": "true", "colour": "red"}
    response = serve().post("/ocr", files={"file": b"%PDF-1.7"}, data=data, headers=NDJSON)
    first, second = map(json.loads, response.text.splitlines())
    assert base64.b64decode(first["pageImage"]) == picture()
    assert first["warnings"] == ["The field 'colour' is unknown and was ignored."]
    assert second["warnings"] == ["Page 2: Too small."]


CORRECTION = {"corrections": json.dumps([{"page": 1, "line": 0, "text": "by hand"}])}


@pytest.mark.parametrize(
    "media_type", ["text/plain", "text/markdown", "text/vnd.hocr+html", "application/json"]
)
def test_a_corrected_line_is_in_every_format(serve: Any, triton: Any, media_type: str) -> None:
    triton.tensors = answer(pages=2)
    files = {"file": b"%PDF-1.7"}
    text = serve().post("/ocr", files=files, data=CORRECTION, headers={"accept": media_type}).text
    assert "line of page 1" not in text.replace("</span>\n<span", " ")
    assert "by" in text
    assert "hand" in text


def test_a_corrected_line_of_the_pdf_is_added_to_the_searchable_pdf(serve: Any, triton: Any) -> None:
    original = page_of(text_at(40, 120, "wrong"), box=(WIDTH_PX, HEIGHT_PX))
    triton.tensors["rec_sources"] = np.array([b"pdf"], object)
    correction = {"corrections": json.dumps([{"page": 0, "line": 0, "text": "by hand"}])}
    texts = []
    for data in ({}, correction):
        headers = {"accept": "application/pdf"}
        made = serve().post("/ocr", files={"file": original}, data=data, headers=headers).content
        texts.append(pypdfium2.PdfDocument(made)[0].get_textpage().get_text_range())
    assert texts[0] == "wrong"
    assert "by hand" in texts[1]


@pytest.mark.parametrize(
    ("corrections", "message"),
    [
        ([{"page": 9, "line": 0, "text": ""}], "corrections names page 9; expected 0 to 0."),
        ([{"page": 0, "line": 7, "text": ""}], "corrections names line 7 of page 0; the page has 1 lines."),
        ([{"page": 0, "line": 0}], "corrections[0].text"),
    ],
)
def test_a_correction_of_no_line_is_refused(serve: Any, corrections: Any, message: str) -> None:
    data = {"corrections": json.dumps(corrections)}
    response = serve().post("/ocr", files={"file": picture()}, data=data)
    assert response.status_code == 422
    assert message in response.json()["errorMsg"]


def test_corrections_are_not_dropped_in_silence(serve: Any) -> None:
    response = serve().post("/ocr", files={"file": picture()}, data=CORRECTION, headers=NDJSON)
    assert response.json()["errorMsg"] == "corrections applies to one file, and not to application/x-ndjson."


@pytest.mark.parametrize("accept", ["application/json", "application/pdf", "text/plain", "text/csv"])
def test_a_document_of_many_pages_is_whole(
    serve: Any, triton: Any, accept: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    triton.tensors = answer(pages=40)
    headers = {"accept": accept}
    response = serve().post("/ocr", files={"file": b"II*\0"}, data={"visualize": "true"}, headers=headers)
    assert response.status_code == 200, response.text
    assert response.headers["x-pages-read"] == "40"
    assert int(response.headers["content-length"]) == len(response.content)
    if accept == "application/pdf":
        assert len(pypdfium2.PdfDocument(response.content)) == 40
    elif accept == "application/json":
        assert [page["prunedResult"]["rec_texts"] for page in response.json()["result"]["ocrResults"]] == [
            [f"line of page {number}"] for number in range(40)
        ]
    else:
        assert "line of page 39" in response.text
    assert not list(tmp_path.iterdir())


def test_json_is_the_same_page_by_page(serve: Any, triton: Any) -> None:
    triton.tensors = answer(pages=2, page_count=3)
    headers = {"x-request-id": "7"}
    data = {"visualize": "true", "returnText": "true", "unknown": "1"}
    at_once, by_page = (
        serve().post("/ocr", files={"file": file}, data=data, headers=headers)
        for file in (picture(), b"II*\0")  # only a TIFF may have several pages
    )
    assert at_once.content == by_page.content


def test_a_document_whose_client_leaves_is_cancelled(serve: Any, triton: Any) -> None:
    triton.wait = True
    with pytest.raises(httpx.ReadTimeout):
        serve().post("/ocr", files={"file": b"%PDF-"}, headers={"accept": "text/plain"}, timeout=0.3)
    deadline = time.monotonic() + 20
    while not triton.cancelled and time.monotonic() < deadline:
        time.sleep(0.05)
    assert triton.cancelled == 1
