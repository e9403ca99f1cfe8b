"""Test the start and the stop of tritonserver with a script that replaces the real executable."""

import os
import signal
import socket
import stat
import sys
import sysconfig
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from tritonocr_backend.core.errors import ServerError
from tritonocr_backend.server import embedded, installation
from tritonocr_backend.server.embedded import EmbeddedServer, ServerOptions
from tritonocr_backend.server.installation import Installation, find_installation, link_backends

READY = """
import http.server, signal, subprocess, sys, pathlib, os
options = dict(a[2:].split("=", 1) for a in sys.argv[1:] if "=" in a)
here = pathlib.Path(__file__).parent
(here / "arguments").write_text(chr(10).join(sys.argv[1:]))
(here / "libraries").write_text(os.environ["LD_LIBRARY_PATH"])
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
(here / "child").write_text(str(child.pid))
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.HTTPServer((options["http-address"], int(options["http-port"])), Ready).serve_forever()
"""
FAILING = """
import sys
print("I0101 loading")
print("E0101 00:00:00 model.cc:1] failed to load 'text_crop': no such module")
sys.exit(1)
"""
NEVER_READY = "import time\nprint('error: still waiting', flush=True)\ntime.sleep(600)"

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return a function that installs a Python script as tritonserver and returns the script's folder."""
    backend = tmp_path / "python_backend"
    backend.mkdir()
    (backend / "libtriton_python.so").touch()
    (backend / "__pycache__").mkdir()
    (tmp_path / "triton_python_backend_stub").touch()

    def install_(script: str, backends: Path | None = None) -> Path:
        binary = tmp_path / "tritonserver"
        binary.write_text(f"#!{sys.executable}\n{script}")
        binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
        libraries = (tmp_path / "libs", tmp_path / "python")
        found = Installation(binary, backend, tmp_path / "triton_python_backend_stub", libraries, backends)
        monkeypatch.setattr(embedded, "find_installation", lambda: found)
        return tmp_path

    return install_


def arguments(folder: Path) -> list[str]:
    return (folder / "arguments").read_text().splitlines()


