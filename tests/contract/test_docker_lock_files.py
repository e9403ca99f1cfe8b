"""The lock files of the images satisfy both pyproject.toml files."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML")

ROOT = Path(__file__).parents[2]
LOCKS = {name: ROOT / "docker" / f"requirements-{name}.lock" for name in ("cpu", "gateway", "server")}

# Packages of an image that differ from pyproject.toml; docker/lock.sh states the reasons.
REPLACED = {"server": {"onnxruntime"}}


def _pins(name: str) -> dict[str, str]:
    """The versions, by package."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==(\S+) \\$", LOCKS[name].read_text(), re.MULTILINE)
    return {canonicalize_name(package): version for package, version in found}


def _project(path: str) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / path).read_text())
    return project


def _requirements(project: dict[str, Any], *extras: str) -> Iterator[Requirement]:
    """Of a project with extras, and of those that its extras name in turn."""
    about = project["project"]
    texts = [
        *about["dependencies"],
        *(text for each in extras for text in about["optional-dependencies"][each]),
    ]
    for text in [*texts, *project["build-system"]["requires"]]:
        requirement = Requirement(text)
        if requirement.name == about["name"]:
            yield from _requirements(project, *requirement.extras)
        else:
            yield requirement


def _direct(name: str) -> list[Requirement]:
    client = _project("client/pyproject.toml")
    if name == "gateway":
        return list(_requirements(client, "gateway"))
    server = _project("pyproject.toml")
    own = [each for each in _requirements(server) if each.name != "tritonocr"]
    [ours] = [each for each in _requirements(server) if each.name == "tritonocr"]
    skipped = REPLACED.get(name, set())
    return [each for each in [*own, *_requirements(client, *ours.extras)] if each.name not in skipped]


@pytest.mark.parametrize("name", LOCKS)
def test_every_direct_dependency_is_there_in_its_range(name: str) -> None:
    pins = _pins(name)
    wrong = [
        f"{each}: locked {pins.get(canonicalize_name(each.name))}"
        for each in _direct(name)
        if (version := pins.get(canonicalize_name(each.name))) is None or version not in each.specifier
    ]
    assert not wrong, f"run `make lock`: {wrong}"


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_has_a_hash_and_nothing_else_is_named(name: str) -> None:
    blocks = re.split(r"^(?=[A-Za-z0-9])", LOCKS[name].read_text(), flags=re.MULTILINE)[1:]
    assert len(blocks) == len(_pins(name)) > 20
    for block in blocks:
        assert re.match(r"\S+==\S+ \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n)+", block), block[:80]


@pytest.mark.parametrize("name", LOCKS)
def test_no_registry_and_no_path_is_named(name: str) -> None:
    assert not re.search(r"://|--index|--find-links|file:|^\.|^/", LOCKS[name].read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", LOCKS)
def test_nothing_that_reports_to_others_is_installed(name: str) -> None:
    assert "openvino-telemetry" not in _pins(name)


def test_the_gpu_image_has_the_gpus_onnx_runtime_alone() -> None:
    pins = _pins("server")
    assert "onnxruntime-gpu" in pins
    assert "onnxruntime" not in pins
