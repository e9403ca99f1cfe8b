"""The texts of `tritonocr_common.triton_messages` are those of the installed tritonserver and gRPC."""

from pathlib import Path

import grpc
import pytest
from grpc._cython import cygrpc

from tritonocr_backend.server.installation import find_installation
from tritonocr_common import triton_messages

SPLIT_BELOW_BYTES, PIECE_BYTES = 25, 16  # a compiler splits a short literal; 16 bytes stay together

TRITON = (
    triton_messages.QUEUE_FULL,
    triton_messages.QUEUE_TIMEOUT,
    *triton_messages.STOPPING,
    triton_messages.SHARED_MEMORY_FULL,
    triton_messages.PROCESS_DIED,
    triton_messages.UNKNOWN_MODEL,
    triton_messages.MODEL_CONTROL_OFF,
    *triton_messages.ADMIN_KEY_REQUIRED,
)


@pytest.fixture(scope="module")
def programs() -> list[bytes]:
    found = find_installation()
    libraries = [path for folder in found.library_directories for path in folder.glob("libtritonserver*")]
    files = [found.binary, found.stub, *found.python_backend.glob("*.so"), *libraries]
    return [path.read_bytes() for path in files]


def literal(text: str) -> bytes:
    return text.encode() if len(text) >= SPLIT_BELOW_BYTES else text.encode()[:PIECE_BYTES]


@pytest.mark.parametrize("text", TRITON)
def test_tritonserver_has_the_text(text: str, programs: list[bytes]) -> None:
    assert any(literal(text) in program for program in programs)


@pytest.mark.parametrize(
    "text", [triton_messages.NOT_CONNECTED, *triton_messages.UNKNOWN_HOST, triton_messages.CUT_OFF[1]]
)
def test_grpc_has_the_text(text: str) -> None:
    assert literal(text) in Path(cygrpc.__file__).read_bytes(), f"not in gRPC {grpc.__version__}"


def test_no_text_is_searched_for_that_nobody_writes(programs: list[bytes]) -> None:
    """The search itself can fail."""
    assert not any(b"Exceeds maximal queue size" in program for program in programs)
