"""Stop the work on a request whose client has cancelled it or closed its connection."""

from __future__ import annotations

import time

import triton_python_backend_utils as pb_utils

from tritonocr_backend.core.errors import AbandonedError

ASK_EVERY_S = 0.2
"""Minimum seconds between two queries, because a query is a call to another process."""


class CancellationCheck:
    """Stop the work on a cancelled request by raising an error.

    Args:
        request: the request that is processed.
    """

    def __init__(self, request: pb_utils.InferenceRequest) -> None:
        self._request = request
        self._asked_s = time.monotonic()

    def __call__(self) -> None:
        """Check whether the request is cancelled, at most every `ASK_EVERY_S` seconds.

        Raises:
            AbandonedError: the request is cancelled.
        """
        now_s = time.monotonic()
        if now_s - self._asked_s < ASK_EVERY_S:
            return
        self._asked_s = now_s
        if self._request.is_cancelled():
            raise AbandonedError("the request was cancelled by its client")
