"""compose.yaml is valid and hardened, and agrees with the images and with the shutdown of the servers."""

import json
from pathlib import Path
from typing import Any

import pytest
from compose_spec import PyCompose, parse_duration
from ruamel.yaml import YAML

from tritonocr_backend.server.embedded import ServerOptions

DOCKER = Path(__file__).parents[2] / "docker"
FILE = DOCKER / "compose.yaml"
COMPOSE: dict[str, Any] = YAML(typ="safe").load(FILE)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("server-cpu", "server-gpu", "gateway")
SERVERS = ("server-cpu", "server-gpu")


def test_it_follows_the_specification() -> None:
    # As JSON: the parser of the specification does not merge YAML's anchors.
    assert sorted(PyCompose.from_json(json.dumps(COMPOSE)).service_names()) == sorted(SERVICES)


def test_the_specification_notices_a_slip() -> None:
    with pytest.raises(ValueError, match="read_onyl"):
        PyCompose.from_json(json.dumps(COMPOSE).replace("read_only", "read_onyl"))


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_hardened_and_bounded(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "mem_limit" in service
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc"} & set(service)


@pytest.mark.parametrize("name", OURS)
def test_threads_are_bounded(name: str) -> None:
    assert SERVICES[name]["pids_limit"] >= 512


def test_ports_are_published_on_this_machine_alone() -> None:
    override: dict[str, Any] = YAML(typ="safe").load(DOCKER / "compose.triton-ports.yaml")
    services = [*SERVICES.values(), *override["services"].values()]
    ports = [port for service in services for port in service.get("ports", ())]
    assert len(ports) == 3 + 6
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("name", SERVERS)
def test_triton_is_reached_by_the_gateway_and_prometheus_alone(name: str) -> None:
    """A single request to Triton's ports can crash Triton."""
    assert "ports" not in SERVICES[name]
    assert set(SERVICES[name]["networks"]) == {"triton"}
    assert {other for other, service in SERVICES.items() if "triton" in service.get("networks", ())} == {
        *SERVERS,
        "gateway",
        "prometheus",
    }


@pytest.mark.parametrize(
    ("name", "drain_s"),
    [
        ("server-cpu", ServerOptions().exit_timeout_s + 10),  # what EmbeddedServer.stop waits
        ("server-gpu", ServerOptions().exit_timeout_s + 10),
        ("gateway", 30),  # timeout_graceful_shutdown of tritonocr_gateway.cli
    ],
)
def test_a_service_gets_the_time_that_its_requests_get(name: str, drain_s: float) -> None:
    assert parse_duration(SERVICES[name]["stop_grace_period"]) > drain_s


@pytest.mark.parametrize("name", OURS)
def test_it_is_built_from_its_dockerfile(name: str) -> None:
    build = SERVICES[name]["build"]
    assert (DOCKER / build["context"] / build["dockerfile"]).resolve().is_file()


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_is_found_under_the_name_that_others_use(name: str) -> None:
    assert SERVICES[name]["networks"]["triton"]["aliases"] == ["server"]
    assert SERVICES["gateway"]["environment"]["TRITONOCR_REST_URL"] == "server:8001"
    assert SERVICES["gateway"]["depends_on"][name] == {"condition": "service_healthy", "required": False}


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_is_there(name: str) -> None:
    for volume in SERVICES[name].get("volumes", ()):
        source = volume.split(":")[0]
        known = (DOCKER / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]
        assert known, volume


@pytest.mark.parametrize(("file", "target"), [("servers", "server:8002"), ("gateways", "gateway:8080")])
def test_prometheus_scrapes_the_services(file: str, target: str) -> None:
    targets = YAML(typ="safe").load(DOCKER / "monitoring" / "compose-targets" / f"{file}.yml")
    assert targets == [{"targets": [target]}]
    assert (DOCKER / "monitoring" / "prometheus" / "targets" / f"{file}.yml").exists()
