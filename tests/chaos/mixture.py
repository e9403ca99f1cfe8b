"""Requests of all kinds in turn: every format and option, bad files, and requests that are cancelled."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from drawn_pdfs import born_digital

from tritonocr import FORMATS, OCRClient, TritonOCRError

TIMEOUT_S = 600.0
"""No request is expected to take this long, but the machine may be busy with other work."""
CANCELLED_AFTER_S = 0.3
REST_FORMATS = {row.media_type for row in FORMATS.values()} | {"application/pdf"}
IMAGES = (
    "00_base_rgb.png",
    "20_1bit.png",
    "22_rgb16.tiff",
    "23_exif6.jpg",
    "24_cmyk.jpg",
    "24_progressive.jpg",
    "40.avif",
    "40.bmp",
    "40.jp2",
    "40.webp",
    "40_anim.gif",
    "40_multipage.tif",
    "12_text_30x20.png",
    "11_blank_white.png",
    "51_wide_6000x80.png",
    "52_vertical_letters.png",
    "rotated_90.pdf",
    "no_text_layer.pdf",
    "60_12pages.pdf",
)
BAD = (
    "30_bitflip.png",
    "30_truncated_half.jpg",
    "31_empty.jpg",
    "31_random.png",
    "50_huge_33000x33000.png",
    "60_garbage.pdf",
    "60_hugepage_14400pt.pdf",
    "password_protected.pdf",
)
OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"use_doc_orientation_classify": False, "use_doc_unwarping": False, "use_textline_orientation": False},
    {"use_doc_unwarping": False, "return_word_box": True, "return_char_box": True},
    {"use_doc_orientation_classify": False, "text_det_limit_side_len": 640, "pdf_dpi": 100},
    {"use_textline_orientation": False, "text_det_limit_type": "min", "text_det_limit_side_len": 64},
    {"pdf_text": "auto", "coordinates": "input", "max_pages": 1},
    {"text_det_thresh": 0.4, "text_det_box_thresh": 0.7, "text_det_unclip_ratio": 1.5, "pdf_dpi": 200},
    {"use_doc_unwarping": False, "text_rec_score_thresh": 0.5, "max_pages": 3},
)
BAD_OPTIONS = ({"text_det_thresh": 2}, {"lang": "xx"}, {"max_pages": 0})


@dataclass(frozen=True)
class Request:
    """One request of the mixture.

    Attributes:
        name: name of the file.
        content: the file.
        options: options of the request.
        format: format of the response.
        extras: further fields of `POST /ocr`.
        is_cancelled: whether the client gives up soon after sending it.
    """

    name: str
    content: bytes
    options: dict[str, Any]
    format: str
    extras: dict[str, str] = field(default_factory=dict)
    is_cancelled: bool = False


def mixture(corpus: Path) -> tuple[list[Request], list[Request]]:
    """Return the requests to the gateway and those of the Python client."""
    named = {path.name: path for path in (corpus / "edge").iterdir()}
    files = [(name, named[name].read_bytes()) for name in IMAGES]
    files += [(path.name, path.read_bytes()) for path in sorted((corpus / "scripts").iterdir())[::6]]
    files += [("born_digital.pdf", born_digital(3, lines=10))]
    bad = [(name, named[name].read_bytes()) for name in BAD]
    return _requests(files, bad, sorted(REST_FORMATS)), _requests(files, bad, list(FORMATS))


def _requests(
    files: list[tuple[str, bytes]], bad: list[tuple[str, bytes]], formats: list[str]
) -> list[Request]:
    """Return each file with some formats and options, so that each format and option set has its turn."""
    extras = itertools.cycle(({"visualize": "true"}, {"returnPageImage": "true", "returnText": "true"}, {}))
    format_, options = itertools.cycle(formats), itertools.cycle(OPTIONS)
    made = [Request(*file, next(options), next(format_), next(extras)) for _ in range(3) for file in files]
    made += [Request(*file, {}, next(format_)) for file in bad]
    made += [Request(*files[0], wrong, next(format_)) for wrong in BAD_OPTIONS]
    made += [Request(*file, {}, next(format_), is_cancelled=True) for file in files[-3:] * 3]
    random.Random(15).shuffle(made)
    return made


def over_gateway(client: httpx.Client, request: Request) -> str:
    """Send a request to the gateway; return what must be equal each time."""
    fields = {key: json.dumps(value).strip('"') for key, value in request.options.items()}
    sent = {"visualize": "false", **request.extras, **{_camel(key): value for key, value in fields.items()}}
    answer = client.post(
        "/ocr",
        files={"file": (request.name, request.content)},
        data=sent,
        headers={"accept": request.format},
        timeout=CANCELLED_AFTER_S if request.is_cancelled else TIMEOUT_S,
    )
    return f"{answer.status_code} {answer.headers.get('x-pages-read')} {_texts(answer)}"


def over_grpc(client: OCRClient, request: Request) -> str:
    """Send a request with the Python client; return what must be equal each time."""
    if request.is_cancelled:
        future = client.submit(request.content, **request.options)
        time.sleep(CANCELLED_AFTER_S)
        future.cancel()
        return ""
    try:
        pages = client.ocr(request.content, retry=True, **request.options)
    except TritonOCRError as error:
        return f"{type(error).__name__}: {error}"
    for page in pages:
        page.formatted(request.format)
    return "\n".join(line for page in pages for line in page["rec_texts"])


def _camel(key: str) -> str:
    first, *rest = key.split("_")
    return first + "".join(map(str.capitalize, rest))


def _texts(answer: httpx.Response) -> str:
    """Return the texts without scores and places, whose last digits depend on the other requests."""
    if answer.status_code != 200:
        return str(answer.json()["errorMsg"])
    if answer.headers["content-type"] == "application/pdf":
        return answer.content[:5].decode()
    if answer.headers["content-type"] == "application/json":
        pages = answer.json()["result"]["ocrResults"]
    elif answer.headers["content-type"].startswith("application/x-ndjson"):
        pages = [json.loads(line) for line in answer.text.splitlines()]
    else:
        # The client names pixels and bytes without a path by a random number.
        return re.sub(r"image_[0-9a-f]{8}|[\d.]+", "", answer.text)
    return "\n".join(line for page in pages for line in page["prunedResult"]["rec_texts"])


@dataclass
class Mixture:
    """Clients that send the requests in turn, of which a varying number works at the same time.

    Attributes:
        grpc_url: address of the server.
        gateway_url: address of the gateway.
        corpus: the folder of real images.
        pause_s: pause of each client between two requests, in seconds.
        counts: the number of responses by kind: read, rejected, cancelled.
        different: requests whose response differs from the first response to the same request.
        failures: requests that got an error of the server or of the connection.
    """

    grpc_url: str
    gateway_url: str
    corpus: Path
    pause_s: float
    counts: Counter[str] = field(default_factory=Counter)
    different: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._doors = mixture(self.corpus)
        self._first: dict[tuple[int, int], str] = {}
        self._turns = itertools.count()

    @contextlib.contextmanager
    def clients(self, count: int) -> Iterator[None]:
        """Let some clients send requests while the block runs; then wait for their responses."""
        done = threading.Event()
        threads = [threading.Thread(target=self._work, args=(done,)) for _ in range(count)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            done.set()
            for thread in threads:
                thread.join()

    def _work(self, done: threading.Event) -> None:
        with (
            httpx.Client(base_url=self.gateway_url) as http,
            OCRClient(self.grpc_url, timeout_s=TIMEOUT_S) as grpc,
        ):
            while not done.wait(self.pause_s):
                turn = next(self._turns)
                door, number = turn % 2, turn // 2 % len(self._doors[turn % 2])
                request = self._doors[door][number]
                self._send((door, number), request, http, grpc)

    def _send(self, key: tuple[int, int], request: Request, http: httpx.Client, grpc: OCRClient) -> None:
        try:
            answer = over_grpc(grpc, request) if key[0] else over_gateway(http, request)
        except httpx.TimeoutException:
            self.counts["cancelled"] += 1
            if not request.is_cancelled:
                self.failures.append(f"{request.name}: no response within {TIMEOUT_S:.0f} s")
            return
        except Exception as error:
            self.failures.append(f"{request.name} {request.format}: {type(error).__name__}: {error}")
            return
        self._compare(key, request, answer)

    def _compare(self, key: tuple[int, int], request: Request, answer: str) -> None:
        if request.is_cancelled:
            self.counts["cancelled"] += 1
            return
        is_rejected = answer.startswith(("422", "InvalidInputError"))
        self.counts["rejected" if is_rejected else "read"] += 1
        if answer.startswith(("4", "5", "Server", "Overloaded", "Deadline")) and not is_rejected:
            self.failures.append(f"{request.name} {request.format}: {answer[:300]}")
        elif self._first.setdefault(key, answer) != answer:
            self.different.append(f"{request.name} {request.format} {request.options}")
