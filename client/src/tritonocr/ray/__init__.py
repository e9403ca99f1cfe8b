"""Bulk reading on a Ray cluster: many files in, a table of pages out, in parts that survive a crash.

Needs the extra [ray]. `docs/scaling.md` says when it pays; for one machine `tritonocr predict --resume` does.
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
