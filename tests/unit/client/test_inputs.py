"""What predict() takes."""

import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tritonocr import FetchError, InvalidInputError
from tritonocr import _inputs as inputs_module
from tritonocr._inputs import bgr_from_pil, is_single, looks_like_pdf, sources


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    for name in ("b.png", "a.JPG", "note.txt", "c.pdf", "sub/d.tif", ".hidden"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def names(data: Any, folder: Path, **arguments: bool) -> list[str]:
    return [str(Path(source.input_path or "").relative_to(folder)) for source in sources(data, **arguments)]


def test_a_directory_means_its_pictures_and_pdfs_by_name(folder: Path) -> None:
    assert names(folder, folder) == ["a.JPG", "b.png", "c.pdf"]
    assert names(str(folder), folder, recursive=True) == ["a.JPG", "b.png", "c.pdf", "sub/d.tif"]


def test_lists_are_read_in_their_order_down_to_any_depth(folder: Path) -> None:
    data = [folder / "note.txt", [folder / "sub", str(folder / "b.png")]]
    assert names(data, folder) == ["note.txt", "sub/d.tif", "b.png"]


def test_an_iterator_stays_one() -> None:
    assert isinstance(sources(iter([b"a"])), Iterator)
    assert isinstance(sources([b"a"]), list)


@pytest.mark.parametrize(
    ("data", "loaded"),
    [
        (b"bytes", b"bytes"),
        (bytearray(b"bytes"), b"bytes"),
        (memoryview(b"bytes"), b"bytes"),
    ],
)
def test_bytes_of_any_kind_are_a_file(data: Any, loaded: bytes) -> None:
    (source,) = sources(data)
    assert source.load() == loaded
    assert source.input_path is None


@pytest.mark.parametrize(
    ("data", "single"),
    [
        (b"a", True),
        (np.zeros((2, 2, 3), np.uint8), True),
        ("a.png", True),
        ("http://host/dir/", True),
        (Image.new("L", (2, 2)), True),
        (["a.png"], False),
        ((b"a",), False),
        ("/", False),
        ("", True),
    ],
)
def test_one_file_is_told_from_many(data: Any, single: bool) -> None:
    assert is_single(data) is single


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (7, "The input is a int"),
        ("", "The input is an empty string"),
        ("no-such-file.png", "Cannot read 'no-such-file.png': No such file"),
        ("ftp://host/a.png", "expected an http:// or https:// URL"),
        ("file:///etc/passwd", "expected an http:// or https:// URL"),
    ],
)
def test_what_cannot_be_read_says_so_when_it_is_loaded(data: Any, sentence: str) -> None:
    (source,) = sources(data)
    with pytest.raises(InvalidInputError, match=sentence):
        source.load()


def test_an_empty_directory_says_so(tmp_path: Path) -> None:
    (source,) = sources(tmp_path)
    with pytest.raises(InvalidInputError, match=r"holds no \.bmp, .*\.webp file"):
        source.load()


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("RGB", (1, 1), (1, 2, 3)), [3, 2, 1]),
        (Image.new("L", (1, 1), 7), [7, 7, 7]),
        (Image.new("RGBA", (1, 1), (1, 2, 3, 0)), [255, 255, 255]),
        (Image.new("1", (1, 1), 1), [255, 255, 255]),
    ],
    ids=["RGB", "grey", "transparent on white", "1 bit"],
)
def test_pil_images_become_bgr(image: Image.Image, expected: list[int]) -> None:
    assert bgr_from_pil(image).tolist() == [[expected]]


def test_pil_images_are_turned_upright() -> None:
    image = Image.new("L", (2, 1))
    image.putpixel((0, 0), 255)
    image.getexif()[0x0112] = 6  # to be turned by 90 degrees clockwise
    assert bgr_from_pil(image)[:, :, 0].tolist() == [[255], [0]]


def test_a_broken_pil_image_is_a_broken_input() -> None:
    output = io.BytesIO()
    Image.new("RGB", (64, 64)).save(output, "PNG")
    image = Image.open(io.BytesIO(output.getvalue()[:60]))
    with pytest.raises(InvalidInputError, match="The PIL image cannot be read"):
        bgr_from_pil(image)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (b"%PDF-1.4", True),
        (b"\xef\xbb\xbf junk %PDF-1.4", True),
        (b"\x89PNG %PDX", False),
        (b" " * 2000 + b"%PDF-", False),
    ],
)
def test_pdfs_are_known_by_their_signature(file: bytes, expected: bool) -> None:
    assert looks_like_pdf(file) is expected


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        redirects = {"/moved": "/page.png", "/out": "file:///etc/passwd", "/loop": "/loop"}
        if self.path in redirects:
            self.send_response(302)
            self.send_header("Location", redirects[self.path])
            self.end_headers()
            return
        self.send_response(200 if self.path == "/page.png" else 404)
        self.end_headers()
        self.wfile.write(b"content")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("path", ["/page.png", "/moved"])
def test_a_url_is_fetched_here(site: str, path: str) -> None:
    (source,) = sources(site + path)
    assert source.load() == b"content"
    assert source.input_path == site + path


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/absent", "the server answered 404 Not Found"),
        ("/out", "Redirection to url 'file:///etc/passwd' is not allowed"),
        ("/loop", "would lead to an infinite loop\\.$"),
    ],
)
def test_a_url_that_cannot_be_fetched_says_why(site: str, path: str, sentence: str) -> None:
    (source,) = sources(site + path)
    with pytest.raises(FetchError, match=sentence):
        source.load()


def test_nobody_at_the_url_is_said() -> None:
    (source,) = sources("http://127.0.0.1:1/a.png")
    with pytest.raises(FetchError, match="Connection refused"):
        source.load()


def test_a_file_without_end_is_given_up(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs_module, "MAX_URL_BYTES", 3)
    (source,) = sources(site + "/page.png")
    with pytest.raises(FetchError, match="larger than 3 bytes"):
        source.load()
