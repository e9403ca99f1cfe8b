"""What `predict()` takes: arrays, paths, URLs, directories, bytes, PIL images, and lists of those."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ._exceptions import FetchError, InvalidInputError

File: TypeAlias = "bytes | NDArray[np.uint8]"

# What a directory is searched for. PaddleX looks for jpg, jpeg, png and bmp, and leaves PDFs out.
SUFFIXES = frozenset([".bmp", ".gif", ".jpeg", ".jpg", ".pdf", ".png", ".tif", ".tiff", ".webp"])
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # TIFF 6.0 and BigTIFF
MAX_URL_BYTES = 1 << 30
URL_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Source:
    """One file to read: where it comes from, and how to get its content.

    Attributes:
        input_path: the path or URL; None for pixels and bytes.
        load: reads the content; raises InvalidInputError.
    """

    input_path: str | None
    load: Callable[[], File]


def is_single(data: Any) -> bool:
    """Whether the data is one file, whose failure is the call's failure."""
    if isinstance(data, (str, Path)):
        return _is_url(data) or not data or not Path(data).is_dir()
    return isinstance(data, (bytes, bytearray, memoryview, np.ndarray)) or not isinstance(data, Iterable)


def sources(data: Any, *, recursive: bool = False) -> Iterable[Source]:
    """List the files that an input means, in order; directories by name.

    Whatever is wrong with an element is raised by its own `load`, so that the others can go on.

    Args:
        data: an ndarray [H,W,3] BGR uint8 or [H,W], file bytes, a PIL image, a path, an http(s) URL, a
            directory, or an iterable of those.
        recursive: search directories below the given one as well.

    Returns:
        A list, or an iterator where the input is one.
    """
    found = _sources(data, recursive)
    return found if isinstance(data, Iterator) else list(found)


def _sources(data: Any, recursive: bool) -> Iterator[Source]:
    if isinstance(data, np.ndarray):
        yield Source(None, lambda: data)
    elif isinstance(data, (bytes, bytearray, memoryview)):
        yield Source(None, lambda: bytes(data))
    elif isinstance(data, (str, Path)):
        yield from _named(data, recursive)
    elif _is_pil_image(data):
        yield Source(None, lambda: bgr_from_pil(data))
    elif isinstance(data, Iterable):
        for element in data:
            yield from _sources(element, recursive)
    else:
        kind = type(data).__name__
        yield _broken(
            None,
            f"The input is a {kind}; expected an array, bytes, a path, a URL, a PIL image, or a list.",
        )


def _named(name: str | Path, recursive: bool) -> Iterator[Source]:
    if _is_url(name):
        yield Source(str(name), lambda: fetch(str(name)))
        return
    if not name:  # an unset variable, say; Path would take it for the current directory
        yield _broken(None, "The input is an empty string; expected a path or a URL.")
        return
    path = Path(name)
    if not path.is_dir():
        yield Source(str(name), lambda: read(path))
        return
    found = files_in(path, recursive=recursive)
    yield from (Source(str(file), lambda file=file: read(file)) for file in found)  # type: ignore[misc]
    if not found:
        yield _broken(str(name), f"The directory {str(name)!r} holds no {', '.join(sorted(SUFFIXES))} file.")


def _broken(input_path: str | None, sentence: str) -> Source:
    def load() -> File:
        raise InvalidInputError(sentence)

    return Source(input_path, load)


def files_in(directory: Path, *, recursive: bool = False) -> list[Path]:
    """List a directory's images and PDFs, sorted by path."""
    entries = directory.rglob("*") if recursive else directory.iterdir()
    return sorted(path for path in entries if path.suffix.lower() in SUFFIXES and path.is_file())


def read(path: Path) -> bytes:
    """Read a file.

    Raises:
        InvalidInputError: it does not exist or cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"Cannot read {str(path)!r}: {error.strerror or error}.") from error


def _is_url(name: str | Path) -> bool:
    return isinstance(name, str) and "://" in name


def fetch(url: str) -> bytes:
    """Fetch a URL on this machine; the server never opens one.

    Raises:
        FetchError: another scheme than http(s), at a redirect as well; no answer; a status other than 200;
            more than `MAX_URL_BYTES`.
    """
    if not url.lower().startswith(("http://", "https://")):
        raise FetchError(f"Cannot fetch {url!r}: expected an http:// or https:// URL.")
    try:
        with _http_only_opener().open(url, timeout=URL_TIMEOUT_S) as response:
            content: bytes = response.read(MAX_URL_BYTES + 1)
    except urllib.error.HTTPError as error:
        error.close()
        reason = str(error.reason).splitlines()[0].rstrip(".")
        raise FetchError(f"Cannot fetch {url!r}: the server answered {error.code} {reason}.") from error
    except (OSError, ValueError) as error:
        raise FetchError(f"Cannot fetch {url!r}: {getattr(error, 'reason', error)}.") from error
    if len(content) > MAX_URL_BYTES:
        raise FetchError(f"Cannot fetch {url!r}: it is larger than {MAX_URL_BYTES} bytes.")
    return content


def _http_only_opener() -> urllib.request.OpenerDirector:
    """An opener without the file, ftp and data schemes of the default one."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


def _is_pil_image(value: object) -> bool:
    """Recognise a PIL image without importing PIL, which is optional."""
    return any(kind.__module__ == "PIL.Image" and kind.__name__ == "Image" for kind in type(value).__mro__)


def bgr_from_pil(image: Any) -> NDArray[np.uint8]:
    """Turn a PIL image upright by its EXIF orientation, lay it on white, and return it as [H,W,3] BGR.

    Raises:
        InvalidInputError: its file, which PIL opens before it reads it, is broken.
    """
    from PIL import Image, ImageOps

    try:
        upright = ImageOps.exif_transpose(image)
    except OSError as error:
        raise InvalidInputError(f"The PIL image cannot be read: {error}.") from error
    if upright.has_transparency_data:
        layer = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return np.ascontiguousarray(np.asarray(upright.convert("RGB"))[:, :, ::-1])


def looks_like_pdf(file: File) -> bool:
    """Whether a file's first kilobyte has a PDF's signature, which is where readers accept it."""
    return isinstance(file, bytes) and b"%PDF-" in file[:1024]


def may_have_pages(file: File) -> bool:
    """Whether a file is of a kind that has several pages: a PDF or TIFF."""
    return looks_like_pdf(file) or (isinstance(file, bytes) and file.startswith(_TIFF))
