"""The name of an upload in results, from each place where a request can give it."""

from __future__ import annotations

import base64
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fake_triton import picture
from hypothesis import given
from hypothesis import strategies as st

from tritonocr_gateway.file_names import name_of_url, upload_name

ALTO = {"accept": "application/alto+xml"}
ALTO_NAME = "{http://www.loc.gov/standards/alto/ns-v4#}fileName"
FILE = base64.b64encode(picture()).decode()
# A name that a client gives, and the name in results.
NAMES = {
    "Straße süß.png": "Straße süß.png",
    "領収書.pdf": "領収書.pdf",
    "🧾 receipt.jpg": "🧾 receipt.jpg",
    "../x": "x",
    "/etc/passwd": "passwd",
    "C:\\Users\\me\\scan.png": "scan.png",
    "a\\..\\b.png": "b.png",
    "a\0b.png": "a_b.png",
    "a\nb\r\x1b[31m.png": "a_b__[31m.png",
    "gnp.\u202eexe": "gnp._exe",
    "\ufffe\uffff": "__",
    '<&">.png': '<&">.png',
    " a.png ": "a.png",
    ".hidden": ".hidden",
    "x" * 5000 + ".png": "x" * 195 + "….png",
    "." + "x" * 5000: "." + "x" * 198 + "…",
}
NO_NAMES = ("", ".", "..", "a/", "../..", "\\")


def alto_name(response: Any) -> str:
    """Return the name of the file in an ALTO document."""
    assert response.status_code == 200, response.text
    name = ET.fromstring(response.content).find(f".//{ALTO_NAME}")
    assert name is not None
    return name.text or ""


@pytest.mark.parametrize("given_name", NAMES)
def test_a_name_is_sanitised(given_name: str) -> None:
    assert upload_name(given_name) == NAMES[given_name]


@pytest.mark.parametrize("given_name", NO_NAMES)
def test_a_path_without_a_last_part_gives_no_name(serve: Any, given_name: str) -> None:
    assert upload_name(given_name) == ""
    response = serve().post("/ocr", json={"file": FILE, "fileName": given_name}, headers=ALTO)
    assert alto_name(response).startswith("image_")


@given(st.text(st.characters(), max_size=300))
def test_any_name_is_short_printable_and_no_path(text: str) -> None:
    name = upload_name(text)
    name.encode()
    assert len(name) <= 200
    assert name not in (".", "..")
    assert not set("/\\\0\r\n\x1b\u2028\u202e") & set(name)
    assert upload_name(name) == name


@pytest.mark.parametrize("given_name", NAMES)
def test_the_field_file_name_names_the_results(serve: Any, given_name: str) -> None:
    response = serve().post("/ocr", json={"file": FILE, "fileName": given_name}, headers=ALTO)
    assert alto_name(response) == NAMES[given_name].replace("\ufffe", "\ufffd")


@pytest.mark.parametrize("given_name", [name for name in NAMES if len(name) < 1000])
def test_the_header_x_filename_names_the_results(serve: Any, given_name: str) -> None:
    headers = {**ALTO, "Content-Type": "image/png", "X-Filename": quote(given_name)}
    assert alto_name(serve().post("/ocr", content=picture(), headers=headers)) == NAMES[given_name]


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("süß.png".encode(), "süß.png"),
        ("süß.png".encode("latin-1"), "s\ufffd\ufffd.png"),
        (b"%FF.png", "\ufffd.png"),
    ],
)
def test_the_header_x_filename_may_hold_any_bytes(serve: Any, sent: bytes, name: str) -> None:
    headers = [(b"accept", b"application/alto+xml"), (b"content-type", b"image/png"), (b"x-filename", sent)]
    assert alto_name(serve().post("/ocr", content=picture(), headers=headers)) == name


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ('filename="süß.png"'.encode(), "süß.png"),
        ('filename="süß.png"'.encode("latin-1"), "s\ufffd\ufffd.png"),
        (b'filename="../x.png"', "x.png"),
        (b'filename="C:\\\\temp\\\\x.png"', "x.png"),
        (b'filename="a\\"b.png"', 'a"b.png'),
        (b'filename="a%22b%0Ac.png"', 'a"b_c.png'),
        (b'filename="a;b=c.png"', "a;b=c.png"),
        (b"filename=plain.png", "plain.png"),
        (b"filename*=UTF-8''s%C3%BC%C3%9F.png", "süß.png"),
        (b"filename*=utf-8'de'%F0%9F%A7%BE.png", "🧾.png"),
        (b"filename*=ISO-8859-1''s%FC%DF.png", "süß.png"),
        (b"filename*=unknown''s%FC.png", "s\ufffd.png"),
        (b"filename=\"fallback.png\"; filename*=UTF-8''%2e%2e%2fs%C3%BC.png", "sü.png"),
        (b"filename*=UTF-8''" + b"%F0%9F%A7%BE" * 5000, "🧾" * 199 + "…"),
        (b'filename="' + b"x" * 5000 + b'.png"', "x" * 195 + "….png"),
    ],
)
def test_a_form_names_the_results(serve: Any, parameters: bytes, name: str) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; ' + parameters + b"\r\n\r\n"
    headers = {**ALTO, "Content-Type": "multipart/form-data; boundary=b"}
    response = serve().post("/ocr", content=head + picture() + b"\r\n--b--\r\n", headers=headers)
    assert alto_name(response) == name


