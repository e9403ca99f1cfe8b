"""Log lines as JSON, the same for the server and the gateway."""

from __future__ import annotations

import logging
from collections.abc import Iterable


def json_formatter(ignored_fields: Iterable[str] = ()) -> logging.Formatter:
    """Return a formatter that writes one JSON object per record: time, level, logger, message and the fields.

    Args:
        ignored_fields: attributes of records that are not written.
    """
    # Imported here, because most processes write plain text.
    from pythonjsonlogger.core import RESERVED_ATTRS
    from pythonjsonlogger.json import JsonFormatter

    return JsonFormatter(
        ["levelname", "name", "message"],
        rename_fields={"levelname": "level", "name": "logger", "exc_info": "traceback"},
        reserved_attrs=[*RESERVED_ATTRS, *ignored_fields],
        timestamp="time",
    )
