"""Thread pools whose threads all exist from the start."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier


def started_threads(count: int, name: str = "") -> ThreadPoolExecutor:
    """Return a pool with `count` running threads.

    `ThreadPoolExecutor` starts a thread when a task needs it. If memory is short, the start fails, and with
    it a request that needs little memory itself.
    """
    threads = ThreadPoolExecutor(count, name)
    barrier = Barrier(count)
    for started in [threads.submit(barrier.wait) for _ in range(count)]:
        started.result()
    return threads
