"""Where the parts of the installed tritonserver are, and what they need around them."""

from __future__ import annotations

import os
import sys
import sysconfig
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tritonocr_backend.core.errors import ServerError

# Pages go back to the system when they are done with; glibc would keep some in each thread's arena.
MALLOC = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
}

DIRECTORY_VARIABLE = "TRITONOCR_TRITONSERVER"
"""Environment variable that names a tritonserver of one's own."""


@dataclass(frozen=True)
class Installation:
    """Where the parts of tritonserver are.

    Attributes:
        binary: tritonserver itself.
        python_backend: the Python backend's library and module.
        stub: what runs the Python of this environment.
        library_directories: where the libraries of all these are.
        backends: a complete backend directory; None where one has to be put together.
    """

    binary: Path
    python_backend: Path
    stub: Path
    library_directories: tuple[Path, ...]
    backends: Path | None = None


def find_installation() -> Installation:
    """Find tritonserver and what it needs to run the Python that runs this.

    That is the one in `$TRITONOCR_TRITONSERVER`, as in NVIDIA's container image (/opt/tritonserver), or else
    the one that the nvidia-pytriton wheel carries.

    Raises:
        ServerError: a part is missing; the message says how to get it.
    """
    directory = os.environ.get(DIRECTORY_VARIABLE)
    return _in_directory(Path(directory)) if directory else _in_wheel()


def _in_directory(directory: Path) -> Installation:
    """A tritonserver laid out as in NVIDIA's container image."""
    backends = directory / "backends"
    stub = backends / "python" / "triton_python_backend_stub"
    found = Installation(
        directory / "bin" / "tritonserver", stub.parent, stub, (directory / "lib",), backends
    )
    for path in (found.binary, stub):
        if not path.exists():
            raise ServerError(f"{DIRECTORY_VARIABLE} is {directory}, where {path} is missing")
    library = f"libpython{_python_version()}.so"
    if library.encode() not in stub.read_bytes():
        raise ServerError(f"{stub} is not linked to {library}: it runs another Python than {sys.executable}")
    return found


def _python_version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _in_wheel() -> Installation:
    spec = find_spec("pytriton")
    if spec is None or spec.origin is None:
        raise ServerError("tritonserver is not installed: pip install tritonocr-server")
    package = Path(spec.origin).parent
    version = _python_version()
    stub = package / "tritonserver" / "python_backend_stubs" / version / "triton_python_backend_stub"
    if not stub.exists():
        served = ", ".join(sorted(path.parent.name for path in stub.parents[1].glob("*/*_stub")))
        raise ServerError(f"Triton's Python backend runs Python {served}; this is {version}")
    return Installation(
        binary=package / "tritonserver" / "bin" / "tritonserver",
        python_backend=package / "tritonserver" / "backends" / "python",
        stub=stub,
        library_directories=(package.parent / "nvidia_pytriton.libs", _libpython_directory(version)),
    )


def _libpython_directory(version: str) -> Path:
    """Where the shared library of this Python is, which the stub is linked to."""
    name = f"libpython{version}.so.1.0"
    places = [sysconfig.get_config_var("LIBDIR"), f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}"]
    for place in places:
        if place and (Path(place) / name).exists():
            return Path(place)
    raise ServerError(
        f"{name} is missing, which Triton's Python backend is linked to: install Debian's package "
        f"libpython{version}, or use a Python that was built with --enable-shared"
    )


def link_backends(installation: Installation, directory: Path) -> Path:
    """A backend directory as tritonserver wants it, with the stub of this Python."""
    if installation.backends:
        return installation.backends
    python = directory / "python"
    python.mkdir(parents=True)
    for path in (*installation.python_backend.iterdir(), installation.stub):
        if path.name != "__pycache__":
            (python / path.name).symlink_to(path)
    return directory


def server_environment(installation: Installation) -> dict[str, str]:
    """The environment that tritonserver and its stubs need."""
    libraries = [*map(str, installation.library_directories), os.environ.get("LD_LIBRARY_PATH", "")]
    # The stub takes its Python, and with it this environment's packages, from the first python3 on the path.
    path = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    return {
        **os.environ,
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, libraries)),
        "PATH": os.pathsep.join(filter(None, path)),
        **MALLOC,
    }
