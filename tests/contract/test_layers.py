"""Which folder may import which. Each model instance is a process, so imports cost memory."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import tritonocr
import tritonocr_backend

PACKAGE = Path(tritonocr_backend.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}
FLOORS: tuple[frozenset[str], ...] = (
    frozenset({"core"}),
    frozenset({"zoo", "engines", "documents"}),
    frozenset({"graphs", "pipeline"}),
    frozenset({"repository", "triton"}),
    frozenset({"server"}),
    frozenset({"cli"}),
)
"""The folders from the lowest floor to the highest: each imports only from floors below its own."""
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


def folder_of(module: str) -> str:
    return module.removeprefix(f"{PACKAGE.name}.").partition(".")[0]


def test_every_folder_has_a_floor() -> None:
    folders = {name.partition(".")[0] for name in MODULES if name not in ("", "__init__")}
    assert folders == set().union(*FLOORS)


@pytest.mark.parametrize("folder", sorted(set().union(*FLOORS)))
def test_a_folder_imports_only_from_floors_below(folder: str) -> None:
    floor = next(number for number, folders in enumerate(FLOORS) if folder in folders)
    allowed = {folder}.union(*FLOORS[:floor])
    wrong = [
        f"{name} imports {module}"
        for name, path in MODULES.items()
        if name.partition(".")[0] == folder
        for module in imported(path)
        if module.startswith(f"{PACKAGE.name}.") and folder_of(module) not in allowed
    ]
    assert wrong == []


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


CLIENT = Path(tritonocr.__file__).parent
CLIENT_FLOORS: tuple[frozenset[str], ...] = (
    frozenset({"_exceptions"}),
    frozenset({"_bulk_defaults", "_embedded", "_inputs", "_options", "_progress", "_results"}),
    frozenset({"_demo", "_paddlex_config", "_read_ahead", "_transport"}),
    frozenset({"_arguments", "_extras", "_prediction", "demo"}),
    frozenset({"_async_client"}),
    frozenset({"_client"}),
    frozenset({"_pipeline"}),
    frozenset({"_paddleocr_arguments"}),
    frozenset({"_paddleocr"}),
    frozenset({""}),  # the package itself: the public names
    frozenset({"ray"}),
    frozenset({"cli"}),
    frozenset({"__main__"}),
)
"""The client's folders and single modules, from the lowest floor to the highest."""


def client_modules() -> dict[str, Path]:
    names = {path: ".".join(path.relative_to(CLIENT).with_suffix("").parts) for path in CLIENT.rglob("*.py")}
    return {name.removesuffix("__init__").rstrip("."): path for path, name in names.items()}


def client_imports(name: str, path: Path, modules: Mapping[str, Path]) -> Iterator[str]:
    """Yield the names of the client's modules that a module imports anywhere."""
    package = ["tritonocr", *name.split(".")] if name else ["tritonocr"]
    if path.name != "__init__.py":
        package.pop()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        start = package[: len(package) - node.level + 1] if node.level else []
        module = ".".join([*start, *([node.module] if node.module else [])])
        if module.partition(".")[0] != "tritonocr":
            continue
        base = module.removeprefix("tritonocr").lstrip(".")
        for alias in node.names:
            child = f"{base}.{alias.name}".lstrip(".")
            yield child if child in modules else base


def client_graph() -> dict[str, set[str]]:
    modules = client_modules()
    return {name: set(client_imports(name, path, modules)) for name, path in modules.items()}


def test_every_folder_of_the_client_has_a_floor() -> None:
    assert {name.partition(".")[0] for name in client_modules()} == set().union(*CLIENT_FLOORS)


@pytest.mark.parametrize("folder", sorted(set().union(*CLIENT_FLOORS)))
def test_a_folder_of_the_client_imports_only_from_floors_below(folder: str) -> None:
    floor = next(number for number, folders in enumerate(CLIENT_FLOORS) if folder in folders)
    allowed = {folder}.union(*CLIENT_FLOORS[:floor])
    wrong = [
        f"{name} imports {module}"
        for name, imports in client_graph().items()
        if name.partition(".")[0] == folder
        for module in imports
        if module.partition(".")[0] not in allowed
    ]
    assert wrong == []


def test_the_client_has_no_import_circle() -> None:
    order = list(TopologicalSorter(client_graph()).static_order())  # raises CycleError
    assert order.index("_transport.grpc") < order.index("_transport.connect")


def test_only_connect_knows_every_transport() -> None:
    kinds = {"_transport.grpc", "_transport.http", "_transport.servers"}
    assert [name for name, imports in client_graph().items() if kinds & imports] == ["_transport.connect"]
