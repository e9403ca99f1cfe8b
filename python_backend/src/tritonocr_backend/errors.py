"""Errors of the server side.

    TritonOcrError
    ├── InvalidInputError      the request is at fault -> Triton INVALID_ARG
    ├── OverloadedError        try again later         -> Triton UNAVAILABLE
    ├── StageError             a stage of ours failed  -> Triton INTERNAL
    └── ServerError            tritonserver cannot be found, started or kept running (never crosses the wire)

The table to Triton's codes is `tritonocr_backend.triton.errors`; a test says that it is total.
"""


class TritonOcrError(Exception):
    """Base of every error that TritonOCR raises on purpose."""


class InvalidInputError(TritonOcrError, ValueError):
    """The request is at fault: the message names the input, what was got and what was expected."""


class OverloadedError(TritonOcrError, RuntimeError):
    """A stage refused work because its queue is full."""


class StageError(TritonOcrError, RuntimeError):
    """A stage failed for a reason that is not the request's."""


class ServerError(TritonOcrError, RuntimeError):
    """The embedded tritonserver cannot be found, started or kept running."""
