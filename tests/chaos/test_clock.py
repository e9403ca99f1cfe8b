"""The wall clock jumps: no request times out and no process hangs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from default_pipeline import written
from faults import PLAIN, Load

from tritonocr import demo_page

SOURCES = Path(__file__).parents[2]
FAKETIME = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)
JUMPS = ("+3600", "-3600", "+864000", "+0")
OWNER = """
import os, sys, time
from pathlib import Path
from tritonocr_backend import server
from tritonocr_backend.server import EmbeddedServer, ServerOptions
plain = server.server_environment
server.server_environment = lambda found: {
    **plain(found), "LD_PRELOAD": sys.argv[2], "FAKETIME_TIMESTAMP_FILE": sys.argv[3],
    "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1",
}
with EmbeddedServer(Path(sys.argv[1]), ServerOptions(log_file=Path(sys.argv[1]).parent / "log")) as running:
    print(running.grpc_url, running.pid, flush=True)
    sys.stdin.read()
"""


def test_only_clocks_that_never_jump_measure_time() -> None:
    """`time.time()` and `datetime.now()` say when something was, never how long it took."""
    sources = [
        path
        for folder in ("python_backend/src", "client/src")
        for path in (SOURCES / folder).rglob("*.py")
        if any(word in path.read_text(encoding="utf-8") for word in ("time.time()", "datetime.now("))
    ]
    # One place compares with the time at which the system says that a process began.
    assert {path.name for path in sources} <= {"load_time.py", "metrics.py"}


@pytest.mark.skipif(FAKETIME is None, reason="needs Debian's package libfaketime")
def test_jumps_of_an_hour_and_of_days_disturb_nobody(tmp_path: Path, happened: Callable[[str], None]) -> None:
    offset = tmp_path / "offset"
    offset.write_text("+0")
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(written(tmp_path)), str(FAKETIME), str(offset)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert owner.stdout is not None
        url, pid = owner.stdout.readline().split()
        with Load(url, [demo_page()], clients=2, options=PLAIN).running() as load:
            for jump in JUMPS:
                offset.write_text(jump)
                time.sleep(3)
        assert psutil.Process(int(pid)).is_running(), "the same server still runs"
    finally:
        owner.communicate("")
    assert load.errors() == {}
    assert load.reads()
    happened(
        f"{', '.join(JUMPS)} s: {len(load.reads())} pages read, no error, "
        f"none took over {load.slowest_s():.1f} s"
    )
