"""An event loop in a thread of its own, for callers that block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

from .._exceptions import RequestCancelledError

_T = TypeVar("_T")


class LoopThread:
    """Runs coroutines for other threads, so that one asynchronous client serves blocking callers too."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run_loop, name="tritonocr", daemon=True)
        self._thread.start()

    def start(self, coroutine: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Start a coroutine; cancelling the future cancels it.

        Raises:
            RuntimeError: the loop is closed, or was left behind when this process was forked.
        """
        if not self._thread.is_alive():
            coroutine.close()
            state = "closed" if self._loop.is_closed() else "another process's: make one after forking"
            raise RuntimeError(f"The client is {state}.")
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine and wait for what it returns."""
        return wait(self.start(coroutine))

    def close(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Cancel what still runs, run `last` and end the thread; may be called twice, and from any thread."""
        if threading.current_thread() is self._thread:  # the garbage collector may be at work anywhere
            self._loop.stop()
        elif self._thread.is_alive():
            self.run(_cancel_others())
            self.run(last())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def _run_loop(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def wait(future: Future[_T]) -> _T:
    """Wait for an answer; one that the caller cancelled is an error of ours, too."""
    try:
        return future.result()
    except CancelledError as error:
        raise RequestCancelledError("The request was cancelled.") from error
    except BaseException:
        future.cancel()  # an interrupt while waiting: nobody will want the answer
        raise
