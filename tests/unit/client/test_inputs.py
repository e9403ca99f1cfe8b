"""The inputs that predict() accepts."""

import gzip
import io
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tritonocr import FetchError, InvalidInputError
from tritonocr._inputs import urls as urls_module
from tritonocr._inputs.content import looks_like_pdf
from tritonocr._inputs.pillow import bgr_from_pil
from tritonocr._inputs.sources import is_single, sources


class AsynchronousFile:
    async def read(self) -> bytes:
        return b""


def closed_file() -> io.BytesIO:
    file = io.BytesIO(b"content")
    file.close()
    return file


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


@pytest.mark.parametrize("name", ["scan.png", "list.txt"])
def test_an_open_file_is_one_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"first line\nsecond line\n")
    with (tmp_path / name).open("rb") as file:
        (source,) = sources(file)
        assert source.load() == b"first line\nsecond line\n"
    assert source.input_path == (str(tmp_path / name) if name == "scan.png" else None)
    (source,) = sources(io.BytesIO(b"a\nb"))
    assert source.load() == b"a\nb"


def test_an_array_of_paths_is_a_list() -> None:
    assert [source.input_path for source in sources(np.array(["a.png", "b.png"]))] == ["a.png", "b.png"]


def test_a_directory_search_takes_every_format_and_no_attributes_of_macos(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a.jfif", "b.JPE", "c.jp2", "d.avif", "e.ppm", "._a.png", "f.heic", "b\udcb7.png"):
        (tmp_path / name).write_bytes(b"content")
    assert names(tmp_path, tmp_path) == ["a.jfif", "b.JPE", "b\udcb7.png", "c.jp2", "d.avif", "e.ppm"]
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}: files of type .heic are not supported and skipped"
    ]


@pytest.mark.parametrize(
    ("data", "single"),
    [
        (b"a", True),
        (np.zeros((2, 2, 3), np.uint8), True),
        ("a.png", True),
        ("http://host/dir/", True),
        (Image.new("L", (2, 2)), True),
        (io.BytesIO(b"a"), True),
        (np.array(["a.png", "b.png"]), False),
        ("a\0b", True),
        ("n" * 5000, True),
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
        (7, "The input is of type int"),
        (None, "The input is of type NoneType"),
        ({"a.png": 1}, "The input is of type dict"),
        ("iVBORw0KGgo" * 900, "a text of 9900 characters; decode Base64 text to bytes first"),
        ("a\0b.png", "null"),
        ("n" * 256, "File name too long"),
        (io.StringIO("a.png"), "a file opened in text mode; open it with mode 'rb'"),
        (closed_file(), "Cannot read the open file: .*closed"),
        (AsynchronousFile(), r"read\(\) returned coroutine; expected bytes"),
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
    with pytest.raises(InvalidInputError, match=r"holds no \.avif, .*\.webp file"):
        source.load()


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("RGB", (1, 1), (1, 2, 3)), [3, 2, 1]),
        (Image.new("L", (1, 1), 7), [7, 7, 7]),
        (Image.new("RGBA", (1, 1), (1, 2, 3, 0)), [255, 255, 255]),
        (Image.new("1", (1, 1), 1), [255, 255, 255]),
        (Image.new("LA", (1, 1), (9, 255)).convert("La"), [9, 9, 9]),
        (Image.new("RGBA", (1, 1), (1, 2, 3, 255)).convert("RGBa"), [3, 2, 1]),
        (Image.new("CMYK", (1, 1), (0, 0, 0, 0)), [255, 255, 255]),
    ],
    ids=["RGB", "grey", "transparent on white", "1 bit", "La", "RGBa", "CMYK"],
)
def test_pil_images_become_bgr(image: Image.Image, expected: list[int]) -> None:
    assert bgr_from_pil(image).tolist() == [[expected]]


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        pytest.param([0, 32768, 65535], np.uint16, [0, 128, 255], id="I;16, a 16-bit scan"),
        pytest.param([0, 2048, 4095], np.uint16, [0, 128, 255], id="I;16, 12-bit X-ray data"),
        pytest.param([0, 128, 255], np.int32, [0, 128, 255], id="I, 8-bit values"),
        pytest.param([0, 32768, 65535], np.int32, [0, 128, 255], id="I, as older Pillow opens 16-bit PNGs"),
        pytest.param([-100, 0, 100], np.int32, [0, 128, 255], id="I, negative values"),
        pytest.param([0, 0.5, 1], np.float32, [0, 128, 255], id="F, 0 to 1"),
        pytest.param([0, 128, 255], np.float32, [0, 128, 255], id="F, 0 to 255"),
        pytest.param([0, 0, 0], np.float32, [0, 0, 0], id="F, black"),
    ],
)
def test_deep_pil_images_keep_their_contrast(values: list[float], dtype: type, expected: list[int]) -> None:
    image = Image.fromarray(np.array([values], dtype))
    assert image.mode in ("I;16", "I", "F")
    assert bgr_from_pil(image)[0, :, 0].tolist() == expected


