"""Faults under the load of eight clients: no request fails, and no text is wrong."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from drawn_pdfs import born_digital
from faults import demo_file, stubs, until
from fleet import Fleet
from memory_cgroup import oom_kill

from tritonocr_backend.core.contracts import PIPELINE_MODELS
from tritonocr_backend.core.settings import DEFAULT_NETWORKS

PATIENCE_S = 240.0
STEADY_S = 2.0
FULL_S = 10.0
SHARED_MEMORY = "1g"
IN_OWN_SHARED_MEMORY = [
    *("unshare", "--mount", "sh", "-c"),
    f'mount -t tmpfs -o size={SHARED_MEMORY} tmpfs /dev/shm && exec "$@"',
    "sh",
]
MODELS = [*PIPELINE_MODELS, *DEFAULT_NETWORKS.values()]

pytestmark = pytest.mark.skipif(
    subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0,
    reason="needs the right to mount (root)",
)


@dataclass(frozen=True)
class Served:
    """`tritonocr serve --gateway` with a /dev/shm of its own, and its clients."""

    process: subprocess.Popen[str]
    fleet: Fleet

    def tritonserver(self) -> int:
        """Return the process id of tritonserver; it changes with each restart."""
        return self._child("tritonserver")

    def gateway(self) -> int:
        """Return the process id of the gateway."""
        return self._child("gateway")

    def _child(self, name: str) -> int:
        children = psutil.Process(self.process.pid).children()
        return next(child.pid for child in children if name in " ".join(child.cmdline()[:4]))

    def model(self, name: str) -> int:
        """Return the process id of the first instance of a model."""
        return next(pid for stub, pid in stubs(self.tritonserver()).items() if stub.startswith(f"{name}_0_"))

    def renderer(self) -> int:
        """Wait for a renderer of PDFs and return its process id."""
        deadline_s = time.monotonic() + 60
        while time.monotonic() < deadline_s:
            for child in psutil.Process(self.tritonserver()).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if "tritonocr_backend.documents.pdf_worker" in child.cmdline():
                        return child.pid
        raise AssertionError("no renderer runs")

    def fill_shared_memory(self) -> None:
        """Leave no room in the server's /dev/shm for some seconds."""
        ballast = Path(f"/proc/{self.tritonserver()}/root/dev/shm/ballast")
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 20))
        time.sleep(FULL_S)
        ballast.unlink()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("files")
    (folder / "demo.png").write_bytes(demo_file())
    (folder / "born-digital.pdf").write_bytes(born_digital(2, lines=8))
    ports = [f"--{name}-port=0" for name in ("http", "grpc", "metrics", "gateway")]
    process = subprocess.Popen(
        [*IN_OWN_SHARED_MEMORY, sys.executable, "-m", "tritonocr", "serve", "--gateway", *ports],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    line = next(line for line in process.stdout if "is ready" in line)
    found = re.search(r"gRPC ([\d.]+:\d+).*gateway (http://\S+:\d+)\.", line)
    assert found
    fleet = Fleet(found[1], found[2], sorted(folder.iterdir()))
    fleet.learn()
    yield Served(process, fleet)
    process.terminate()
    process.communicate(timeout=90)


def _kill(number: signal.Signals, pid_of: Callable[[Served], int]) -> Callable[[Served], None]:
    return lambda served: os.kill(pid_of(served), number)


FAULTS: dict[str, Callable[[Served], None]] = {
    **{f"SIGKILL of {name}": _kill(signal.SIGKILL, lambda s, name=name: s.model(name)) for name in MODELS},
    "SIGKILL of tritonserver": _kill(signal.SIGKILL, Served.tritonserver),
    "SIGKILL of the gateway": _kill(signal.SIGKILL, Served.gateway),
    "SIGKILL of a PDF renderer": _kill(signal.SIGKILL, Served.renderer),
    "SIGSTOP of ocr": _kill(signal.SIGSTOP, lambda s: s.model("ocr")),
    "SIGSTOP of text_crop": _kill(signal.SIGSTOP, lambda s: s.model("text_crop")),
    "SIGSTOP of the gateway": _kill(signal.SIGSTOP, Served.gateway),
    "SIGSTOP of tritonserver": _kill(signal.SIGSTOP, Served.tritonserver),
    "OOM kill of ocr in a memory cgroup": lambda s: oom_kill(s.model("ocr")),
    "OOM kill of PP-OCRv4_mobile_rec in a memory cgroup": lambda s: oom_kill(s.model("PP-OCRv4_mobile_rec")),
    "OOM kill in a memory cgroup of tritonserver and all models": lambda s: oom_kill(
        s.tritonserver(), *stubs(s.tritonserver()).values()
    ),
    f"full /dev/shm for {FULL_S:.0f} s": Served.fill_shared_memory,
}


@pytest.mark.timeout(2 * PATIENCE_S)
@pytest.mark.parametrize("fault", FAULTS)
def test_no_request_fails_and_no_text_is_wrong(
    served: Served, fault: str, happened: Callable[[str], None]
) -> None:
    fleet = served.fleet
    with fleet.running():
        began_s = time.monotonic()
        until(lambda: fleet.each_has_read(1, began_s), PATIENCE_S, "every client is served")
        time.sleep(STEADY_S)
        FAULTS[fault](served)
        faulted_s = time.monotonic()
        until(lambda: fleet.each_has_read(1, faulted_s), PATIENCE_S, "every client is served again")
    happened(f"| {fault} {fleet.summary()}")
    assert [request.failure for request in fleet.requests if request.failure] == []
    assert [request for request in fleet.requests if request.is_wrong] == []
    assert served.process.poll() is None