def is_gone(pid: int) -> bool:
    """Return whether a process has ended; a zombie has ended too."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class TestLifecycle:
    def test_server_is_ready_in_the_block_and_all_processes_end_after_it(self, install: Install) -> None:
        folder = install(READY)
        with EmbeddedServer(folder / "repository") as running:
            with urllib.request.urlopen(f"http://{running.http_url}/v2/health/ready") as answer:
                assert answer.status == 200
            pid, child = running.pid, int((folder / "child").read_text())
            assert psutil.pid_exists(pid)
            assert not is_gone(child)
        deadline = time.monotonic() + 5
        while not is_gone(child) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert is_gone(pid)
        assert is_gone(child)

    def test_backend_directory_contains_the_stub_and_is_removed_at_stop(self, install: Install) -> None:
        folder = install(READY)
        with EmbeddedServer(folder / "repository"):
            (flag,) = (a for a in arguments(folder) if a.startswith("--backend-directory="))
            backends = Path(flag.partition("=")[2])
            assert {path.name for path in (backends / "python").iterdir()} == {
                "libtriton_python.so",
                "triton_python_backend_stub",
            }
        assert not backends.exists()

    def test_backend_directory_of_the_installation_is_used(self, install: Install, tmp_path: Path) -> None:
        folder = install(READY, backends=tmp_path / "opt" / "backends")
        with EmbeddedServer(folder / "repository"):
            assert f"--backend-directory={tmp_path / 'opt' / 'backends'}" in arguments(folder)

    def test_second_stop_has_no_effect(self, install: Install) -> None:
        running = EmbeddedServer(install(READY))
        running.start()
        running.stop()
        running.stop()
        with pytest.raises(ServerError, match="tritonserver is not running"):
            _ = running.pid

    @pytest.mark.parametrize("victim", ["child", "server"])
    def test_server_restarts_after_a_process_dies(
        self, victim: str, install: Install, caplog: pytest.LogCaptureFixture
    ) -> None:
        folder = install(READY)
        with EmbeddedServer(folder / "repository") as running:
            before, child = running.pid, int((folder / "child").read_text())
            os.kill(child if victim == "child" else before, signal.SIGKILL)
            deadline = time.monotonic() + 20
            while "ready again" not in caplog.text and time.monotonic() < deadline:
                time.sleep(0.05)
            assert running.pid != before
            assert is_gone(before)
            with urllib.request.urlopen(f"http://{running.http_url}/v2/health/ready") as answer:
                assert answer.status == 200
        assert is_gone(int((folder / "child").read_text()))

    def test_wait_raises_the_error_of_a_failed_restart(self, install: Install, tmp_path: Path) -> None:
        folder = install(READY)
        with EmbeddedServer(folder, ServerOptions(log_file=tmp_path / "server.log")) as running:
            install_again = folder / "tritonserver"
            install_again.write_text(f"#!{sys.executable}\n{FAILING}")
            os.kill(running.pid, signal.SIGKILL)
            with pytest.raises(ServerError, match=r"could not be restarted: tritonserver exited during"):
                running.wait()

    def test_exit_during_startup_reports_the_errors_of_the_log(
        self, install: Install, tmp_path: Path
    ) -> None:
        options = ServerOptions(log_file=tmp_path / "server.log")
        with pytest.raises(ServerError) as error:
            EmbeddedServer(install(FAILING), options).start()
        assert str(error.value).splitlines() == [
            "tritonserver exited during startup. Errors in its log:",
            "E0101 00:00:00 model.cc:1] failed to load 'text_crop': no such module",
        ]

    def test_server_that_is_not_ready_in_time_is_killed(self, install: Install, tmp_path: Path) -> None:
        options = ServerOptions(log_file=tmp_path / "server.log", ready_timeout_s=0.5)
        starting = EmbeddedServer(install(NEVER_READY), options)
        with pytest.raises(ServerError, match=r"not ready after 0\.5 s"):
            starting.start()
        assert not [p for p in psutil.Process().children() if str(tmp_path) in " ".join(p.cmdline())]


class TestPorts:
    def test_port_0_chooses_free_and_distinct_ports(self, tmp_path: Path) -> None:
        servers = [EmbeddedServer(tmp_path) for _ in range(3)]
        for server in servers:
            assert len({server.http_port, server.grpc_port, server.metrics_port}) == 3

    def test_stated_ports_are_used(self, tmp_path: Path) -> None:
        free = EmbeddedServer(tmp_path)
        options = ServerOptions(
            http_port=free.http_port, grpc_port=free.grpc_port, metrics_port=free.metrics_port
        )
        server = EmbeddedServer(tmp_path, options)
        assert server.http_url == f"127.0.0.1:{free.http_port}"
        assert server.grpc_url == f"127.0.0.1:{free.grpc_port}"
        assert server.metrics_url == f"http://127.0.0.1:{free.metrics_port}/metrics"

    @pytest.mark.parametrize("name", ["http_port", "grpc_port", "metrics_port"])
    def test_port_in_use_is_rejected_before_the_start(self, name: str, tmp_path: Path) -> None:
        """Without the check, the other server on the port would report that it is ready."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            with pytest.raises(ServerError) as error:
                EmbeddedServer(tmp_path, ServerOptions(**{name: port}))
        assert str(error.value) == f"{name}: port {port} of 127.0.0.1 cannot be used: Address already in use"


