"""An event loop in its own thread, for callers that block."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, TypeVar

from .._exceptions import ClientStateError, RequestCancelledError

_T = TypeVar("_T")

# How often a waiting caller checks that the event loop still runs, and how long the loop may need to answer.
CHECK_EVERY_S = 10.0
LOOP_TIMEOUT_S = 30.0


class LoopThread:
    """Run coroutines for blocking callers, so that one asynchronous client serves both kinds of callers."""

    def __init__(self) -> None:
        self._process_id = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run_loop, name="tritonocr", daemon=True)
        self._thread.start()

    def start(self, coroutine: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Start a coroutine; cancelling the future cancels it.

        Raises:
            ClientStateError: the loop is closed, or it belongs to the parent of this forked process.
        """
        if os.getpid() != self._process_id or not self._thread.is_alive():
            coroutine.close()
            raise ClientStateError(self._state())
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine and wait for its result."""
        return self.wait(self.start(coroutine))

    def wait(self, future: Future[_T]) -> _T:
        """Wait for the result of a started coroutine.

        Raises:
            RequestCancelledError: the caller cancelled the future.
            ClientStateError: the event loop hangs, whatever blocks it.
        """
        try:
            while True:
                try:
                    return future.result(CHECK_EVERY_S)
                except FutureTimeoutError:
                    if future.done():
                        return future.result()  # raises the coroutine's own error
                    self._check_alive()
        except CancelledError as error:
            raise RequestCancelledError("The request was cancelled.") from error
        except BaseException:
            future.cancel()  # the caller was interrupted and does not need the result
            raise

    def close(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Cancel all tasks, run `last` and end the thread; may be called twice, and from any thread."""
        if os.getpid() != self._process_id:
            return
        if threading.current_thread() is self._thread:  # the garbage collector may run in any thread
            self._loop.stop()
        elif self._thread.is_alive():
            self.run(_cancel_others())
            self.run(last())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def _state(self) -> str:
        if os.getpid() == self._process_id:
            return "The client is closed."
        return (
            "The client was made before this process was forked and cannot be used here; make a client in "
            "each process, and start the processes with the method 'spawn' or 'forkserver'."
        )

    def _check_alive(self) -> None:
        answered = threading.Event()
        self._loop.call_soon_threadsafe(answered.set)
        if not answered.wait(LOOP_TIMEOUT_S):
            raise ClientStateError(
                f"The client's event loop did not answer for {LOOP_TIMEOUT_S:g} s; make a new client "
                "in a new process."
            )

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
