"""Find the files of tritonserver and set up their environment."""

from __future__ import annotations

import os
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from tritonocr_backend.core.errors import ServerError
from tritonocr_backend.zoo import programs
from tritonocr_backend.zoo.download import Progress
from tritonocr_backend.zoo.errors import FetchError
from tritonocr_common import environment

# With these settings glibc returns the memory of freed pages to the system instead of keeping it per thread.
MALLOC = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
}

DIRECTORY_VARIABLE = environment.TRITONSERVER
"""Environment variable with the directory of an installed tritonserver."""


@dataclass(frozen=True)
class Installation:
    """Paths of the parts of tritonserver.

    Attributes:
        binary: the tritonserver executable.
        python_backend: the folder with the Python backend's library and module.
        stub: the executable that runs this environment's Python for the Python backend.
        library_directories: folders of the shared libraries that these files need.
        backends: a complete backend directory; None if `link_backends` has to make one.
    """

    binary: Path
    python_backend: Path
    stub: Path
    library_directories: tuple[Path, ...]
    backends: Path | None = None


def find_installation(progress: Progress | None = None) -> Installation:
    """Find tritonserver and the stub for the Python version that runs this code.

    `$TRITONOCR_TRITONSERVER` names the directory of a tritonserver, such as /opt/tritonserver in NVIDIA's
    container image. Without the variable, TritonOCR uses the tritonserver in its cache and downloads it at
    the first use.

    Args:
        progress: called with the bytes received and the size of the download in bytes.

    Raises:
        ServerError: a file is missing, or the stub runs another Python version; the message names the remedy.
    """
    directory = os.environ.get(DIRECTORY_VARIABLE)
    return _in_directory(Path(directory)) if directory else _in_cache(progress)


def _in_directory(directory: Path) -> Installation:
    """Return the parts of a tritonserver that is laid out as in NVIDIA's container image."""
    backends = directory / "backends"
    stub = backends / "python" / "triton_python_backend_stub"
    found = Installation(
        directory / "bin" / "tritonserver", stub.parent, stub, (directory / "lib",), backends
    )
    for path in (found.binary, stub):
        if not path.exists():
            raise ServerError(f"{DIRECTORY_VARIABLE} is {directory}, but {path} is missing")
    library = f"libpython{_python_version()}.so"
    if library.encode() not in stub.read_bytes():
        raise ServerError(f"{stub} is not linked to {library}, so it does not run Python {_python_version()}")
    return found


def _python_version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _in_cache(progress: Progress | None) -> Installation:
    """Return the parts of the tritonserver in the cache, in the layout of the nvidia-pytriton wheel."""
    try:
        files = programs.fetch(programs.TRITONSERVER, progress)
    except FetchError as error:
        raise ServerError(
            f"{error}\nDownload tritonserver on a machine with network access: tritonocr models fetch "
            f"--tritonserver. Or set {DIRECTORY_VARIABLE} to the directory of an installed tritonserver."
        ) from error
    tritonserver = files / "pytriton" / "tritonserver"
    version = _python_version()
    stub = tritonserver / "python_backend_stubs" / version / "triton_python_backend_stub"
    if not stub.exists():
        raise ServerError(
            f"Triton's Python backend runs Python {_supported(stub.parents[1])}; this is Python {version}"
        )
    return Installation(
        binary=tritonserver / "bin" / "tritonserver",
        python_backend=tritonserver / "backends" / "python",
        stub=stub,
        library_directories=(files / "nvidia_pytriton.libs", _libpython_directory(version)),
    )


def _supported(stubs: Path) -> str:
    """Return the Python versions that have a stub, for example `3.10, 3.11`."""
    versions = (path.parent.name for path in stubs.glob("*/*_stub"))
    return ", ".join(sorted(versions, key=lambda version: tuple(map(int, version.split(".")))))


def _libpython_directory(version: str) -> Path:
    """Return the folder of libpython, the shared library that the stub is linked to.

    Raises:
        ServerError: this Python has no shared library.
    """
    name = f"libpython{version}.so.1.0"
    places = [sysconfig.get_config_var("LIBDIR"), f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}"]
    for place in places:
        if place and (Path(place) / name).exists():
            return Path(place)
    raise ServerError(
        f"{name} is missing, and Triton's Python backend is linked to it: install Debian's package "
        f"libpython{version}, or use a Python that was built with --enable-shared"
    )


def link_backends(installation: Installation, directory: Path) -> Path:
    """Return a backend directory in tritonserver's layout, with the stub for this Python version."""
    if installation.backends:
        return installation.backends
    python = directory / "python"
    python.mkdir(parents=True)
    for path in (*installation.python_backend.iterdir(), installation.stub):
        if path.name != "__pycache__":
            (python / path.name).symlink_to(path)
    return directory


def server_environment(installation: Installation) -> dict[str, str]:
    """Return the environment variables for tritonserver and its stubs."""
    libraries = [*map(str, installation.library_directories), os.environ.get("LD_LIBRARY_PATH", "")]
    # The stub runs the first python3 on the path, and with it this environment's packages.
    path = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    return {
        **os.environ,
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, libraries)),
        "PATH": os.pathsep.join(filter(None, path)),
        **MALLOC,
    }
