"""Each way to break the schema of a request, sent to each adapter: one sentence in the adapter's form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tritonocr_gateway.adapters import adapters

LONG = "x" * 100_000
JSON_HEADERS = {"Content-Type": "application/json"}
FORM_HEADERS = {"Content-Type": "multipart/form-data; boundary=b"}
# By adapter: the method, the path, and the key of the sentence in the error body.
ROUTES = {
    "paddlex_ocr": ("POST", "/ocr", "errorMsg"),
    "layout_parsing": ("POST", "/layout-parsing", "errorMsg"),
    "umi_ocr": ("POST", "/api/ocr", "data"),
    "rapidocr": ("POST", "/rapidocr/ocr", "detail"),
    "liteparse": ("POST", "/liteparse/ocr", "error"),
    "open_webui": ("PUT", "/process", "detail"),
    "paddleocr_jobs": ("POST", "/api/v2/ocr/jobs", "msg"),
}
# By adapter with JSON: a valid body, a number among the options, a text with few valid values, and where the
# options are.
JSON_BODIES: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "layout_parsing": ({"file": "AAAA"}, "textDetThresh", "textDetLimitType", ""),
    "umi_ocr": ({"base64": "AAAA"}, "ocr.limit_side_len", "data.format", "options"),
    "paddleocr_jobs": ({"fileUrl": "https://a/b"}, "textDetThresh", "textDetLimitType", "optionalPayload"),
}
# Bodies that are no JSON object: the body, and words of the sentence.
NO_OBJECTS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "body is missing"),
    "not JSON": (b'{"file": ', "expected JSON"),
    "not UTF-8": (b'{"file": "\xff"}', "not UTF-8"),
    "too deep": (b"[" * 9000, "nested too deeply"),
    "too many digits": (b"9" * 5000, "too many digits"),
    "list": (b"[]", "got a list of 0 elements, expected a JSON object"),
    "null": (b"null", "got null, expected a JSON object"),
    "text": (b'"a"', "got 'a', expected a JSON object"),
    "number": (b"1.5", "got 1.5, expected a JSON object"),
    "long text": (f'"{LONG}"'.encode(), "expected a JSON object"),
}


def json_faults(name: str) -> Iterator[tuple[str, Any, tuple[str, ...]]]:
    """Yield a kind of fault, a body with it, and words of the sentence."""
    valid, number, choice, nest = JSON_BODIES[name]
    (file,) = valid
    at = f"{nest}." if nest else ""

    def with_options(**options: Any) -> Any:
        return {**valid, **({nest: options} if nest else options)}

    yield "missing field", {}, (file, "missing")
    yield "null for a field", {file: None}, (f"{file}: got null, expected text",)
    yield "wrong type", {file: 5}, (f"{file}: got 5, expected text",)
    yield "list for a field", {file: ["a", "b"]}, (f"{file}: got a list of 2 elements, expected text",)
    yield "object for a field", {file: {file: "AAAA"}}, (f"{file}: got an object of 1 field, expected text",)
    yield "text for a number", with_options(**{number: "abc"}), (f"{at}{number}: got 'abc', expected a",)
    yield "list for a number", with_options(**{number: [1]}), (f"{at}{number}: got a list of 1 element,",)
    yield "long value", with_options(**{number: LONG}), (f"{at}{number}: got 'xxx", "…, expected")
    yield "out of range", with_options(**{number: -1}), (f"{at}{number}: got -1, expected at least",)
    yield "unknown value", with_options(**{choice: "odd"}), (f"{at}{choice}: got 'odd', expected '",)
    faults = with_options(**{number: "abc", choice: "odd"})
    yield "two faults", faults, ("got '", "(1 more error in this request)")
    if nest:
        yield "three faults", {nest: "abc", file: None, "x": 1}, ("(1 more error",)
        yield "options as text", {**valid, nest: "a=1"}, (f"{nest}: got 'a=1', expected a JSON object",)
        yield "options as list", {**valid, nest: [1]}, (f"{nest}: got a list of 1 element, expected a JSON",)
        yield "nested too deep", {nest: {**valid}}, (file, "missing")


def sentence_of(response: Any, key: str) -> str:
    """Return the sentence of an error. It has one line, and none of the words of a validation library."""
    sentence: str = response.json()[key]
    assert 400 <= response.status_code < 500
    assert re.fullmatch(r"[^\n]{10,450}\.", sentence), sentence
    for word in ("[{", "Input should", "pydantic", "dictionary", "Traceback", "xxx" * 60):
        assert word not in sentence
    return sentence


@pytest.mark.parametrize("kind", NO_OBJECTS)
@pytest.mark.parametrize("name", JSON_BODIES)
def test_a_body_that_is_no_object_gets_a_sentence(serve: Any, tmp_path: Path, name: str, kind: str) -> None:
    method, path, key = ROUTES[name]
    content, words = NO_OBJECTS[kind]
    client = serve(jobs_directory=tmp_path) if name == "paddleocr_jobs" else serve()
    response = client.request(method, path, content=content, headers=JSON_HEADERS)
    assert words in sentence_of(response, key)


@pytest.mark.parametrize("name", JSON_BODIES)
def test_a_field_that_breaks_the_schema_gets_a_sentence(serve: Any, tmp_path: Path, name: str) -> None:
    method, path, key = ROUTES[name]
    client = serve(jobs_directory=tmp_path, fetch_urls=True)
    for kind, body, words in json_faults(name):
        response = client.request(method, path, json=body)
        sentence = sentence_of(response, key)
        assert all(word in sentence for word in words), f"{kind}: {sentence}"


PNG = {"file": ("a.png", b"x")}
FORM_FAULTS: dict[str, list[tuple[dict[str, Any], str]]] = {
    "paddlex_ocr": [
        ({"files": {"x": b"1"}}, "file is missing"),
        ({"files": PNG, "data": {"textDetThresh": "abc"}}, "textDetThresh: got 'abc', expected a number"),
        ({"files": PNG, "data": {"textDetLimitType": LONG}}, "textDetLimitType: got 'xxx"),
        ({"files": PNG, "data": {"corrections": "[1"}}, "corrections: got '[1', expected JSON."),
        ({"files": PNG, "data": {"corrections": '[{"page": 0}]'}}, "corrections[0].line is missing"),
        (
            {"files": PNG, "data": {"textDetThresh": "a", "maxPages": "b", "lang": LONG}},
            "(2 more errors in this request)",
        ),
        ({"content": b"x", "headers": FORM_HEADERS}, "The form"),
        (
            {"content": b"x", "params": {"textDetThresh": "abc"}, "headers": {"Content-Type": "image/png"}},
            "textDetThresh: got 'abc'",
        ),
    ],
    "rapidocr": [
        ({"files": {"x": b"1"}}, "image_file or image_data is missing"),
        ({"data": {"x": "1"}}, "image_file or image_data is missing"),
        ({"data": {"image_data": "AAAA", "use_cls": "perhaps"}}, "use_cls: got 'perhaps', expected true"),
        ({"data": {"image_data": "AAAA", "use_cls": LONG}}, "use_cls: got 'xxx"),
        ({"data": {"image_data": "AAAA", "use_det": "no"}}, "use_det: got 'no', expected true"),
        ({"data": {"image_data": "AAAA", "use_cls": "a", "use_det": "b"}}, "(1 more error in this request)"),
        ({"content": b"a=%ff", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}, "UTF-8"),
        ({"content": b"x", "headers": FORM_HEADERS}, "The form"),
    ],
    "liteparse": [
        ({"files": {"x": b"1"}}, "file is missing"),
        ({"files": {"x": b"1"}, "data": {"file": "AAAA"}}, "file is missing"),
        ({"content": b"x", "headers": FORM_HEADERS}, "The form"),
        ({"content": b"", "headers": FORM_HEADERS}, "The form"),
    ],
    "open_webui": [({"content": b""}, "The file is empty")],
    "paddleocr_jobs": [
        ({"files": {"x": b"1"}}, "file is missing"),
        ({"files": PNG, "data": {"optionalPayload": "{"}}, "optionalPayload: expected JSON"),
        ({"files": PNG, "data": {"optionalPayload": "[]"}}, "optionalPayload: got a list of 0 elements"),
        ({"files": PNG, "data": {"optionalPayload": "null"}}, "optionalPayload: got null"),
        ({"files": PNG, "data": {"optionalPayload": "[" * 9000}}, "optionalPayload is nested too deeply"),
        ({"files": PNG, "data": {"optionalPayload": '{"textDetThresh": "a"}'}}, "Payload.textDetThresh"),
        ({"files": PNG, "data": {"model": LONG}}, "model: got 'xxx"),
        ({"files": PNG, "data": {"webhookUrl": "ftp://x"}}, "webhookUrl: got 'ftp://x', expected"),
        ({"files": PNG, "data": {"batchId": "a\nb"}}, "batchId: got 'a\\nb', expected printable"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", FORM_FAULTS)
def test_a_form_that_breaks_the_schema_gets_a_sentence(serve: Any, tmp_path: Path, name: str) -> None:
    method, path, key = ROUTES[name]
    client = serve(jobs_directory=tmp_path)
    for arguments, words in FORM_FAULTS[name]:
        assert words in sentence_of(client.request(method, path, **arguments), key)


def test_every_adapter_is_tested() -> None:
    assert set(adapters()) == set(ROUTES) == {*JSON_BODIES, *FORM_FAULTS}


@pytest.mark.parametrize("name", ROUTES)
def test_a_wrong_method_gets_a_sentence(serve: Any, tmp_path: Path, name: str) -> None:
    _, path, key = ROUTES[name]
    response = serve(jobs_directory=tmp_path).delete(path)
    assert (response.status_code, isinstance(response.json()[key], str)) == (405, True)


@pytest.mark.parametrize(
    ("body", "kind", "place"),
    [
        (b"", "missing", "body"),
        (b"[]", "model_attributes_type", "body"),
        (b'{"file": 5}', "string_type", "body.file"),
        (b'{"file": ', "json_invalid", "body[9]"),
    ],
)
def test_json_for_ocr_keeps_the_form_of_paddlex(serve: Any, body: bytes, kind: str, place: str) -> None:
    response = serve().post("/ocr", content=body, headers=JSON_HEADERS)
    (error,) = json.loads(response.json()["errorMsg"])
    assert (response.status_code, error["type"], error["loc"]) == (422, kind, place)
