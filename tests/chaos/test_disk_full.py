"""Full disks: the model cache, the log, and the results."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from default_pipeline import Serve
from faults import reads_again

from tritonocr import demo_page
from tritonocr_backend.server.embedded import EmbeddedServer, ServerOptions

FULL = Path("/dev/full")
"""Linux's device on which every write fails for lack of space."""

EXIT_UNWRITTEN = 120
"""What Python ends with when the last lines of its output could not be written."""

needs_mount = pytest.mark.skipif(
    subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0,
    reason="needs the right to mount (root)",
)


def on_a_small_disk(place: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a namespace where `place` is a disk of 1 MB; list its files at the end of stdout."""
    place.mkdir()
    script = f'mount -t tmpfs -o size=1m tmpfs {place} && "$@"; code=$?; find {place} -type f; exit $code'
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", *command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TRITONOCR_HOME": str(place)},
    )


FETCH = """
import sys
from tritonocr_backend.contracts import Role
from tritonocr_backend.errors import TritonOcrError
from tritonocr_backend.zoo.fetch import fetch
from tritonocr_backend.zoo.registry import Model
try:
    fetch(Model(name="large", role=Role.TEXT_RECOGNITION, archive=sys.argv[1], wheels=()))
except TritonOcrError as error:
    print(error, file=sys.stderr)
"""


@needs_mount
def test_full_while_fetching(tmp_path: Path, happened: Callable[[str], None]) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "large_infer.tar").write_bytes(os.urandom(3 << 20))
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "shop"))
    handler.func.log_message = lambda *_: None  # type: ignore[attr-defined]
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as shop:
        threading.Thread(target=shop.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{shop.server_port}/large_infer.tar"
        run = on_a_small_disk(tmp_path / "home", sys.executable, "-c", FETCH, url)
        shop.shutdown()
    said = run.stderr.splitlines()
    assert said[0] == "large could not be fetched; tried:"
    assert said[1:] == [f"  {tmp_path}/home: No space left on device; TRITONOCR_HOME chooses another place"]
    assert "models" not in run.stdout, "no part of a model is taken for one"
    happened(said[1].strip())


def test_full_while_logging(serve: Serve, happened: Callable[[str], None]) -> None:
    with serve(ServerOptions(log_level="verbose", log_file=FULL)) as server:
        assert all(reads_again(server, demo_page()) for _ in range(3))
    happened("pages are read as before; what Triton would have logged is lost")


def test_full_behind_serves_own_output(happened: Callable[[str], None]) -> None:
    """A full disk behind `tritonocr serve > log` must not stop the server."""
    ports = [f"--{name}-port=0" for name in ("http", "grpc", "metrics")]
    with FULL.open("w") as full:
        process = subprocess.Popen(
            [sys.executable, "-m", "tritonocr", "serve", *ports], stdout=full, stderr=full
        )
        try:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(25)
        finally:
            process.terminate()
            code = process.wait(60)
    assert code in (0, EXIT_UNWRITTEN)
    happened(f"it starts, serves, and ends with exit code {code} when told to")


@needs_mount
def test_full_while_writing_results(
    server: EmbeddedServer, tmp_path: Path, corpus: Path, happened: Callable[[str], None]
) -> None:
    images = [str(path) for path in sorted((corpus / "scenes").glob("*"))[:3]]
    command = [sys.executable, "-m", "tritonocr", "predict", "--url", server.grpc_url, "--save_path"]
    place = tmp_path / "results"
    run = on_a_small_disk(place, *command, str(place), "--input", *images)
    assert run.returncode != 0
    assert "No space left on device" in run.stderr
    assert "Traceback" not in run.stderr
    assert not [line for line in run.stdout.splitlines() if line.endswith(".part")]
    happened(f"exit code {run.returncode}: {run.stderr.strip().splitlines()[-1]}")