class TestArguments:
    def test_all_ports_bind_to_the_host(self, install: Install) -> None:
        folder = install(READY)
        with EmbeddedServer(folder / "repository") as running:
            assert {
                f"--model-repository={folder / 'repository'}",
                "--http-address=127.0.0.1",
                f"--http-port={running.http_port}",
                "--grpc-address=127.0.0.1",
                f"--grpc-port={running.grpc_port}",
                "--metrics-address=127.0.0.1",
                f"--metrics-port={running.metrics_port}",
            } <= set(arguments(folder))

    @pytest.mark.parametrize(("allowed", "mode"), [(True, "explicit"), (False, None)])
    def test_model_control_is_on_only_if_the_option_is_set(
        self, allowed: bool, mode: str | None, install: Install
    ) -> None:
        folder = install(READY)
        with EmbeddedServer(folder, ServerOptions(model_control=allowed)):
            modes = [a for a in arguments(folder) if a.startswith("--model-control-mode=")]
        assert modes == ([f"--model-control-mode={mode}"] if mode else [])

    @pytest.mark.parametrize(
        ("level", "flags"),
        [
            ("error", {"--log-info=0", "--log-warning=0", "--log-verbose=0"}),
            ("warning", {"--log-info=0", "--log-warning=1", "--log-verbose=0"}),
            ("info", {"--log-info=1", "--log-warning=1", "--log-verbose=0"}),
            ("verbose", {"--log-info=1", "--log-warning=1", "--log-verbose=1"}),
        ],
    )
    def test_log_level_sets_the_log_arguments(self, level: str, flags: set[str], install: Install) -> None:
        folder = install(READY)
        with EmbeddedServer(folder, ServerOptions(log_level=level)):
            assert flags <= set(arguments(folder))

    @pytest.mark.parametrize(("extra", "is_freed"), [((), True), (("--trace-config=rate=1",), False)])
    def test_triton_keeps_its_requests_only_for_traces(
        self, extra: tuple[str, ...], is_freed: bool, install: Install
    ) -> None:
        folder = install(READY)
        with EmbeddedServer(folder, ServerOptions(extra_arguments=extra)):
            assert ("--grpc-infer-allocation-pool-size=0" in arguments(folder)) is is_freed

    def test_each_start_has_its_own_shared_memory_prefix(self, install: Install) -> None:
        prefixes = []
        folder = install(READY)
        for _ in range(2):
            with EmbeddedServer(folder):
                prefixes += [a for a in arguments(folder) if "shm-region-prefix-name" in a]
        assert len(set(prefixes)) == 2

    def test_library_directories_precede_those_of_the_user(
        self, install: Install, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LD_LIBRARY_PATH", "/users/own")
        folder = install(READY)
        with EmbeddedServer(folder):
            libraries = (folder / "libraries").read_text().split(os.pathsep)
        assert libraries == [str(folder / "libs"), str(folder / "python"), "/users/own"]


class TestInstallation:
    def test_files_of_the_cached_tritonserver_exist(self) -> None:
        found = find_installation()
        assert os.access(found.binary, os.X_OK)
        assert found.stub.is_file()
        assert (found.python_backend / "triton_python_backend_utils.py").is_file()
        assert all(directory.is_dir() for directory in found.library_directories)

    def test_offline_error_names_the_remedies(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TRITONOCR_OFFLINE", "1")
        with pytest.raises(ServerError) as error:
            find_installation()
        message = str(error.value)
        assert (
            f"{home}/programs/tritonserver/0.7.0: it is not there, and TRITONOCR_OFFLINE forbids" in message
        )
        assert "tritonocr models fetch --tritonserver" in message
        assert "TRITONOCR_TRITONSERVER" in message

    def test_missing_stub_error_lists_the_supported_python_versions(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        version = SimpleNamespace(major=3, minor=7)
        monkeypatch.setattr(installation, "sys", SimpleNamespace(version_info=version))
        with pytest.raises(ServerError, match=r"runs Python 3\.8, 3\.9, 3\.10, 3\.11.*; this is Python 3\.7"):
            find_installation()

    def test_missing_libpython_error_names_the_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sysconfig, "get_config_var", lambda name: None)
        with pytest.raises(ServerError) as error:
            find_installation()
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        assert str(error.value).startswith(f"libpython{version}.so.1.0 is missing")
        assert f"install Debian's package libpython{version}" in str(error.value)


class TestInstallationInADirectory:
    """Test a tritonserver in the layout of NVIDIA's container image."""

    @pytest.fixture
    def tritonserver(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        directory = tmp_path / "tritonserver"
        stub = directory / "backends" / "python" / "triton_python_backend_stub"
        for path in (directory / "bin" / "tritonserver", stub):
            path.parent.mkdir(parents=True)
            path.touch()
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        stub.write_bytes(f"\x7fELF libpython{version}.so.1.0".encode())
        (directory / "backends" / "onnxruntime").mkdir()
        monkeypatch.setenv(installation.DIRECTORY_VARIABLE, str(directory))
        return directory

    def test_installation_is_used_with_all_its_backends(self, tritonserver: Path, tmp_path: Path) -> None:
        found = find_installation()
        assert found.binary == tritonserver / "bin" / "tritonserver"
        assert link_backends(found, tmp_path / "unused") == tritonserver / "backends"
        assert not (tmp_path / "unused").exists()

    @pytest.mark.parametrize("part", ["bin/tritonserver", "backends/python/triton_python_backend_stub"])
    def test_missing_file_is_named(self, part: str, tritonserver: Path) -> None:
        (tritonserver / part).unlink()
        with pytest.raises(ServerError, match=f"TRITONOCR_TRITONSERVER is .*, but .*{part} is missing"):
            find_installation()

    def test_stub_of_another_python_version_is_rejected(self, tritonserver: Path) -> None:
        (tritonserver / "backends/python/triton_python_backend_stub").write_bytes(b"libpython3.7m.so.1.0")
        with pytest.raises(ServerError, match="so it does not run Python"):
            find_installation()