def test_the_field_file_name_replaces_that_of_the_upload(serve: Any) -> None:
    arguments: dict[str, Any] = {"data": {"fileName": "scan.png"}, "headers": ALTO}
    assert alto_name(serve().post("/ocr", files={"file": ("tmp1", picture())}, **arguments)) == "scan.png"
    files = [("file", ("a", picture())), ("file", ("b", picture()))]
    response = serve().post("/ocr", files=files, data={"fileName": "scan.png"})
    assert (response.status_code, "fileName applies to one file" in response.json()["errorMsg"]) == (
        422,
        True,
    )


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://a/b/scan.png?x=/y.png#/z", "scan.png"),
        ("https://a/s%C3%BC%C3%9F.png", "süß.png"),
        ("https://a/%2e%2e%2fx", "x"),
        ("https://a/", ""),
        ("https://a", ""),
        ("https://[a/b", ""),
        ("https://a/" + "x" * 100_000, "x" * 199 + "…"),
    ],
)
def test_a_url_names_its_file(url: str, name: str) -> None:
    assert name_of_url(url) == name


@pytest.mark.parametrize(
    ("media_type", "start"),
    [
        ("text/csv", "scan <1>.png,1,"),
        ("application/vnd.prima.page+xml", 'imageFilename="scan &lt;1&gt;.png"'),
        ("text/vnd.hocr+html", "image &quot;scan &lt;1&gt;.png&quot;"),
    ],
)
def test_each_format_has_the_name(serve: Any, media_type: str, start: str) -> None:
    headers = {"accept": media_type}
    response = serve().post("/ocr", files={"file": ("scan <1>.png", picture())}, headers=headers)
    assert start in response.text, response.text[:1500]


def test_two_uploads_of_one_name_do_not_collide(serve: Any) -> None:
    files = [("file", ("x/a.png", picture())), ("file", ("y/a.png", b"")), ("file", ("a.png", picture()))]
    client = serve()
    results = client.post("/ocr", files=files, data={"visualize": "false"}).json()["results"]
    streamed = client.post("/ocr", files=files, headers={"accept": "application/x-ndjson"}).text
    expected = [("a.png", 0, 0), ("a.png", 1, 422), ("a.png", 2, 0)]
    for entries in (results, [json.loads(line) for line in streamed.splitlines()]):
        assert [(e["fileName"], e["fileIndex"], e.get("errorCode", 0)) for e in entries] == expected


def test_a_name_is_not_opened_as_a_path(serve: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.pdf").write_bytes(b"%PDF-1.7 a secret of this machine")
    headers = {"accept": "application/pdf"}
    response = serve().post("/ocr", files={"file": ("a.pdf", picture())}, headers=headers)
    assert (response.status_code, b"secret" in response.content) == (200, False)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["a.pdf"]


def test_open_webui_gets_the_last_part_of_a_name(serve: Any) -> None:
    headers = {"X-Filename": "..%2F..%2Fs%C3%BC%0A%00.png"}
    (document,) = serve().put("/process", content=picture(), headers=headers).json()
    assert document["metadata"]["source"] == "sü__.png"
