"""Restart the server when one of its processes dies or hangs.

Triton's Python backend starts the process of a model only once (since release 24.06). After that process has
died, Triton still reports the model as ready, requests to the dead instance fail, and unloading the model
never ends. Therefore the supervisor restarts the whole server. A restart takes as long as a start.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from tritonocr_backend.core.errors import ServerError
from tritonocr_backend.server.page_probe import PageProbe
from tritonocr_backend.server.processes import model_of
from tritonocr_backend.triton.heartbeat import read_beats
from tritonocr_backend.triton.quarantine import has_silent_process
from tritonocr_common.restarts import RestartReason

CHECK_INTERVAL_S = 1.0
CHECKS_PER_LISTING = 10
"""Checks per listing of the child processes; a listing reads the data of every process of the machine."""
SILENT_S = 5.0
"""Seconds until the supervisor restarts for a process that Triton calls unhealthy and that has not ended."""
RESTART_PAUSES_S = (1.0, 2.0, 4.0, 8.0)
"""Pauses in seconds before a failed restart is repeated."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fault:
    """Why a server has to be restarted.

    Attributes:
        what: the beginning of a log line.
        reason: for the metrics.
        pids: ids of the dead or hanging processes; empty if they are unknown.
    """

    what: str
    reason: RestartReason
    pids: frozenset[int] = frozenset()


class ServerProcesses:
    """A tritonserver process and the processes of its models.

    A dead process stays a zombie, because Triton does not wait for the process. While Triton unloads a model,
    its process is a zombie too, but only for a moment. Therefore a process counts as dead when two checks in
    a row find a zombie.

    Args:
        pid: process id of the tritonserver.
    """

    def __init__(self, pid: int) -> None:
        self._server = psutil.Process(pid)
        self._names = {child: _name(child) for child in self._server.children()}
        self._suspects: set[psutil.Process] = set()
        self._checks = 0
        self._silent_since_s = math.inf

    def dead_process(self) -> Fault | None:
        """Return what has died, or None if all live. Call this method at regular intervals."""
        if not self._server.is_running() or self._server.status() == psutil.STATUS_ZOMBIE:
            return Fault("tritonserver died", "died")
        if self._server.status() == psutil.STATUS_STOPPED:
            return Fault("tritonserver is stopped (SIGSTOP)", "hung")
        self._checks += 1
        if self._checks % CHECKS_PER_LISTING == 0:
            children = self._server.children()
            self._names = {child: self._names.get(child) or _name(child) for child in children}
        zombies = {child for child in self._names if _has_status(child, psutil.STATUS_ZOMBIE)}
        dead = zombies & self._suspects
        self._suspects = zombies
        if not dead:
            return None
        return Fault(f"{self._names[next(iter(dead))]} died", "died", frozenset(child.pid for child in dead))

    def hanging_process(self, watch_folder: Path) -> Fault | None:
        """Return a process that is stopped, or works on one batch for longer than its limit; else None.

        Triton fails the requests to such a process, and neither ends nor replaces it.
        """
        now_s = time.monotonic()
        for child in self._names:
            if _has_status(child, psutil.STATUS_STOPPED):
                return Fault(f"{self._names[child]} is stopped (SIGSTOP)", "hung", frozenset({child.pid}))
        if has_silent_process(watch_folder):
            self._silent_since_s = min(self._silent_since_s, now_s)
            if now_s - self._silent_since_s > SILENT_S:
                return Fault("a process of a model does not answer tritonserver", "hung")
        for beat in read_beats(watch_folder):
            name = next((name for child, name in self._names.items() if child.pid == beat.pid), None)
            if name is not None and beat.hangs(now_s):
                what = f"{name} hangs: one request takes more than {beat.limit_s:.0f} s"
                return Fault(what, "hung", frozenset({beat.pid}))
        return None


def _name(process: psutil.Process) -> str:
    """Return the name of a process for log lines, with its id and its model."""
    model = None
    with contextlib.suppress(psutil.Error):
        model = model_of(process)
    return f"process {process.pid}" + (f" of {model}" if model else "")


def _has_status(process: psutil.Process, status: str) -> bool:
    try:
        return bool(process.status() == status)
    except psutil.NoSuchProcess:
        return False


class Supervisor:
    """A thread that restarts the server when one of its processes dies or hangs.

    Args:
        pid: returns the process id of the current tritonserver.
        restart: stops the remaining processes and starts the server; raises an error if the start fails.
        stopping: event that is set when the server stops.
        watch_folder: folder with the heartbeats of the processes.
        http_address: host and port of tritonserver's HTTP endpoint.
        name: name of the server in log lines.
    """

    def __init__(
        self,
        pid: Callable[[], int],
        restart: Callable[[Fault], None],
        stopping: threading.Event,
        watch_folder: Path,
        http_address: tuple[str, int],
        name: str = "the server",
    ) -> None:
        self._pid, self._restart, self._stopping, self._name = pid, restart, stopping, name
        self._watch_folder, self._http_address = watch_folder, http_address
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="tritonocr-supervisor", daemon=True)
        self._thread.start()

    def join(self, timeout_s: float | None = None) -> None:
        """Wait until the server stops or a restart fails, or for `timeout_s` seconds.

        Raises:
            ServerError: a restart failed; the message contains the reason.
        """
        self._thread.join(timeout_s)
        if not self._thread.is_alive() and self._failure is not None:
            raise ServerError(f"the server could not be restarted: {self._failure}")

    def _run(self) -> None:
        while fault := self._next_fault():
            _log.warning("%s; restarting %s", fault.what, self._name)
            if not self._is_restarted(fault):
                return
            _log.warning("%s is ready again", self._name)

    def _is_restarted(self, fault: Fault) -> bool:
        """Restart the server. The cause of a failure may pass, such as full shared memory: try again."""
        for pause_s in (*RESTART_PAUSES_S, None):
            try:
                self._restart(fault)
            except Exception as error:  # `join` raises the last one in the thread that waits for the server
                if self._stopping.is_set():
                    return False
                self._failure = error
            else:
                self._failure = None
                return True
            if pause_s is not None:
                _log.warning(
                    "the restart of %s failed and is repeated in %g s: %s", self._name, pause_s, self._failure
                )
                self._stopping.wait(pause_s)
        return False

    def _next_fault(self) -> Fault | None:
        """Wait until a process dies or hangs, and return what happened; None if the server stops."""
        processes = ServerProcesses(self._pid())
        probe = PageProbe(self._http_address, self._idle_s)
        try:
            while not self._stopping.wait(CHECK_INTERVAL_S):
                fault = processes.dead_process() or processes.hanging_process(self._watch_folder)
                if fault is None and probe.fault is not None:
                    fault = Fault(probe.fault, "hung")
                if fault is not None:
                    return fault
        finally:
            probe.stop()
        return None

    def _idle_s(self) -> float:
        """Return for how many seconds no process has worked; 0 while one works, or if none is known."""
        beats = read_beats(self._watch_folder)
        if not beats or any(beat.is_working for beat in beats):
            return 0.0
        return time.monotonic() - max(beat.ended_s for beat in beats)
