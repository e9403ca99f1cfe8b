"""`POST /ocr` with a raw body, with several files, and with a stream of pages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fake_triton import answer, picture

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
        ({"textDetThresh": "x"}, "body.textDetThresh"),
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
