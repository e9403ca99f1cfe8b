"""Send a request again while a server restarts or is overloaded, within the request's own time limit."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .._exceptions import OverloadedError, ServerUnavailableError
from .base import Allowance, Tensors, Transport
from .protocol import Request

_logger = logging.getLogger("tritonocr")

# Pauses between attempts: doubled each time, and shortened at random so that clients do not return together.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0
# Attempts during which a server may have started to read the file: a file that stops servers is given up. One
# restart can interrupt two attempts: the first when a process dies, the second when the server is stopped.
MAX_BEGUN = 6

# Longest wait for a server that never answered: it may restart at this moment, or the address may be wrong.
FIRST_CONTACT_WAIT_S = 20.0
# The same for a server that closes each connection: it may stop at this moment, and then refuses connections.
CUT_OFF_WAIT_S = 2.0

Retry: TypeAlias = bool | Literal["restarts"]
MayRetry = Callable[[ServerUnavailableError], bool]


@dataclass
class RetryPolicy:
    """Decide for one request which errors are retried.

    Attributes:
        max_outage_s: longest time without a server, in seconds; None waits until the request's time limit.
        if_overloaded: whether to retry although the server works and its queue is full.
    """

    max_outage_s: float | None = None
    if_overloaded: bool = True
    _outage_began_s: float | None = None

    def __call__(self, error: ServerUnavailableError) -> bool:
        """Return whether to send the request again after this error."""
        if isinstance(error, OverloadedError) and not error.is_memory_full:
            # After a restart, the interrupted requests of all clients arrive at the same time.
            return self.if_overloaded or self._outage_began_s is not None
        if self._outage_began_s is None or error.may_have_begun:
            self._outage_began_s = time.monotonic()
        outage_s = time.monotonic() - self._outage_began_s
        return self.max_outage_s is None or outage_s < self.max_outage_s


class _Attempts:
    """The failed attempts of one request.

    Args:
        allowance: time limit of all attempts together.
        may_retry: decides for each error whether the request is sent again.
    """

    def __init__(self, allowance: Allowance, may_retry: MayRetry) -> None:
        self._allowance = allowance
        self._may_retry = may_retry
        self._count = 0
        self._begun = 0
        self._pauses = _pauses()
        self._started_s = time.monotonic()

    def pause_after(self, error: ServerUnavailableError) -> float:
        """Count a failed attempt, and return the pause in seconds before the next one.

        Raises:
            ServerUnavailableError: there is no next attempt; the error says how many were made.
        """
        self._count += 1
        self._begun += error.may_have_begun
        pause_s = next(self._pauses)
        is_late = self._allowance.left_s is not None and self._allowance.left_s <= pause_s
        if self._begun >= MAX_BEGUN or not self._may_retry(error) or is_late:
            if self._count == 1 and not is_late:
                raise error
            waited_s = time.monotonic() - self._started_s
            raise error.with_remark(f"Gave up after {self._count} attempts in {waited_s:.1f} s.") from error
        if self._count == 1 and not isinstance(error, OverloadedError):
            _logger.warning("%s; the request is sent again until its time limit", str(error).rstrip("."))
        return pause_s


async def responses_with_retries(
    transport: Transport,
    request: Request,
    timeout_s: float | None,
    may_retry: MayRetry,
    retried: Callable[[], None] = lambda: None,
) -> AsyncGenerator[Tensors, None]:
    """Send one request until it is answered, and yield the output tensors of each response once.

    Reading has no side effects, so that a request can be sent again. A stream that breaks continues with the
    first response that was not yielded before.

    Args:
        transport: the connection.
        request: the request.
        timeout_s: time limit of all attempts together, pauses included; None for no limit.
        may_retry: decides for each error whether the request is sent again.
        retried: called before each further attempt.

    Raises:
        ServerUnavailableError: no attempt succeeded in time, or `may_retry` refused.
        TritonOCRError: any other error, after the first attempt.
    """
    allowance, yielded = Allowance(timeout_s), 0
    attempts = _Attempts(allowance, may_retry)
    while True:
        received = 0
        try:
            async with aclosing(transport.responses(request, allowance.left_s)) as answers:
                while True:
                    with allowance.spending():
                        tensors = await anext(answers, None)
                    if tensors is None:
                        return
                    received += 1
                    if received > yielded:
                        yielded = received
                        yield tensors
        except ServerUnavailableError as error:
            pause_s = attempts.pause_after(error)
        with allowance.spending():
            await asyncio.sleep(pause_s)
        retried()


def _pauses() -> Iterator[float]:
    for number in itertools.count():
        longest_s = min(FIRST_PAUSE_S * 2 ** min(number, 20), LONGEST_PAUSE_S)
        yield longest_s * random.uniform(0.5, 1)  # noqa: S311 (no secret)
