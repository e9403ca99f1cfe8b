"""Inputs that make one request fail must not affect other requests."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from default_pipeline import Serve
from faults import PLAIN, Load, ask, stubs, until

from tritonocr import DeadlineExceededError, OCRClient, ServerError, demo_page
from tritonocr_backend.server.embedded import EmbeddedServer

HEADROOM_BYTES = 200 << 20
"""Two ordinary pages at a time fit in it; the decoded page of 324 MB does not."""


def test_hard_files_change_no_answer_of_their_neighbours(
    server: EmbeddedServer, corpus: Path, happened: Callable[[str], None]
) -> None:
    before = server.pid
    hard = [path.read_bytes() for path in sorted((corpus / "edge").iterdir())]
    good = [path.read_bytes() for path in sorted((corpus / "scripts").iterdir())[:4]]
    with OCRClient(server.grpc_url) as client:
        expected = {str(_texts(ask(client, file, **PLAIN).read)) for file in good}
        with Load(server.grpc_url, good, clients=2, options=PLAIN).running() as load:
            outcomes = [ask(client, file, max_pages=2, **PLAIN) for file in hard]
    assert not load.errors()
    assert {str(_texts(outcome.read)) for outcome in load.reads()} <= expected
    assert not [o.error for o in outcomes if isinstance(o.error, (ServerError, DeadlineExceededError))]
    assert server.pid == before
    refused = sum(outcome.error is not None for outcome in outcomes)
    happened(
        f"{len(hard)} hard files, {refused} refused by a sentence; beside them {len(load.reads())} good "
        "requests, every answer as without them"
    )


def _texts(read: list[tuple[str, float]] | None) -> list[str]:
    return [text for text, _ in read or ()]


def test_a_page_beyond_the_memory_fails_alone(
    serve: Serve, corpus: Path, happened: Callable[[str], None]
) -> None:
    """Each `ocr` process may take little more than it has; the page needs 324 MB once decoded."""
    huge = (corpus / "edge" / "50_huge_12000x9000.png").read_bytes()
    with serve() as server, OCRClient(server.grpc_url) as client:
        before = server.pid
        with Load(server.grpc_url, [demo_page()], clients=4).running() as load:
            until(lambda: len(load.reads()) >= 8, 60, "each ocr process has read pages")
        assert not load.errors()
        for name, pid in stubs(before).items():
            if name.startswith("ocr_0"):
                process = psutil.Process(pid)
                limit = process.memory_info().vms + HEADROOM_BYTES
                process.rlimit(psutil.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
        with Load(server.grpc_url, [demo_page()], clients=2).running() as load:
            outcome = ask(client, huge)
            time.sleep(2)
        assert server.pid == before
    assert isinstance(outcome.error, ServerError), f"the server's error, not the file's: {outcome.error!r}"
    assert load.reads()
    assert not load.errors()
    happened(f"{outcome.error}; {len(load.reads())} requests beside it were answered")
