"""Pools whose threads exist before the first task."""

from __future__ import annotations

import threading

import pytest

from tritonocr_backend.triton.threads import started_threads


def test_no_task_starts_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `ulimit -v`, the start of a thread failed requests that needed little memory."""

    def fail(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with started_threads(4) as threads:
        monkeypatch.setattr(threading.Thread, "start", fail)
        barrier = threading.Barrier(4, timeout=30)
        at_once = [threads.submit(barrier.wait) for _ in range(4)]
        assert sorted(task.result() for task in at_once) == [0, 1, 2, 3]
