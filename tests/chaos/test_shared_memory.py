"""/dev/shm is too small, tested with a small one in a separate mount namespace."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from default_pipeline import written

pytestmark = pytest.mark.skipif(
    subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0,
    reason="needs the right to mount (root)",
)


def in_a_small_one(size: str, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python code where /dev/shm has no more room than that."""
    mounted = f'mount -t tmpfs -o size={size} tmpfs /dev/shm && exec "$@"'
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", mounted, "sh", sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )


SERVE = """
import sys
sys.argv = ["tritonocr", "serve", "--http-port=0", "--grpc-port=0", "--metrics-port=0"]
from tritonocr.cli import main
main()
"""
FILLED = """
import logging, sys
from pathlib import Path
from faults import PLAIN, ask
from tritonocr import OCRClient, demo_page
from tritonocr_backend.server.embedded import EmbeddedServer, ServerOptions
logging.basicConfig()
options = ServerOptions(log_file=Path(sys.argv[1]).parent / "server.log")
with EmbeddedServer(Path(sys.argv[1]), options) as server, OCRClient(server.grpc_url) as client:
    small, large = demo_page(), Path(sys.argv[2]).read_bytes()
    print("before", ask(client, small).error)
    print("large", repr(ask(client, large).error))
    print("after", ask(client, small, **PLAIN).error)
    ballast = Path("/dev/shm/ballast")
    try:
        with ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 20))
    except OSError:
        pass
    error = ask(client, large).error
    print("filled", repr(error))
    ballast.unlink()
    print("emptied", ask(client, small, **PLAIN).error)
"""


def test_too_little_is_told_at_start(happened: Callable[[str], None]) -> None:
    run = in_a_small_one("16m", SERVE)
    sentence = run.stderr.strip().splitlines()[-1]
    assert run.returncode == 1
    assert re.match(r"tritonocr: /dev/shm has 16 MiB free, but \d+ model instances need at least", sentence)
    assert "--shm-size=2g" in sentence
    happened(sentence)


def test_a_page_that_does_not_fit_is_refused_and_the_next_is_read(
    tmp_path: Path, corpus: Path, happened: Callable[[str], None]
) -> None:
    run = in_a_small_one(
        "112m", FILLED, str(written(tmp_path)), str(corpus / "edge" / "50_huge_12000x9000.png")
    )
    assert run.returncode == 0, run.stderr
    said = dict(line.split(" ", 1) for line in run.stdout.splitlines())
    assert "/dev/shm has only 112 MiB free, so requests with large pages" in run.stderr
    assert said["before"] == said["after"] == said["emptied"] == "None"
    for name in ("large", "filled"):
        assert said[name].startswith("OverloadedError("), said[name]
        assert "/dev/shm" in said[name]
    happened(f"at start a warning; then {said['large']}; smaller pages went on, also after it had been full")
