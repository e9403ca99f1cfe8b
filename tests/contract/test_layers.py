"""Who may import whom: each instance of a model is a process, and pays in memory for all that it imports."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tritonocr_backend

PACKAGE = Path(tritonocr_backend.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}
PURE = (
    "arrays",
    "contracts",
    "doc_preprocessing",
    "geometry",
    "pipeline",
    "stages",
    "text_crop",
    "text_detection",
)
PB_UTILS = "triton_python_backend_utils"
ZOO_ONLY = {"google", "httpx", "onnx", "pydantic", "ruamel", "tritonclient"}
ENGINES = {"onnxruntime", "openvino", "paddle"}
READS_FILES = {"PIL", "pypdfium2"}


def imported(path: Path) -> Iterator[str]:
    """Names of the modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_only_the_triton_package_imports_tritons_api() -> None:
    importers = {name for name, path in MODULES.items() if PB_UTILS in set(imported(path))}
    assert importers
    assert {name for name in importers if not name.startswith("triton.")} == set()


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_know_neither_triton_nor_engines_nor_the_zoo(name: str) -> None:
    layers = ("triton", "engines", "zoo", "server", "serving", "cli")
    forbidden = tuple(f"tritonocr_backend.{layer}" for layer in layers)
    assert [module for module in imported(MODULES[name]) if module.startswith(forbidden)] == []


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        pytest.param("network", ZOO_ONLY | ENGINES | READS_FILES | {"cv2", "pyclipper"}, id="a network"),
        pytest.param("stage", ZOO_ONLY | ENGINES | READS_FILES, id="a stage"),
        pytest.param("ocr", ZOO_ONLY | ENGINES, id="ocr"),
    ],
)
def test_a_models_process_loads_no_more_than_it_needs(module: str, forbidden: set[str]) -> None:
    code = (
        "import sys, pb_utils_stand_in; pb_utils_stand_in.install()\n"
        f"import tritonocr_backend.triton.{module}\n"
        "print(*sys.modules)"
    )
    tests = Path(__file__).parents[1]
    run = subprocess.run([sys.executable, "-c", code], cwd=tests, capture_output=True, text=True, check=True)
    loaded = run.stdout.split()
    assert {name.partition(".")[0] for name in loaded} & forbidden == set()
    assert [name for name in loaded if name.startswith("tritonocr_backend.zoo")] == []
