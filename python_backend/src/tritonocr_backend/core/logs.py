"""Configure the log of the model processes: text or one JSON object per line, and a line per request or none.

The model processes inherit the environment variables from tritonserver.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from copy import copy
from typing import Final, Literal

from tritonocr_common.environment import LOG_FORMAT, LOG_REQUESTS
from tritonocr_common.json_logs import json_formatter

LogFormat = Literal["text", "json"]

FORMAT_VARIABLE: Final = LOG_FORMAT
REQUESTS_VARIABLE: Final = LOG_REQUESTS

LOGGERS: Final = ("tritonocr", "tritonocr_backend")
REQUESTS: Final = logging.getLogger("tritonocr.requests")
"""One line per request, without content of the document."""


def environment(log_format: LogFormat, log_requests: bool) -> dict[str, str]:
    """Return the environment variables that configure a server's log."""
    return {FORMAT_VARIABLE: log_format, REQUESTS_VARIABLE: str(int(log_requests))}


def configure(environ: Mapping[str, str] = os.environ) -> None:
    """Configure the log of this process from environment variables."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(json_formatter() if environ.get(FORMAT_VARIABLE) == "json" else TextFormatter())
    for name in LOGGERS:
        logging.getLogger(name).handlers[:] = [handler]
    wanted = environ.get(REQUESTS_VARIABLE, "0") not in ("", "0")
    REQUESTS.setLevel(logging.INFO if wanted else logging.WARNING)


class TextFormatter(logging.Formatter):
    """Format a record as text; a message with fields becomes `MESSAGE NAME=VALUE NAME=VALUE`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """See logging."""
        fields: object = record.msg
        if isinstance(fields, dict):
            record = copy(record)  # other handlers receive the same record
            values = (f"{name}={_value(value)}" for name, value in fields.items() if name != "message")
            record.msg = " ".join([fields["message"], *values])
        return super().format(record)


def _value(value: object) -> str:
    """Return a value as one word, because the text of a client can contain line breaks."""
    text = str(value)
    return text if text.isascii() and text.isprintable() and " " not in text and text else json.dumps(value)
