"""Several servers as one: their ports, their restart one after the other, and a server that stays down."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tritonocr_backend.core.errors import ServerError
from tritonocr_backend.repository import cpu_sharing
from tritonocr_backend.server import replicas
from tritonocr_backend.server.replicas import Replicas, replica_options
from tritonocr_backend.server.server_options import ServerOptions

PORTS = ServerOptions(http_port=8000, grpc_port=8001, metrics_port=8002)
BAD = "bad"


class FakeServer:
    """A server that starts with each repository but `BAD`."""

    events: list[str]
    ready: set[str]

    def __init__(self, repository: Path, options: ServerOptions, scratch: Path) -> None:
        self.repository, self.options = repository, options
        self.http_url = options.name
        self.failure: ServerError | None = None

    def start(self) -> None:
        self.events.append(f"start {self.options.name} {self.repository.name}")
        if self.repository.name == BAD:
            raise ServerError("no such model")
        self.failure = None
        self.ready.add(self.options.name)

    def stop(self) -> None:
        self.events.append(f"stop {self.options.name}")
        self.ready.discard(self.options.name)

    def wait(self, timeout_s: float | None = None) -> None:
        if self.failure:
            raise self.failure


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeServer]:
    FakeServer.events, FakeServer.ready = [], set()
    monkeypatch.setattr(replicas, "EmbeddedServer", FakeServer)
    monkeypatch.setattr(replicas, "NOTICE_S", 0.0)
    monkeypatch.setattr(replicas, "is_ready", lambda url: url in FakeServer.ready)
    return FakeServer


def running(folder: Path, count: int, ready_timeout_s: float = 10) -> Replicas:
    (folder / "old").mkdir()
    options = replica_options(replace(PORTS, ready_timeout_s=ready_timeout_s), count)
    return Replicas(folder / "old", options, folder)


def test_each_replica_has_ports_of_its_own_and_one_server_keeps_its_options() -> None:
    assert replica_options(PORTS, 1) == [PORTS]
    found = replica_options(PORTS, 3)
    assert [each.grpc_port for each in found] == [8001, 8011, 8021]
    assert [each.name for each in found] == ["replica 1", "replica 2", "replica 3"]
    assert [each.http_port for each in replica_options(ServerOptions(), 2)] == [0, 0]


@pytest.mark.parametrize(
    ("ports", "sentence"),
    [
        ({"grpc_port": 65530}, "grpc_port of replica 2 is 65540; expected at most 65535"),
        (
            {"http_port": 8000, "metrics_port": 8010},
            "metrics_port of replica 1 and http_port of replica 2 are both 8010: "
            "the ports of two replicas differ by 10",
        ),
    ],
)
def test_ports_that_do_not_fit_are_named(ports: dict[str, int], sentence: str) -> None:
    with pytest.raises(ServerError) as raised:
        replica_options(ServerOptions(**ports), 2)  # type: ignore[arg-type]
    assert str(raised.value) == sentence


def test_the_cores_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_sharing, "available_cores", lambda: 5)
    assert [cpu_sharing.cores_of_each(count) for count in (1, 2, 5)] == [5, 2, 1]
    with pytest.raises(ServerError, match="--replicas is 6, but this machine has 5 usable CPU cores; expect"):
        cpu_sharing.cores_of_each(6)


def test_a_reload_restarts_one_after_the_other(tmp_path: Path, fake: type[FakeServer]) -> None:
    lines: list[str] = []
    with running(tmp_path, 2) as servers:
        fake.events.clear()
        servers.reload(tmp_path / "new", lines.append)
        assert fake.events == [
            "stop replica 1",
            "start replica 1 new",
            "stop replica 2",
            "start replica 2 new",
        ]
    assert lines == [
        "replica 1 stops after its requests in flight",
        "replica 1 has read a page with the new settings",
        "replica 2 stops after its requests in flight",
        "replica 2 has read a page with the new settings",
    ]
    assert not (tmp_path / "old").exists(), "no server uses the old repository"


def test_a_reload_of_one_server_states_the_gap(tmp_path: Path, fake: type[FakeServer]) -> None:
    lines: list[str] = []
    with running(tmp_path, 1) as servers:
        servers.reload(tmp_path / "new", lines.append)
    assert lines[0] == (
        "the server stops after its requests in flight; new requests wait until it has restarted, because "
        "there is no other replica"
    )


def test_a_replica_that_does_not_start_gets_its_old_settings_back(
    tmp_path: Path, fake: type[FakeServer]
) -> None:
    with running(tmp_path, 2) as servers:
        with pytest.raises(ServerError, match=r"replica 1 did not start .*: no such model"):
            servers.reload(tmp_path / BAD, lambda line: None)
        assert fake.events[-2:] == ["start replica 1 bad", "start replica 1 old"]
        assert fake.ready == {"replica 1", "replica 2"}
    assert (tmp_path / "old").exists()


def test_no_replica_is_stopped_while_no_other_is_ready(tmp_path: Path, fake: type[FakeServer]) -> None:
    with running(tmp_path, 2, ready_timeout_s=0.1) as servers:
        fake.ready.discard("replica 2")
        with pytest.raises(ServerError, match="replica 1 was not restarted, because no other one is"):
            servers.reload(tmp_path / "new", lambda line: None)
        assert "stop replica 1" not in fake.events


def test_the_others_continue_without_a_replica_that_cannot_be_restarted(
    tmp_path: Path, fake: type[FakeServer], caplog: pytest.LogCaptureFixture
) -> None:
    with running(tmp_path, 2) as servers:
        first, second = servers.servers
        first.failure = ServerError("no memory")  # type: ignore[attr-defined]
        servers.check()
        servers.check()
        assert caplog.messages == ["replica 1 is down until the next `tritonocr reload`: no memory"]
        servers.reload(tmp_path / "new", lambda line: None)
        assert fake.ready == {"replica 1", "replica 2"}
        for server in (first, second):
            server.failure = ServerError("no memory")  # type: ignore[attr-defined]
        with pytest.raises(ServerError, match="no memory"):
            servers.check()


def test_an_error_at_start_names_the_replica_and_stops_the_others(
    tmp_path: Path, fake: type[FakeServer]
) -> None:
    servers = running(tmp_path, 2)
    servers.servers[1].repository = tmp_path / BAD
    with pytest.raises(ServerError, match=r"^replica 2: no such model"), servers:
        pass
    assert fake.ready == set()
