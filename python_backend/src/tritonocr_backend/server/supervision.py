"""Keeps a server whole: when one of its processes has died, all of it is started anew.

Triton's Python backend starts a model's process once (releases from 24.06 on). After that process has died,
the requests that Triton gives to it fail, those to its neighbours pass, Triton goes on calling the model
ready, and unloading the model never ends. So there is one remedy, and it takes as long as a start.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable

import psutil

from tritonocr_backend.core.errors import ServerError

LOOK_EVERY_S = 1.0
LIST_EVERY_LOOKS = 10
"""Listing a process's children costs a look at every process of the machine."""

_STUB_ARGUMENTS, _INSTANCE_ARGUMENT = 10, 8  # as the backend calls triton_python_backend_stub

_log = logging.getLogger(__name__)


class Family:
    """A tritonserver and the processes of its models, and which of them have died.

    A model that is unloaded ends its process and is quick to take notice; one that died otherwise stays a
    zombie, since Triton does not look for it. So a death counts when it is seen twice.

    Args:
        pid: the tritonserver's.
    """

    def __init__(self, pid: int) -> None:
        self._leader = psutil.Process(pid)
        self._names = {child: _name(child) for child in self._leader.children()}
        self._suspects: set[psutil.Process] = set()
        self._looks = 0

    def look(self) -> str | None:
        """Name a process that has died; None where all are well. To be called at intervals."""
        if not self._leader.is_running() or self._leader.status() == psutil.STATUS_ZOMBIE:
            return "tritonserver"
        self._looks += 1
        if self._looks % LIST_EVERY_LOOKS == 0:
            children = self._leader.children()
            self._names = {child: self._names.get(child) or _name(child) for child in children}
        zombies = {child for child in self._names if _is_zombie(child)}
        died = zombies & self._suspects
        self._suspects = zombies
        return self._names[next(iter(died))] if died else None


def _name(process: psutil.Process) -> str:
    """The model instance that runs in a process, as Triton's own messages call it."""
    with contextlib.suppress(psutil.Error):
        arguments = process.cmdline()
        if len(arguments) == _STUB_ARGUMENTS:
            return arguments[_INSTANCE_ARGUMENT]
    return f"process {process.pid}"


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


class Supervisor:
    """A thread that looks after a server's processes.

    Args:
        pid: gives the id of the tritonserver that runs at present.
        restart: ends what is left of it and starts it again; raises what kept it from starting.
        stopping: set when the server is told to stop.
    """

    def __init__(
        self, pid: Callable[[], int], restart: Callable[[], None], stopping: threading.Event
    ) -> None:
        self._pid, self._restart, self._stopping = pid, restart, stopping
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="tritonocr-supervisor", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait until the thread has ended: the server was told to stop, or cannot be started again.

        Raises:
            ServerError: it cannot be started again; the message says why.
        """
        self._thread.join()
        if self._failure is not None:
            raise ServerError(f"the server could not be started again: {self._failure}")

    def _run(self) -> None:
        family = Family(self._pid())
        while not self._stopping.wait(LOOK_EVERY_S):
            died = family.look()
            if died is None:
                continue
            _log.warning("%s has died: starting the server again", died)
            try:
                self._restart()
            except Exception as error:  # whoever waits for the server is told
                self._failure = None if self._stopping.is_set() else error
                return
            _log.warning("the server is ready again")
            family = Family(self._pid())
