"""Bulk reading on a Ray cluster: from many files to a table of pages, in parts that survive a crash.

Needs the extra [ray]. `docs/scaling.md` says when it pays off; one machine needs only
`tritonocr predict --resume`.
"""

from .._exceptions import missing_extra

try:
    import pyarrow  # noqa: F401
    import ray.data  # noqa: F401
except ImportError as error:
    raise missing_extra("ray", "Bulk reading", error) from error

from ._bulk import Summary, read_files
from ._rows import SCHEMA

__all__ = ["SCHEMA", "Summary", "read_files"]
