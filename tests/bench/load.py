"""A closed-loop load generator: each client sends its next request after the response to its last one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Request = TypeVar("Request")
Answer = TypeVar("Answer")


class Load(Generic[Request, Answer]):
    """Sends prepared requests and keeps the answers as they come, so that it leaves the cores to the subject.

    Args:
        send: sends one request and waits for its answer; called by several threads.
        clients: how many requests are in flight.
    """

    def __init__(self, send: Callable[[Request], Answer], clients: int) -> None:
        self._send = send
        self._clients = clients

    def run(self, requests: Sequence[Request]) -> LoadResult[Answer]:
        """Send all requests in their order."""
        # Its threads are there before the clock starts; an idle thread costs nothing.
        with ThreadPoolExecutor(self._clients) as pool:
            list(pool.map(time.sleep, [0.001] * self._clients))
            before = os.times()
            started_s = time.perf_counter()
            timed = list(pool.map(self._timed, requests))
            wall_s = time.perf_counter() - started_s
            after = os.times()
        cpu_s = (after.user - before.user) + (after.system - before.system)
        return LoadResult([answer for answer, _ in timed], tuple(s for _, s in timed), wall_s, cpu_s)

    def _timed(self, request: Request) -> tuple[Answer, float]:
        started_s = time.perf_counter()
        answer = self._send(request)
        return answer, time.perf_counter() - started_s


class LoadResult(Generic[Answer]):
    """Answers and their latencies in the requests' order, the wall time and the generator's CPU time."""

    def __init__(
        self, answers: list[Answer], latencies_s: tuple[float, ...], wall_s: float, cpu_s: float
    ) -> None:
        self.answers, self.latencies_s, self.wall_s, self.cpu_s = answers, latencies_s, wall_s, cpu_s
