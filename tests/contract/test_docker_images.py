"""The Dockerfiles pass a linter, and the files and commands that they name exist."""

import re
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
import typer
from dockerfile_parse import DockerfileParser

from tritonocr.cli._app import app
from tritonocr_backend.repository.serving_settings import ENGINE_CACHE

DOCKER = Path(__file__).parents[2] / "docker"
IMAGES = ("cpu", "gateway", "server")
SERVERS = ("cpu", "server")
TOOLS = Path(sys.executable).parent


def _dockerfile(image: str) -> DockerfileParser:
    return DockerfileParser(fileobj=BytesIO((DOCKER / f"Dockerfile.{image}").read_bytes()))


def _instructions(image: str, name: str) -> list[str]:
    return [each["value"] for each in _dockerfile(image).structure if each["instruction"] == name]


def _last(image: str, name: str) -> str:
    return _instructions(image, name)[-1]


def _words(image: str, name: str) -> list[str]:
    """An instruction in exec form, without a shell between the signals and the server."""
    value = _last(image, name).partition("CMD ")[2] if name == "HEALTHCHECK" else _last(image, name)
    assert value.startswith("["), f"{name} of {image} is not in exec form: {value}"
    return [word.strip().strip('"') for word in re.findall(r'"[^"]*"', value)]


def _environment(image: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in _last(image, "ENV").split() if "=" in pair)


@pytest.mark.parametrize("image", IMAGES)
def test_a_linter_finds_nothing(image: str) -> None:
    command = [str(TOOLS / "hadolint"), str(DOCKER / f"Dockerfile.{image}")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("image", IMAGES)
def test_it_runs_as_a_user_of_a_number_that_kubernetes_can_check(image: str) -> None:
    assert _last(image, "USER") == "10001:10001"
    users = [each for each in _instructions(image, "RUN") if "useradd" in each]
    assert len(users) == 1
    assert "--uid 10001" in users[0]


@pytest.mark.parametrize("image", IMAGES)
def test_its_command_is_one_that_the_command_line_takes(image: str) -> None:
    assert _words(image, "ENTRYPOINT") == ["tini", "--", "tritonocr"]
    name, *arguments = _words(image, "CMD")
    command = typer.main.get_command(app)
    with command.make_context("tritonocr", [name, *arguments], resilient_parsing=True) as context:
        chosen = command.get_command(context, name)
        options = chosen.make_context(name, arguments).params
    assert options["host"] == "0.0.0.0"


@pytest.mark.parametrize(
    ("image", "address"),
    [
        ("cpu", "http://127.0.0.1:8000/v2/health/ready"),
        ("server", "http://127.0.0.1:8000/v2/health/ready"),
        ("gateway", "http://127.0.0.1:8080/health"),
    ],
)
def test_its_health_is_asked_for_where_it_is_served(image: str, address: str) -> None:
    program = _words(image, "HEALTHCHECK")[-1]
    assert f"urlopen('{address}'" in program
    compile(program, image, "exec")
    port = address.split(":")[2].split("/")[0]
    assert port in _last(image, "EXPOSE").split()


@pytest.mark.parametrize("image", IMAGES)
def test_it_is_installed_by_the_shared_script_from_its_lock_file(image: str) -> None:
    [line] = [each for each in _instructions(image, "RUN") if "install.sh" in each]
    what = "gateway" if image == "gateway" else "server"
    assert line == f"docker/install.sh --lock docker/requirements-{image}.lock {what} /opt/tritonocr"
    assert (DOCKER / f"requirements-{image}.lock").is_file()


@pytest.mark.parametrize("image", SERVERS)
def test_models_are_fetched_when_it_is_built_and_never_after(image: str) -> None:
    [fetching] = [each for each in _instructions(image, "RUN") if "models fetch" in each]
    environment = _environment(image)
    assert fetching.startswith(f"TRITONOCR_HOME={environment['TRITONOCR_SHIPPED_HOME']} ")
    assert "--presets" in fetching
    assert environment["TRITONOCR_OFFLINE"] == "1"


@pytest.mark.parametrize("image", SERVERS)
def test_what_is_written_while_it_runs_is_a_volume(image: str) -> None:
    volumes = _last(image, "VOLUME").split()
    assert _environment(image)["TRITONOCR_HOME"] in volumes
    if image == "server":
        assert any(Path(ENGINE_CACHE).is_relative_to(volume) for volume in volumes)


def test_both_debian_images_have_the_same_base() -> None:
    bases = {
        tuple(_instructions(image, "ARG")[:1] + _instructions(image, "FROM")[:1])
        for image in ("cpu", "gateway")
    }
    assert bases == {("DEBIAN=bookworm-slim", "debian:${DEBIAN} AS base")}


def test_tritons_release_stands_in_one_place() -> None:
    release = _instructions("server", "ARG")[0].removeprefix("TRITON_RELEASE=")
    assert re.fullmatch(r"\d\d\.\d\d", release)
    others = [
        path for path in DOCKER.rglob("*") if path.is_file() and "nvidia/tritonserver:2" in path.read_text()
    ]
    assert others == []


def test_the_python_of_a_lock_file_is_that_of_its_image() -> None:
    [packages] = [each for each in _instructions("cpu", "RUN") if "libpython" in each]
    [python] = re.findall(r"libpython(\d\.\d+)", packages)
    assert f"lock cpu {python} " in (DOCKER / "lock.sh").read_text()


def test_the_build_sees_every_file_that_is_installed() -> None:
    ignored = (DOCKER.parent / ".dockerignore").read_text().splitlines()
    assert ignored[1] == "*"
    kept = {line[1:] for line in ignored if line.startswith("!")}
    assert {"pyproject.toml", "client", "python_backend", "model_repository", "docker/install.sh"} <= kept
