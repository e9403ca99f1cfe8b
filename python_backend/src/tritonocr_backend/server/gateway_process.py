"""Run the gateway beside a server, and restart the gateway alone when it dies or hangs."""

from __future__ import annotations

import contextlib
import http.client
import logging
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence

from tritonocr_backend.core.errors import ServerError
from tritonocr_backend.server.parent_watch import watch
from tritonocr_common.restarts import RestartReason, restart_variables

BACKLOG = 128
"""Connections that wait while the gateway restarts."""
POLL_S = 0.2
PROBE_EVERY_S, PROBE_TIMEOUT_S, SILENT_PROBES = 5.0, 5.0, 4
"""A gateway that does not answer this many probes in a row hangs: it is killed within 45 s."""
FIRST_PAUSE_S, LONGEST_PAUSE_S, STEADY_S = 0.5, 30.0, 60.0
"""Pauses before a gateway that dies again and again is restarted; after `STEADY_S` the first one applies."""

_log = logging.getLogger(__name__)


class GatewayProcess:
    """The gateway as a child process that is restarted when it dies or hangs.

    This process holds the listening socket and passes it to the gateway. Connections that clients open during
    a restart wait for the new gateway and are not refused.

    Args:
        listener: a bound socket; this object closes it.
        arguments: further arguments of `tritonocr gateway`.
        is_encrypted: whether the gateway uses TLS.
        ready_timeout_s: time limit in seconds for a start.
    """

    def __init__(
        self, listener: socket.socket, arguments: Sequence[str], *, is_encrypted: bool, ready_timeout_s: float
    ) -> None:
        self._listener, self._arguments = listener, arguments
        self._is_encrypted = is_encrypted
        self._ready_timeout_s = ready_timeout_s
        self._restarts: Counter[RestartReason] = Counter()
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, name="gateway-supervisor", daemon=True)

    @property
    def url(self) -> str:
        """Return the address of the gateway."""
        host, port = self._listener.getsockname()[:2]
        scheme = "https" if self._is_encrypted else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    def start(self) -> None:
        """Start the gateway and wait until it answers.

        Raises:
            ServerError: the gateway does not start.
        """
        self._listener.listen(BACKLOG)
        self._launch()
        if not self._becomes_ready():
            raise ServerError("the gateway did not start. Its output is above.")
        self._supervisor.start()

    def stop(self) -> None:
        """Finish the requests in flight, and stop the gateway."""
        self._stopping.set()
        if self._supervisor.is_alive():
            self._supervisor.join()
        self._listener.close()
        if self._process is not None:
            self._process.terminate()
        self._clean_up()

    def _launch(self) -> None:
        fd = self._listener.fileno()
        # A separate session: Ctrl-C at the terminal reaches only this process, which stops the gateway.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tritonocr", "gateway", "--fd", str(fd), *self._arguments],
            env={**os.environ, **restart_variables(self._restarts)},
            pass_fds=[fd],
            start_new_session=True,
        )
        self._watchdog = watch(self._process.pid)

    def _clean_up(self) -> None:
        for process in filter(None, (self._process, self._watchdog)):
            if process is self._watchdog:
                process.kill()
            process.communicate()
        self._process = self._watchdog = None

    def _becomes_ready(self) -> bool:
        assert self._process is not None
        deadline_s = time.monotonic() + self._ready_timeout_s
        while self._process.poll() is None and time.monotonic() < deadline_s and not self._stopping.is_set():
            if self._answers(timeout_s=1):
                return True
            self._stopping.wait(POLL_S)
        return False

    def _answers(self, timeout_s: float) -> bool:
        host, port = self._listener.getsockname()[:2]
        if self._is_encrypted:  # the certificate names the machine as clients know it
            context = ssl._create_unverified_context()  # noqa: S323
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=timeout_s, context=context
            )
        else:
            connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/health")
            return bool(connection.getresponse().status == http.HTTPStatus.OK)
        return False

    def _supervise(self) -> None:
        pause_s, started_s = FIRST_PAUSE_S, time.monotonic()
        while reason := self._fault():
            self._restarts[reason] += 1
            how = "does not answer" if reason == "hung" else f"died ({self._ending()})"
            _log.warning("the gateway %s; restarting it. The server continues.", how)
            self._clean_up()
            pause_s = FIRST_PAUSE_S if time.monotonic() - started_s > STEADY_S else pause_s
            self._stopping.wait(pause_s)
            pause_s, started_s = min(2 * pause_s, LONGEST_PAUSE_S), time.monotonic()
            self._launch()
            if self._becomes_ready():
                _log.warning("the gateway is ready again")

    def _fault(self) -> RestartReason | None:
        """Wait until the gateway dies or hangs (it is then killed), and return which; None: it is stopped."""
        assert self._process is not None
        silent, next_probe_s = 0, time.monotonic() + PROBE_EVERY_S
        while not self._stopping.wait(POLL_S):
            if self._process.poll() is not None:
                return "died"
            if time.monotonic() >= next_probe_s:
                silent = 0 if self._answers(PROBE_TIMEOUT_S) else silent + 1
                next_probe_s = time.monotonic() + PROBE_EVERY_S
            if silent >= SILENT_PROBES:
                self._process.kill()
                return "hung"
        return None

    def _ending(self) -> str:
        status = self._process.returncode if self._process else 0
        return signal.Signals(-status).name if status < 0 else f"exit code {status}"
