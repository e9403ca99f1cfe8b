"""Files that need too much are rejected with a reason and bounded memory; other requests are not affected."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bombs
import psutil
import pytest

from tritonocr import InvalidInputError, OCRClient, demo_page
from tritonocr._demo import DEMO_LINES
from tritonocr_backend.repository import pipeline_config
from tritonocr_backend.repository.prepare import prepare_repository
from tritonocr_backend.repository.serving_settings import ServingSettings
from tritonocr_backend.server.embedded import EmbeddedServer, ServerOptions

PLAIN: dict[str, Any] = {
    "use_doc_orientation_classify": False,
    "use_doc_unwarping": False,
    "use_textline_orientation": False,
}
LIMITS = {
    "max_file_bytes": 8 * bombs.MIB,
    "max_pixels": 20_000_000,
    "max_pages": 600,
    "max_seconds": 12,
    "max_render_seconds": 1,
    "max_render_bytes": 256 * bombs.MIB,
}
GROWTH_BYTES = 700 * bombs.MIB
"""What all of the server's processes may grow by over one bomb: a rendering, and pages of the pixel limit."""

RENDERING = r"page 0 of the PDF (takes more than 1 s of CPU time|crashes the renderer or needs)|max_seconds"
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "PDF: forms within forms": (bombs.pdf_forms_within_forms, RENDERING),
    "PDF: 400 MB of content in 1 kB": (bombs.pdf_packed_twice, RENDERING),
    "PDF: a hundred thousand curves": (bombs.pdf_curves, RENDERING),
    "PNG: 121 megapixels in 15 kB": (
        lambda: bombs.png(11_000, 11_000),
        "121 megapixels, expected at most 20",
    ),
    "PNG: texts of 200 MB": (bombs.png_of_texts, "the PNG is corrupt"),
    "TIFF: 100 001 pages": (
        lambda: bombs.tiff_of_pages(100_001),
        "got .* bytes, expected at most 8388608",
    ),
    "gzip": (lambda: bombs.packed()["gzip"], "expected a JPEG"),
    "zip": (lambda: bombs.packed()["zip"], "expected a JPEG"),
    "tar.gz": (lambda: bombs.packed()["tar.gz"], "expected a JPEG"),
    "Base64 of Base64": (lambda: bombs.base64_of_base64(bombs.png(64, 64)), "expected a JPEG"),
    "a PDF's head before a picture": (lambda: b"%PDF-1.7\n" + bombs.png(64, 64), "the PDF is corrupt"),
    "nine megabytes": (lambda: bytes(9 * bombs.MIB), "got 9437184 bytes, expected at most 8388608"),
}
READ: dict[str, Callable[[], bytes]] = {
    "PDF: a page of five metres, which is rendered smaller": lambda: bombs.pdf_of_size(14_400),
    "PDF: a form that draws itself": bombs.pdf_form_within_itself,
    "PDF: brackets within brackets": bombs.pdf_nested_arrays,
    "PDF: a page tree in a circle": bombs.pdf_page_tree_in_a_circle,
    "PDF: 100 000 pages, of which one is asked for": lambda: bombs.pdf_of_pages(100_000),
    "TIFF: pages in a circle": lambda: bombs.tiff_of_pages(3, circle=True),
    "GIF: many frames": lambda: bombs.animation("GIF"),
    "WebP: many frames": lambda: bombs.animation("WEBP"),
    "a picture's head before a PDF": lambda: bombs.png(64, 64) + bombs.pdf_of_pages(1),
}


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A server with low limits, so that reaching them takes little time."""
    directory = tmp_path_factory.mktemp("limited")
    repository = prepare_repository(
        directory / "repository",
        pipeline_config.default(),
        serving=ServingSettings(instances={"ocr": 2}),
        limits=LIMITS,
    )
    options = ServerOptions(log_level="info", log_file=directory / "server.log")
    with EmbeddedServer(repository, options) as server:
        yield server


@pytest.fixture(scope="module")
def client(limited: EmbeddedServer) -> Iterator[OCRClient]:
    with OCRClient(limited.grpc_url) as connected:
        connected.ocr(bombs.pdf_of_pages(1), **PLAIN)  # what a first page costs is not a bomb's
        yield connected


def memory_bytes(server: EmbeddedServer) -> int:
    total = 0
    for process in (psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


@contextmanager
def growth_watched(server: EmbeddedServer) -> Iterator[None]:
    """Fail where the server's processes grow by more than GROWTH_BYTES meanwhile."""
    before, peak, done = memory_bytes(server), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.05):
            peak = max(peak, memory_bytes(server))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        done.set()
        watching.join()
    assert peak - before < GROWTH_BYTES


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused_by_name_and_harms_no_other(limited: EmbeddedServer, client: OCRClient, name: str) -> None:
    make, sentence = REFUSED[name]
    bomb = make()
    with growth_watched(limited), ThreadPoolExecutor(1) as beside:
        innocent = beside.submit(client.ocr, demo_page())
        with pytest.raises(InvalidInputError, match=sentence):
            client.ocr(bomb, max_pages=600, **PLAIN)
        assert len(innocent.result()[0]["rec_texts"]) == len(DEMO_LINES)


@pytest.mark.parametrize("name", READ)
def test_is_read_as_far_as_it_goes(limited: EmbeddedServer, client: OCRClient, name: str) -> None:
    with growth_watched(limited):
        [page] = client.ocr(READ[name](), max_pages=1, **PLAIN)
    assert page["rec_texts"] == []


def test_a_file_that_takes_too_long_is_refused(
    limited: EmbeddedServer, client: OCRClient, corpus: Path
) -> None:
    file = (corpus / "edge" / "pdf_500_pages.pdf").read_bytes()
    with pytest.raises(InvalidInputError, match=r"reading its pages takes more than 12 s \(limit max"):
        client.ocr(file, max_pages=500)
    assert len(client.ocr(demo_page())[0]["rec_texts"]) == len(DEMO_LINES)


def test_more_pages_than_allowed_are_not_asked_for(client: OCRClient) -> None:
    with pytest.raises(
        InvalidInputError, match=r"max_pages: got 601, expected at most 600 \(limit max_pages\)"
    ):
        client.ocr(demo_page(), max_pages=601)


def test_nothing_stays_behind(limited: EmbeddedServer, client: OCRClient) -> None:
    """After bombs at every instance at once, memory comes back and idle renderers are few."""
    before = memory_bytes(limited)
    with ThreadPoolExecutor(8) as threads:
        for outcome in [threads.submit(client.ocr, bombs.pdf_curves(), **PLAIN) for _ in range(4)]:
            with pytest.raises(InvalidInputError, match=r"max_seconds|page 0 of the PDF"):
                outcome.result()
    deadline = time.monotonic() + 60
    while (grown := memory_bytes(limited) - before) > GROWTH_BYTES / 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert grown <= GROWTH_BYTES / 2
    workers = [
        process
        for process in psutil.Process(limited.pid).children(recursive=True)
        if "tritonocr_backend.documents.pdf_worker" in process.cmdline()
    ]
    assert len(workers) <= 2 * 2, "two idle ones for each of two instances"