def test_a_pil_image_with_nan_is_a_broken_input() -> None:
    with pytest.raises(InvalidInputError, match="infinite or not a number"):
        bgr_from_pil(Image.fromarray(np.array([[np.nan, 1]], np.float32)))


@pytest.mark.parametrize("image_format", ["BMP", "DIB"])
def test_a_bitmap_of_the_clipboard_with_an_empty_alpha_channel_is_opaque(image_format: str) -> None:
    image = Image.new("RGBA", (2, 1), (10, 20, 30, 0))
    image.format = image_format  # as Pillow opens a bitmap with color masks
    assert bgr_from_pil(image)[0, 0].tolist() == [30, 20, 10]


def test_a_closed_pil_image_is_a_broken_input(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    image = Image.open(tmp_path / "a.png")
    image.close()
    with pytest.raises(InvalidInputError, match=r"The PIL image \(mode RGB\) cannot be read"):
        bgr_from_pil(image)


def test_a_broken_exif_block_is_no_reason_not_to_read() -> None:
    image = Image.new("RGB", (2, 2), (1, 2, 3))
    image.info["exif"] = b"Exif\0\0II*\0\xff\xff\xff\x7f"
    assert bgr_from_pil(image)[0, 0].tolist() == [3, 2, 1]


def test_pil_images_are_turned_upright() -> None:
    image = Image.new("L", (2, 1))
    image.putpixel((0, 0), 255)
    image.getexif()[0x0112] = 6  # to be turned by 90 degrees clockwise
    assert bgr_from_pil(image)[:, :, 0].tolist() == [[255], [0]]


def test_a_broken_pil_image_is_a_broken_input() -> None:
    output = io.BytesIO()
    Image.new("RGB", (64, 64)).save(output, "PNG")
    image = Image.open(io.BytesIO(output.getvalue()[:60]))
    with pytest.raises(InvalidInputError, match=r"The PIL image .* cannot be read"):
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


ESCAPED = ("/my%20scan.png", "/M%C3%BCller.png", "/a%2Fb.png?q=%C3%A9&x=a%20b", "/secret.png")


CODED = {
    "/coded/gzip": ("gzip", gzip.compress(b"content")),
    "/coded/upper": ("GZIP", gzip.compress(b"content")),
    "/coded/zlib": ("deflate", zlib.compress(b"content")),
    "/coded/raw": ("deflate", zlib.compress(b"content")[2:-4]),
    "/coded/identity": ("identity", b"content"),
    "/coded/br": ("br", b"content"),
    "/coded/none": ("gzip", b"content"),
    "/coded/cut": ("gzip", gzip.compress(b"content")[:-4]),
    "/coded/large": ("gzip", gzip.compress(bytes(1000))),
}


class Handler(BaseHTTPRequestHandler):
    def break_off(self) -> None:
        """Answer with a body that ends too early, or with no HTTP at all."""
        answers = {
            "/broken/length": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nstart",
            "/broken/chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2000\r\nstart",
            "/broken/status": b"no HTTP at all\r\n\r\n",
            "/broken/nothing": b"",
            "/broken/reason": b"HTTP/1.1 500\r\n\r\n",
        }
        self.wfile.write(answers[self.path])

    def do_GET(self) -> None:
        redirects = {"/moved": "/page.png", "/out": "file:///etc/passwd", "/loop": "/loop"}
        if self.path in redirects:
            self.send_response(302)
            self.send_header("Location", redirects[self.path])
            self.end_headers()
            return
        if self.path.startswith("/broken"):
            self.break_off()
            return
        if "secret" in self.path and self.headers["Authorization"] != "Basic w7xzZXI6cEBzcw==":
            self.send_error(401)
            return
        if self.path in CODED:
            coding, content = CODED[self.path]
            self.send_response(200)
            self.send_header("Content-Encoding", coding)
            self.end_headers()
            self.wfile.write(content)
            return
        if self.path in ESCAPED:
            self.path = "/page.png"
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


@pytest.mark.parametrize(
    "path",
    [
        "/page.png",
        "/moved",
        "/my scan.png",
        "/my%20scan.png",
        "/Müller.png",
        "/a%2Fb.png?q=é&x=a b#part",
        "/coded/gzip",
        "/coded/upper",
        "/coded/zlib",
        "/coded/raw",
        "/coded/identity",
    ],
)
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
        ("/broken/length", "the connection broke after 5 of 1000 bytes of the transfer"),
        ("/broken/chunk", "the connection broke during the transfer"),
        ("/broken/status", "the server's response is not valid HTTP"),
        ("/broken/nothing", "Remote end closed connection|not valid HTTP"),
        ("/broken/reason", "the server answered 500\\.$"),
        ("/secret.png", "the server answered 401 Unauthorized"),
        ("/coded/br", "its Content-Encoding 'br' is not supported"),
        ("/coded/none", "its content is not in its Content-Encoding 'gzip'"),
        ("/coded/cut", "its compressed content is truncated"),
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
    monkeypatch.setattr(urls_module, "MAX_URL_BYTES", 3)
    (source,) = sources(site + "/page.png")
    with pytest.raises(FetchError, match="larger than 3 bytes"):
        source.load()


def test_compressed_content_has_a_limit(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urls_module, "MAX_URL_BYTES", 100)
    (source,) = sources(site + "/coded/large")
    with pytest.raises(FetchError, match="larger than 100 bytes"):
        source.load()


@pytest.mark.parametrize(
    "url",
    [
        "data:image/png;base64,Y29udGVudA==",
        "DATA:;BASE64,Y29udGVudA==",
        "data:image/png;base64,Y29u dGVu%0AdA%3D%3D",
        "data:,content",
        "data:text/plain;charset=utf-8,c%6Fntent",
    ],
)
def test_a_data_url_is_the_file_itself(url: str) -> None:
    (source,) = sources(url)
    assert source.load() == b"content"
    assert source.input_path is None
    assert is_single(url)


def test_a_damaged_data_url_is_a_broken_input() -> None:
    (source,) = sources("data:image/png;base64,not Base64!" + "x" * 1000)
    with pytest.raises(
        FetchError, match=r"Cannot decode the Base64 content of 'data:image/png;.*…"
    ) as raised:
        source.load()
    assert len(str(raised.value)) < 200


def test_a_password_in_a_url_is_sent_and_not_told(site: str) -> None:
    (source,) = sources(site.replace("://", "://%C3%BCser:p%40ss@") + "/secret.png")
    assert source.load() == b"content"
    (source,) = sources(site.replace("://", "://user:wrong@") + "/secret.png")
    with pytest.raises(FetchError, match=r"user:\*\*\*@127\.0\.0\.1.*401") as raised:
        source.load()
    assert "wrong" not in str(raised.value)


@pytest.mark.parametrize(
    "url", ["http://", "http://a b/c", "http://h:port/c", "http://[::1", "http://" + "x" * 70]
)
def test_a_malformed_url_is_a_broken_input(url: str) -> None:
    (source,) = sources(url)
    with pytest.raises(FetchError, match="Cannot fetch"):
        source.load()
