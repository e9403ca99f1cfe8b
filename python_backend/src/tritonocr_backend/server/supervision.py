"""Restart the server when one of its processes dies.

Triton's Python backend starts the process of a model only once (since release 24.06). After that process has
died, Triton still reports the model as ready, requests to the dead instance fail, and unloading the model
never ends. Therefore the supervisor restarts the whole server. A restart takes as long as a start.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable

import psutil

from tritonocr_backend.core.errors import ServerError
from tritonocr_backend.server.processes import model_of

CHECK_INTERVAL_S = 1.0
CHECKS_PER_LISTING = 10
"""Checks per listing of the child processes; a listing reads the data of every process of the machine."""

_log = logging.getLogger(__name__)


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

    def dead_process(self) -> str | None:
        """Return the name of a dead process, or None if all live. Call this method at regular intervals."""
        if not self._server.is_running() or self._server.status() == psutil.STATUS_ZOMBIE:
            return "tritonserver"
        self._checks += 1
        if self._checks % CHECKS_PER_LISTING == 0:
            children = self._server.children()
            self._names = {child: self._names.get(child) or _name(child) for child in children}
        zombies = {child for child in self._names if _is_zombie(child)}
        dead = zombies & self._suspects
        self._suspects = zombies
        return self._names[next(iter(dead))] if dead else None


def _name(process: psutil.Process) -> str:
    """Return the name of a process for log lines, with its id and its model."""
    model = None
    with contextlib.suppress(psutil.Error):
        model = model_of(process)
    return f"process {process.pid}" + (f" of {model}" if model else "")


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


class Supervisor:
    """A thread that restarts the server when one of its processes dies.

    Args:
        pid: returns the process id of the current tritonserver.
        restart: stops the remaining processes and starts the server; raises an error if the start fails.
        stopping: event that is set when the server stops.
    """

    def __init__(
        self, pid: Callable[[], int], restart: Callable[[], None], stopping: threading.Event
    ) -> None:
        self._pid, self._restart, self._stopping = pid, restart, stopping
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="tritonocr-supervisor", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait until the server stops or a restart fails.

        Raises:
            ServerError: a restart failed; the message contains the reason.
        """
        self._thread.join()
        if self._failure is not None:
            raise ServerError(f"the server could not be restarted: {self._failure}")

    def _run(self) -> None:
        processes = ServerProcesses(self._pid())
        while not self._stopping.wait(CHECK_INTERVAL_S):
            dead = processes.dead_process()
            if dead is None:
                continue
            _log.warning("%s died; restarting the server", dead)
            try:
                self._restart()
            except Exception as error:  # `join` raises it in the thread that waits for the server
                self._failure = None if self._stopping.is_set() else error
                return
            _log.warning("the server is ready again")
            processes = ServerProcesses(self._pid())
