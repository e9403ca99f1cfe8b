"""Hostile requests to a server and its gateway: memory and time are bounded, and others are served.

docs/security.md states the bounds that these tests check.
"""

from __future__ import annotations

import base64
import io
import select
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import bombs
import numpy as np
import pytest
from default_pipeline import Serve
from direct_calls import call, noise
from faults import ask, until
from hostile import FORM, JSON, MIB, Service, check, form, gateway_of, reads_on, repeated
from PIL import Image

from tritonocr import InvalidInputError, OCRClient, ServerUnavailableError, demo_page
from tritonocr_backend.core.contracts import POSTPROCESS
from tritonocr_backend.repository import pipeline_config
from tritonocr_backend.repository.prepare import prepare_repository
from tritonocr_backend.server.embedded import EmbeddedServer, ServerOptions

KEPT_MIB = 300
"""What all processes together may keep a minute later."""
HALF_OF_A_REQUEST = (
    b"POST /ocr HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
)
SIDE_PX = 11_585  # squared: the limit of 134 megapixels


def _encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    output = io.BytesIO()
    picture.save(output, kind, **options)
    return output.getvalue()


BODIES: dict[str, tuple[Callable[[], bytes], str, set[int]]] = {
    "JSON: empty lists": (lambda: b"[" + repeated(b"[],") + b"0]", JSON, {400}),
    "JSON: objects": (lambda: b"[" + repeated(b'{"":0},') + b"0]", JSON, {400}),
    "JSON: a number of 97 million digits": (lambda: b'{"file":' + repeated(b"1") + b"}", JSON, {400}),
    "JSON: escapes": (lambda: b'{"file":"' + repeated(b"\\u0041") + b'"}', JSON, {422}),
    "JSON: Base64 in lines of 4": (lambda: b'{"file":"' + repeated(b"QUJD\\n") + b'"}', JSON, {422}),
    "JSON: blanks": (lambda: repeated(b" "), JSON, {422}),
    "form: Base64 in lines of 4": (lambda: form(("file", repeated(b"QUJD\r\n"))), FORM, {422}),
    "form: almost boundaries": (lambda: form(("file!", repeated(b"\r\n--c"))), FORM, {422}),
    "form: 100 fields": (
        lambda: form(*((f"f{i}", repeated(b"x", 970_000)) for i in range(100)), ("file!", b"x")),
        FORM,
        {422},
    ),
    "form: punycode": (
        lambda: form(("lang", repeated(b"x")), ("file!", b"x")),
        FORM + "; charset=punycode",
        {422},
    ),
    "a file of 97 MB": (lambda: repeated(b"\x89PNG"), "application/octet-stream", {422}),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body(service: Service, name: str, happened: Callable[[str], None]) -> None:
    make, media_type, expected = BODIES[name]
    body = make()
    with service.watched() as seen:
        status, _ = service.request("POST", "/ocr", body, media_type)
    assert status in expected
    check(seen, happened)


def _thin_lines() -> bytes:
    page = np.full((5600, 4000), 255, np.uint8)
    page[4:5590:14] = page[5:5590:14] = page[6:5590:14] = 0
    page[:, ::200] = page[:, 1::200] = page[:, 2::200] = page[:, 3::200] = page[:, 4::200] = 255
    return _encoded(Image.fromarray(page), "PNG")


def _blank(kind: str, **options: Any) -> bytes:
    return _encoded(Image.new("1", (SIDE_PX, SIDE_PX), 1), kind, **options)


def _tiff() -> bytes:
    more = [Image.new("1", (SIDE_PX, SIDE_PX), 1)] * 9
    return _blank("TIFF", compression="group4", save_all=True, append_images=more)


LOW = {"text_det_limit_side_len": 4000, "text_det_thresh": 0.05, "text_det_box_thresh": 0.05}
PAGES: dict[str, tuple[Callable[[], bytes], dict[str, Any]]] = {
    "a page of 134 megapixels": (lambda: _blank("PNG"), {"return_page_images": True}),
    "the same, limit_type=min": (lambda: _blank("PNG"), {"text_det_limit_type": "min"}),
    "10 pages of 134 megapixels": (_tiff, {"max_pages": 10}),
    "1000 blank pages": (lambda: bombs.pdf_of_pages(1000), {"max_pages": 1000}),
    "many thin lines": (_thin_lines, {**LOW, "return_word_box": True, "return_char_box": True}),
}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", PAGES)
def test_a_page(service: Service, name: str, happened: Callable[[str], None]) -> None:
    make, options = PAGES[name]
    file = make()
    with OCRClient(service.server.grpc_url, timeout_s=500) as client, service.watched() as seen:
        outcome = ask(client, file, **options)
    # On few cores reading all pages takes longer than max_seconds.
    assert outcome.error is None or "max_seconds" in str(outcome.error)
    check(seen, happened)


def test_drawing_a_page_of_70_megapixels(service: Service, happened: Callable[[str], None]) -> None:
    file = _encoded(Image.new("L", (7000, 10_000), 255), "JPEG")
    with service.watched() as seen:
        status, _ = service.request("POST", "/ocr?visualize=true&returnPageImage=true", file, "image/jpeg")
    assert status == 200
    check(seen, happened)
    assert seen.grown_mib["gateway"] < 500


def test_responses_that_nobody_reads(service: Service, happened: Callable[[str], None]) -> None:
    """30 clients with files of 17 MB of noise at once: the bodies of all requests have one limit."""
    noise = np.random.default_rng(0).integers(0, 255, (2400, 2400, 3), np.uint8)
    file = _encoded(Image.fromarray(noise), "PNG")
    head = b"POST /ocr?returnPageImage=true HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
    clients = []
    with service.watched() as seen:
        for _ in range(30):
            client = service.connect()
            clients.append(client)
            client.sendall(head + b"Content-Length: %d\r\n\r\n" % len(file) + file)
        time.sleep(60)
        status, _ = service.request("POST", "/ocr", file, "image/png")
    for client in clients:
        client.close()
    assert status == 200
    check(seen, happened)


def test_half_sent_bodies_and_the_stop(
    server: EmbeddedServer, tmp_path: Path, happened: Callable[[str], None]
) -> None:
    page = _encoded(Image.fromarray(demo_page()), "PNG")
    with gateway_of(server, tmp_path) as service:
        clients = [service.connect() for _ in range(200)]
        with service.watched() as seen:
            for client in clients:
                client.sendall(HALF_OF_A_REQUEST)
            until(lambda: len(select.select(clients, [], [], 0)[0]) >= 72, 60, "the bodies arrive")
            assert service.request("POST", "/ocr", page, "image/png")[0] == 200
        check(seen, happened)
        service.gateway.send_signal(signal.SIGTERM)
        took_s = until(lambda: service.gateway.status() == "zombie", 20, "the gateway stops")
        for client in clients:
            client.close()
    happened(f"{seen.text()}; stopped {took_s:.1f} s after SIGTERM")


def test_memory_returns_within_a_minute_of_each_request(
    serve: Serve, tmp_path: Path, happened: Callable[[str], None]
) -> None:
    """On a server that has read only small pages. /dev/shm keeps what its largest request needed."""
    base64_of_a_file = b'{"file":"' + base64.b64encode(b"\x89PNG" + bytes(72 * MIB)) + b'"}'
    with serve() as server, gateway_of(server, tmp_path) as service:
        assert reads_on(service)
        idle = sum(service.own_bytes().values())

        def kept_mib() -> int:
            return (sum(service.own_bytes().values()) - idle) // MIB

        def send(body: bytes, media_type: str) -> None:
            service.request("POST", "/ocr", body, media_type)

        def read_page() -> None:
            with OCRClient(server.grpc_url, timeout_s=500) as client:
                ask(client, _blank("PNG"), text_det_limit_type="min", return_page_images=True)

        requests: dict[str, Callable[[], object]] = {
            "Base64 of a file": lambda: send(base64_of_a_file, JSON),
            "Base64 in lines": lambda: send(b'{"file":"' + repeated(b"QUJD\n") + b'"}', JSON),
            "a form": lambda: send(form(("file!", repeated(b"\x89PNG"))), FORM),
            "a file": lambda: send(repeated(b"\x89PNG"), "application/octet-stream"),
            "a page": read_page,
            "a map": lambda: call(service, POSTPROCESS, noise()),
        }
        kept = []
        for name, request in requests.items():
            request()
            until(lambda: kept_mib() < KEPT_MIB, 60, f"memory returns after {name}")
            kept.append(f"{name}: {kept_mib()}")
    happened(f"MiB that all processes keep after {', '.join(kept)}")


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A server that gives each file 2 s."""
    directory = tmp_path_factory.mktemp("hasty")
    repository = prepare_repository(
        directory / "repository", pipeline_config.default(), limits={"max_seconds": 2}
    )
    options = ServerOptions(log_level="info", log_file=directory / "server.log")
    with EmbeddedServer(repository, options) as running:
        yield running


def test_a_busy_server_is_not_the_files_fault(
    hasty: EmbeddedServer, tmp_path: Path, happened: Callable[[str], None]
) -> None:
    page = _encoded(Image.fromarray(demo_page()), "PNG")
    with OCRClient(hasty.grpc_url, timeout_s=120) as client:
        assert ask(client, page).error is None, "alone, the page is read in time"
        with ThreadPoolExecutor(32) as threads:
            outcomes = list(threads.map(lambda _: ask(client, page), range(64)))
        with gateway_of(hasty, tmp_path) as service, ThreadPoolExecutor(32) as threads:
            sent = threads.map(lambda _: service.request("POST", "/ocr", page, "image/png")[0], range(64))
            statuses = list(sent)
    errors = [outcome.error for outcome in outcomes if outcome.error]
    assert all(isinstance(error, ServerUnavailableError) for error in errors), errors
    assert set(statuses) <= {200, 429, 503}
    happened(f"of 64 pages {len(errors)} were unavailable; at the gateway {statuses.count(503)} got 503")


def test_a_slow_file_is_its_own_fault(hasty: EmbeddedServer) -> None:
    with OCRClient(hasty.grpc_url, timeout_s=120) as client:
        outcome = ask(client, bombs.pdf_of_pages(1000), max_pages=1000)
    assert isinstance(outcome.error, InvalidInputError)
    assert "max_seconds" in str(outcome.error)
