"""Run tritonserver as a child process on a model repository."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from tritonocr_backend.core import logs
from tritonocr_backend.core.errors import ServerError
from tritonocr_backend.server import shared_memory, triton_log
from tritonocr_backend.server.installation import (
    Installation,
    find_installation,
    link_backends,
    server_environment,
)
from tritonocr_backend.server.page_probe import is_ready, reads_a_page
from tritonocr_backend.server.parent_watch import watch
from tritonocr_backend.server.ports import free_ports
from tritonocr_backend.server.server_options import Ports, ServerOptions, arguments
from tritonocr_backend.server.supervision import Fault, Supervisor
from tritonocr_backend.triton import drain_gate
from tritonocr_backend.triton.heartbeat import forget_beats
from tritonocr_backend.triton.quarantine import SHARED_FOLDER, accuse
from tritonocr_common import environment
from tritonocr_common.restarts import RestartReason, restart_variables

__all__ = ["EmbeddedServer", "ServerOptions"]

READY_POLL_S = 0.1
LOG_TAIL_LINES = 10
EXIT_MARGIN_S = 10
LOG_TIMEOUT_S = 5

_log = logging.getLogger(__name__)


class EmbeddedServer:
    """Run one tritonserver process.

    As a context manager, the class starts tritonserver, waits until all models are ready, and stops
    tritonserver at the end of the block.

    Args:
        repository: model repository; another one is used from the next `start`.
        options: options of tritonserver; None uses the defaults.
        scratch: temporary folder of the caller. The watchdog removes the folder if this process is killed.
            Servers with the same folder share the quarantine.

    Raises:
        ServerError: a port is in use, or this process has no permission to use the port.
    """

    def __init__(
        self, repository: Path, options: ServerOptions | None = None, scratch: Path | None = None
    ) -> None:
        self.repository, self._scratch = repository, scratch
        self.options = options or ServerOptions()
        plain, grpc = self.options.plain_host, self.options.host
        wanted = {
            "http_port": (plain, self.options.http_port),
            "grpc_port": (grpc, self.options.grpc_port),
            "metrics_port": (plain, self.options.metrics_port),
        }
        self.http_port, self.grpc_port, self.metrics_port = free_ports(wanted)
        self._process: subprocess.Popen[bytes] | None = None
        self._log_relay: threading.Thread | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._directory: Path | None = None
        self._backends: Path | None = None
        self._shared_memory: shared_memory.Claim | None = None
        self._restarts: Counter[RestartReason] = Counter()
        self._stopping = threading.Event()
        self._supervisor: Supervisor | None = None

    @property
    def http_url(self) -> str:
        """Return Triton's HTTP endpoint as `host:port`."""
        return f"{self.options.plain_host}:{self.http_port}"

    @property
    def grpc_url(self) -> str:
        """Return Triton's gRPC endpoint as `host:port`."""
        return f"{self.options.host}:{self.grpc_port}"

    @property
    def metrics_url(self) -> str:
        """Return the URL of Triton's Prometheus metrics."""
        return f"http://{self.options.plain_host}:{self.metrics_port}/metrics"

    @property
    def pid(self) -> int:
        """Return the process id of tritonserver.

        Raises:
            ServerError: tritonserver is not running.
        """
        if self._process is None:
            raise ServerError("tritonserver is not running")
        return self._process.pid

    def __enter__(self) -> EmbeddedServer:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start tritonserver and wait until every model is ready.

        A supervisor thread restarts tritonserver when one of its processes dies later.

        Raises:
            ServerError: a file of tritonserver is missing, shared memory has too little room, a model does
                not load, or the models are not ready within `ready_timeout_s`.
        """
        installation = find_installation()
        shared_memory.check_room(self.repository)
        self._stopping.clear()
        self._directory = Path(tempfile.mkdtemp(prefix="tritonocr-"))
        self._shared_memory = shared_memory.claim()
        try:
            self._backends = link_backends(installation, self._directory / "backends")
            self._drain_file.touch()
            self._make_watch_folder()
            self._begin()
        except BaseException:
            self.stop()
            raise
        self._supervisor = Supervisor(
            lambda: self.pid,
            self._restart,
            self._stopping,
            self._watch_folder,
            self._http_address,
            self.options.name or "the server",
        )

    def stop(self) -> None:
        """Finish the requests in flight, then stop tritonserver and all its processes."""
        self._stopping.set()
        if self._supervisor is not None:
            with contextlib.suppress(ServerError):  # the lines below stop the remaining processes
                self._supervisor.join()
            self._supervisor = None
        self._end(self.options.exit_timeout_s)
        self._release_shared_memory()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until tritonserver is stopped, or for `timeout_s` seconds.

        Raises:
            ServerError: tritonserver is not running, or a process died and the restart failed.
        """
        if self._supervisor is None:
            raise ServerError("tritonserver is not running")
        self._supervisor.join(timeout_s)

    def _begin(self) -> None:
        """Launch tritonserver and wait until every model is ready."""
        assert self._shared_memory is not None
        self._process = self._launch(find_installation())
        directories = filter(None, (self._directory, self._scratch))
        self._watchdog = watch(self._process.pid, self._shared_memory.name, directories)
        self._wait_until_ready()

    def _end(self, drain_timeout_s: float) -> None:
        """Stop tritonserver and the processes of its models.

        Args:
            drain_timeout_s: time in seconds for the requests in flight; 0 kills the processes at once.
        """
        if self._process is not None:
            if drain_timeout_s:
                drain_gate.drain(self._drain_file, drain_timeout_s)
                self._process.terminate()
                # Triton unloads its models. After the timeout, the lines below kill all processes.
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(drain_timeout_s + EXIT_MARGIN_S)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
        if self._log_relay is not None:
            self._log_relay.join(LOG_TIMEOUT_S)  # the last lines say why the server ended
            self._log_relay = None
        if self._watchdog is not None:
            self._watchdog.kill()
            self._watchdog.communicate()
            self._watchdog = None

    @property
    def _drain_file(self) -> Path:
        assert self._directory is not None
        return self._directory / "drain"

    @property
    def _watch_folder(self) -> Path:
        assert self._directory is not None
        return self._directory / "watch"

    def _make_watch_folder(self) -> None:
        """Make the folder; the servers of one owner have the same scratch folder and share the quarantine."""
        self._watch_folder.mkdir()
        if self._scratch is not None:
            shared = self._scratch / SHARED_FOLDER
            shared.mkdir(exist_ok=True)
            (self._watch_folder / SHARED_FOLDER).symlink_to(shared)

    @property
    def _http_address(self) -> tuple[str, int]:
        return self.options.plain_host, self.http_port

    def _restart(self, fault: Fault) -> None:
        # Requests in flight cannot finish: Triton would wait for the dead process until the exit timeout.
        self._end(drain_timeout_s=0)
        self._restarts[fault.reason] += 1
        for digest in accuse(self._watch_folder, fault.pids):
            _log.warning("processes died twice while they read the file %s (SHA-256); it is rejected", digest)
        forget_beats(self._watch_folder)
        self._release_shared_memory()
        self._shared_memory = shared_memory.claim()  # a new name: a file of another user cannot block it
        self._begin()

    def _release_shared_memory(self) -> None:
        claim, self._shared_memory = self._shared_memory, None
        if claim is not None:
            claim.release()

    def _launch(self, installation: Installation) -> subprocess.Popen[bytes]:
        assert self._shared_memory is not None
        log_file, is_json = self.options.log_file, self.options.is_log_relayed
        with log_file.open("ab") if log_file else contextlib.nullcontext() as log:
            process = subprocess.Popen(
                [str(installation.binary), *self._arguments()],
                env={
                    **server_environment(installation),
                    **logs.environment(self.options.log_format, self.options.log_requests),
                    drain_gate.VARIABLE: str(self._drain_file),
                    environment.WATCH_FOLDER: str(self._watch_folder),
                    **restart_variables(self._restarts),
                },
                stdout=subprocess.PIPE if is_json else log,
                stderr=subprocess.STDOUT if is_json or log else subprocess.PIPE,
                start_new_session=True,
                pass_fds=[self._shared_memory.lock],
            )
        if output := process.stdout or process.stderr:
            self._log_relay = triton_log.relay(
                output, sys.stderr.buffer, self.options.log_format, self.options.name
            )
        return process

    def _arguments(self) -> list[str]:
        assert self._backends is not None
        assert self._shared_memory is not None
        ports = Ports(self.http_port, self.grpc_port, self.metrics_port)
        return arguments(self.options, self.repository, ports, self._backends, self._shared_memory.prefix)

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + self.options.ready_timeout_s
        while not is_ready(self.http_url):
            if self._process.poll() is not None:
                raise ServerError(f"tritonserver exited during startup.{self._log_tail()}")
            if self._stopping.is_set():
                raise ServerError("tritonserver was stopped during startup")
            if time.monotonic() > deadline:
                seconds = self.options.ready_timeout_s
                raise ServerError(f"tritonserver was not ready after {seconds:g} s.{self._log_tail()}")
            time.sleep(READY_POLL_S)
        if not reads_a_page(self._http_address, max(deadline - time.monotonic(), READY_POLL_S)):
            seconds = self.options.ready_timeout_s
            raise ServerError(f"the server did not read a page within {seconds:g} s.{self._log_tail()}")

    def _log_tail(self) -> str:
        if self.options.log_file is None:
            return " See the output of tritonserver above."
        lines = self.options.log_file.read_text(errors="replace").splitlines()
        errors = [line for line in lines if re.match(r"E\d{4} |error: ", line)]
        return "\n".join([" Errors in its log:", *(errors or lines)[-LOG_TAIL_LINES:]])
