"""The bodies that `POST /ocr` accepts: JSON and forms, with PaddleX's fields."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from fake_triton import picture
from hypothesis import given
from hypothesis import strategies as st

import tritonocr_gateway
from tritonocr import OPTIONS
from tritonocr_gateway.errors import InvalidRequestError
from tritonocr_gateway.files import from_base64, is_url
from tritonocr_gateway.schemas import OCRRequest

PDF = b"%PDF-1.7\n..."
BOUNDARY = {"content-type": "multipart/form-data; boundary=b"}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def test_every_option_of_the_client_is_a_field() -> None:
    fields = OCRRequest.model_json_schema(by_alias=True)["properties"]
    options = {_camel(name) for name in OPTIONS if name != "return_page_images"}
    assert options <= fields.keys()
    assert fields.keys() - options == {
        *("file", "fileType", "fileName", "visualize", "logId"),
        *("returnPageImage", "returnText", "corrections"),
    }


@pytest.mark.parametrize(
    ("field", "value", "name", "sent"),
    [
        ("useDocOrientationClassify", False, "use_doc_orientation_classify", False),
        ("useDocUnwarping", True, "use_doc_unwarping", True),
        ("useTextlineOrientation", False, "use_textline_orientation", False),
        ("textDetLimitSideLen", 736, "text_det_limit_side_len", 736),
        ("textDetLimitType", "min", "text_det_limit_type", b"min"),
        ("textDetThresh", 0, "text_det_thresh", 0.0),
        ("textDetBoxThresh", 0.5, "text_det_box_thresh", 0.5),
        ("textDetUnclipRatio", 1.5, "text_det_unclip_ratio", 1.5),
        ("textRecScoreThresh", 0.25, "text_rec_score_thresh", 0.25),
        ("textDetectionModelName", "det", "text_detection_model_name", b"det"),
        ("textRecognitionModelName", "rec", "text_recognition_model_name", b"rec"),
        ("lang", "de", "lang", b"de"),
        ("returnWordBox", True, "return_word_box", True),
        ("maxPages", 3, "max_pages", 3),
    ],
)
@pytest.mark.parametrize("as_form", [False, True])
def test_options_reach_triton(
    serve: Any,
    triton: Any,
    body: dict[str, Any],
    field: str,
    value: Any,
    name: str,
    sent: Any,
    as_form: bool,
) -> None:
    if as_form:
        answer = serve().post("/ocr", data={field: json.dumps(value).strip('"')}, files={"file": picture()})
    else:
        answer = serve().post("/ocr", json={**body, field: value})
    assert answer.status_code == 200, answer.text
    assert triton.sent()[name] == sent


@pytest.mark.parametrize("value", [[], None, "text", 5, 1.5, True])
def test_a_body_that_is_no_object_gets_the_error_of_paddlex(serve: Any, value: Any) -> None:
    response = serve().post("/ocr", content=json.dumps(value), headers={"content-type": "application/json"})
    (error,) = json.loads(response.json()["errorMsg"])
    assert (response.status_code, error["type"], error["loc"]) == (422, "model_attributes_type", "body")


@pytest.mark.parametrize("field", ["textDetThresh", "textDetLimitSideLen", "maxPages", "pdfDpi"])
@pytest.mark.parametrize("value", [True, False])
def test_a_boolean_is_no_number(serve: Any, body: dict[str, Any], field: str, value: bool) -> None:
    response = serve().post("/ocr", json={**body, field: value})
    assert response.status_code == 422
    assert f"body.{field}" in response.json()["errorMsg"]


@pytest.mark.parametrize("value", [0, "yes", "off", "1"])
def test_the_schema_lists_what_is_accepted_as_a_boolean(
    serve: Any, triton: Any, body: dict[str, Any], value: Any
) -> None:
    field = OCRRequest.model_json_schema(by_alias=True)["properties"]["useDocUnwarping"]
    assert value in next(kind["enum"] for kind in field["anyOf"][0]["anyOf"] if "enum" in kind)
    assert serve().post("/ocr", json={**body, "useDocUnwarping": value}).status_code == 200
    assert triton.sent()["use_doc_unwarping"] == (value in ("yes", "1"))


def test_an_option_of_null_is_left_to_the_server(serve: Any, triton: Any, body: dict[str, Any]) -> None:
    serve().post("/ocr", json={**body, "textDetThresh": None})
    assert triton.sent().keys() == {"file", "return_page_images"}


def test_a_server_s_own_limit_of_pages_may_be_the_lower(
    serve: Any, triton: Any, body: dict[str, Any]
) -> None:
    serve().post("/ocr", json=body)
    assert (
        "max_pages" not in triton.sent()
    )  # 10 asked of a server that allows 5 is refused, also for one page
    serve(max_pages=20).post("/ocr", json=body)
    assert triton.sent()["max_pages"] == 20


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (base64.b64encode(picture()).decode(), "plain Base64"),
        (base64.encodebytes(picture()).decode(), "lines of 76"),
        ("data:image/jpeg;base64," + base64.b64encode(picture()).decode(), "from FileReader"),
    ],
)
def test_base64_is_read(serve: Any, triton: Any, content: str, why: str) -> None:
    assert serve().post("/ocr", json={"file": content, "visualize": False}).status_code == 200, why
    assert triton.sent()["file"] == picture()


@given(st.binary(min_size=1, max_size=200))
def test_base64_gives_what_was_encoded(content: bytes) -> None:
    text = base64.b64encode(content).decode()
    assert from_base64(text) == content
    assert not is_url(text)


@pytest.mark.parametrize("text", ["", " ", "data:image/png;base64,", "!!!!", "abc", "a-_b", "é", "AAAA=AAA"])
def test_what_is_not_base64_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"^The file is (empty|not Base64)"):
        from_base64(text)


@pytest.mark.parametrize(
    ("content", "file_type", "message"),
    [
        (picture(), 0, "fileType is 0 (PDF)"),
        (PDF, 1, "fileType is 1 (image)"),
        (PDF, 0, None),
        (picture(), 1, None),
        (b"\n" * 1000 + PDF, 0, None),
        (PDF, None, None),
    ],
)
def test_the_file_type_must_be_right(serve: Any, content: bytes, file_type: Any, message: str | None) -> None:
    file = base64.b64encode(content).decode()
    answer = serve().post("/ocr", json={"file": file, "fileType": file_type, "visualize": False})
    assert answer.status_code == (422 if message else 200)
    assert (message or "Success") in answer.json()["errorMsg"]


JSON = {"content-type": "application/json"}
FORM_WITHOUT_FILE = b'--b\r\nContent-Disposition: form-data; name="lang"\r\n\r\nen\r\n--b--\r\n'


@pytest.mark.parametrize(
    ("content", "headers", "status", "message"),
    [
        (b"", {"content-type": "text/plain"}, 415, "is text/plain; expected application/json"),
        (b"{}", {}, 415, "The Content-Type is missing"),
        (b'{"file": ', JSON, 422, '"loc": "body[9]"'),
        (b"[" * 100_000, JSON, 400, "too many elements"),
        (b"[" * 9_000, JSON, 400, "parsing the body"),
        (b"9" * 5_000, JSON, 400, "parsing the body"),
        (b"\xff\xff\xff\xff", JSON, 400, "parsing the body"),
        (b'{"file": "\\ud800"}', JSON, 422, "not Base64"),
        (b'{"file": "AAAA", "lang": "\\ud800"}', JSON, 422, "body.lang"),
        (b'{"file": "AAAA", "textDetThresh": NaN}', JSON, 422, "finite"),
        (b'{"file": "AAAA", "textDetLimitSideLen": 1e30}', JSON, 422, "SideLen"),
        (b'{"file": "AAAA", "textDetLimitSideLen": 3e9}', JSON, 422, "less than or equal to 100000"),
        (b'{"file": "AAAA", "maxPages": 11}', JSON, 422, "at most 10"),
        (b'{"file": "AAAA", "maxPages": 0}', JSON, 422, "body.maxPages"),
        (b'{"file": "AAAA", "logId": "a\\nb"}', JSON, 422, "body.logId"),
        (b"", {"content-type": "multipart/form-data"}, 400, "boundary"),
        (FORM_WITHOUT_FILE, BOUNDARY, 422, "file is missing"),
        (b"--b\r\nrubbish", BOUNDARY, 400, "ends before its last boundary"),
    ],
)  # fmt: skip
def test_a_wrong_body_is_refused_by_name(
    serve: Any, content: bytes, headers: dict[str, str], status: int, message: str
) -> None:
    answer = serve().post("/ocr", content=content, headers=headers)
    assert (answer.status_code, answer.json()["errorCode"]) == (status, status)
    assert message in answer.json()["errorMsg"]


def test_a_field_that_means_nothing_is_named(serve: Any, body: dict[str, Any]) -> None:
    answer = serve().post("/ocr", json={**body, "useDocUnwrapping": True})
    assert answer.json()["result"]["warnings"] == ["The field 'useDocUnwrapping' is unknown and was ignored."]


def test_a_form_may_hold_base64(serve: Any, triton: Any) -> None:
    content = picture("BMP", (1000, 1000))
    text = base64.b64encode(content).decode()
    answer = serve().post("/ocr", files={"file": (None, text), "fileType": (None, "1")})
    assert answer.status_code == 200, answer.text
    assert triton.sent()["file"] == content


def test_the_gateway_uses_the_client_s_public_names_alone() -> None:
    sources = Path(tritonocr_gateway.__file__).parent.rglob("*.py")
    assert not [path for path in sources if re.search(r"tritonocr\._[a-z]", path.read_text(encoding="utf-8"))]


def test_the_error_of_a_form_does_not_repeat_its_header(serve: Any) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="file"\r\nsecret\r\n\r\nx\r\n--b--\r\n'
    answer = serve().post("/ocr", content=body, headers={"content-type": "multipart/form-data; boundary=b"})
    assert answer.status_code == 400
    assert answer.json()["errorMsg"] == "The form is malformed: Malformed segment header."


def test_a_lone_surrogate_is_not_base64(serve: Any) -> None:
    answer = serve().post("/ocr", content=b'{"file":"\\ud83d"}', headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["errorMsg"] == "The file is not Base64: Non-base64 digit found."
