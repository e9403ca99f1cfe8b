"""What clients without the admin key cannot do at Triton's ports, what the administrator can do, and TLS."""

import ipaddress
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import tritonclient.grpc
import trustme
from tritonclient.utils import InferenceServerException

from tritonocr import TLS, OCRClient
from tritonocr_backend.core.errors import ServerError
from tritonocr_backend.server import model_control
from tritonocr_backend.server.embedded import EmbeddedServer, ServerOptions
from tritonocr_backend.server.restrictions import ADMIN_HEADER, ADMIN_KEY_VARIABLE, TlsFiles

KEY = "a-key-of-the-administrator"
ECHO_CONFIG = """name: "echo"
backend: "python"
max_batch_size: 0
input [ { name: "x" data_type: TYPE_UINT8 dims: [ -1 ] } ]
output [ { name: "y" data_type: TYPE_UINT8 dims: [ -1 ] } ]
instance_group [ { count: 1 kind: KIND_CPU } ]
"""
ECHO_MODEL = """
from tritonocr_backend.triton.tensors import read_inputs, response  # which also work with NumPy 2

class TritonPythonModel:
    def execute(self, requests):
        return [response({"y": read_inputs(request)["x"]}, ["y"]) for request in requests]
"""


@contextmanager
def small_server(directory: Path, **options: Any) -> Iterator[EmbeddedServer]:
    """A server of one small model: what is tried here does not depend on what is served."""
    version = directory / "repository" / "echo" / "1"
    version.mkdir(parents=True)
    (version.parent / "config.pbtxt").write_text(ECHO_CONFIG)
    (version / "model.py").write_text(ECHO_MODEL)
    asked = ServerOptions(log_level="info", log_file=directory / "server.log", **options)
    with EmbeddedServer(directory / "repository", asked) as server:
        yield server


@pytest.fixture(scope="module")
def administered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A server with model control."""
    with small_server(tmp_path_factory.mktemp("administered"), model_control=True, admin_key=KEY) as server:
        yield server


Grpc = tritonclient.grpc.InferenceServerClient
GrpcCall = Callable[[Any, dict[str, str]], Any]
SHARED_MEMORY_AND_SETTINGS: dict[str, GrpcCall] = {
    "shared memory, listed": lambda c, h: c.get_system_shared_memory_status(headers=h),
    "shared memory, registered": lambda c, h: c.register_system_shared_memory(
        "a", "/tritonocr", 64, headers=h
    ),
    "shared memory, let go": lambda c, h: c.unregister_system_shared_memory(headers=h),
    "GPU memory, listed": lambda c, h: c.get_cuda_shared_memory_status(headers=h),
    "GPU memory, registered": lambda c, h: c.register_cuda_shared_memory("a", b"A" * 88, 0, 64, headers=h),
    "GPU memory, let go": lambda c, h: c.unregister_cuda_shared_memory(headers=h),
    "tracing, seen": lambda c, h: c.get_trace_settings(headers=h),
    "tracing, set": lambda c, h: c.update_trace_settings(settings={"trace_level": ["TENSORS"]}, headers=h),
    "logging, seen": lambda c, h: c.get_log_settings(headers=h),
    "logging, set": lambda c, h: c.update_log_settings({"log_verbose_level": 4}, headers=h),
}
MODEL_CONTROL: dict[str, GrpcCall] = {
    "models, listed": lambda c, h: c.get_model_repository_index(headers=h),
    "a model, loaded": lambda c, h: c.load_model("echo", headers=h),
    "a model, brought along": lambda c, h: c.load_model(
        "own", config="{}", files={"file:1/model.py": b"raise SystemExit"}, headers=h
    ),
    "a model, unloaded": lambda c, h: c.unload_model("echo", headers=h),
}
HTTP_CALLS: list[tuple[str, str, Any]] = [
    ("GET", "v2/systemsharedmemory/status", None),
    ("POST", "v2/systemsharedmemory/region/a/register", {"key": "/x", "offset": 0, "byte_size": 64}),
    ("POST", "v2/systemsharedmemory/unregister", {}),
    ("GET", "v2/cudasharedmemory/status", None),
    ("POST", "v2/cudasharedmemory/region/a/register", {"raw_handle": {"b64": "AA=="}, "byte_size": 64}),
    ("POST", "v2/cudasharedmemory/unregister", {}),
    ("GET", "v2/trace/setting", None),
    ("POST", "v2/trace/setting", {"trace_level": ["TENSORS"]}),
    ("POST", "v2/models/{model}/trace/setting", {"trace_level": ["TENSORS"]}),
    ("GET", "v2/logging", None),
    ("POST", "v2/logging", {"log_verbose_level": 4}),
]
HTTP_MODEL_CONTROL: list[tuple[str, str, Any]] = [
    ("POST", "v2/repository/index", {}),
    ("POST", "v2/repository/models/{model}/load", {}),
    ("POST", "v2/repository/models/{model}/unload", {}),
]


def http_status(server: EmbeddedServer, call: tuple[str, str, Any], model: str, **headers: str) -> int:
    method, path, body = call
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://{server.http_url}/{path.format(model=model)}", data, headers, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def assert_restricted(server: EmbeddedServer, call: GrpcCall, headers: dict[str, str]) -> None:
    with Grpc(server.grpc_url) as client, pytest.raises(InferenceServerException) as refusal:
        call(client, headers)
    assert "restricted" in refusal.value.message()


WITHOUT_KEY = [{}, {ADMIN_HEADER: ""}, {ADMIN_HEADER: "a-guessed-key"}, {"authorization": KEY}]


@pytest.mark.parametrize("name", SHARED_MEMORY_AND_SETTINGS)
def test_a_client_without_the_key_cannot_share_memory_or_change_settings(
    server: EmbeddedServer, name: str
) -> None:
    for headers in WITHOUT_KEY:
        assert_restricted(server, SHARED_MEMORY_AND_SETTINGS[name], headers)


@pytest.mark.parametrize("call", HTTP_CALLS, ids=lambda call: f"{call[0]} {call[1]}")
def test_nor_over_http(server: EmbeddedServer, call: tuple[str, str, Any]) -> None:
    for headers in WITHOUT_KEY:
        assert http_status(server, call, "ocr", **headers) == 403


@pytest.mark.parametrize("name", ["a model, loaded", "a model, brought along", "a model, unloaded"])
def test_nobody_loads_models_where_that_is_off(server: EmbeddedServer, name: str) -> None:
    with Grpc(server.grpc_url) as client:
        with pytest.raises(InferenceServerException, match="load / unload is not allowed"):
            MODEL_CONTROL[name](client, {ADMIN_HEADER: KEY})
        assert client.is_model_ready("ocr")


class TestModelControl:
    @pytest.mark.parametrize("name", MODEL_CONTROL)
    def test_is_rejected_without_the_key(self, administered: EmbeddedServer, name: str) -> None:
        for headers in WITHOUT_KEY:
            assert_restricted(administered, MODEL_CONTROL[name], headers)
        with Grpc(administered.grpc_url) as client:
            assert client.is_model_ready("echo")

    @pytest.mark.parametrize("call", HTTP_MODEL_CONTROL, ids=lambda call: call[1])
    def test_is_rejected_over_http_without_the_key(
        self, administered: EmbeddedServer, call: tuple[str, str, Any]
    ) -> None:
        for headers in WITHOUT_KEY:
            assert http_status(administered, call, "echo", **headers) == 403

    def test_is_the_administrators(self, administered: EmbeddedServer) -> None:
        shown = {ADMIN_HEADER: KEY}
        with Grpc(administered.grpc_url) as client:
            client.unload_model("echo", headers=shown)
            client.load_model("echo", headers=shown)
            assert client.is_model_ready("echo")
            for call in ("shared memory, listed", "tracing, seen", "logging, set"):
                SHARED_MEMORY_AND_SETTINGS[call](client, shown)
        assert http_status(administered, HTTP_MODEL_CONTROL[0], "echo", **shown) == 200
        assert http_status(administered, HTTP_MODEL_CONTROL[1], "echo", **shown) == 200

    def test_finds_the_key_of_a_server_on_this_machine(
        self, administered: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv(ADMIN_KEY_VARIABLE, raising=False)
        assert model_control.served_models(administered.grpc_url) == ("echo",)
        assert model_control.admin_headers_of(administered.grpc_url) == {ADMIN_HEADER: KEY}

    def test_that_is_shown_another_key_says_so(
        self, administered: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(ADMIN_KEY_VARIABLE, "a-key-of-another-server")
        with (
            pytest.raises(
                ServerError,
                match=f"requires its admin key; set the environment variable {ADMIN_KEY_VARIABLE}",
            ),
            model_control.connected(administered.grpc_url) as client,
        ):
            client.load_model("echo", headers=model_control.admin_headers_of(administered.grpc_url))


def listening(process: psutil.Process) -> set[str]:
    """Addresses that a process and its children listen on."""
    family = [process, *process.children(recursive=True)]
    return {
        connection.laddr.ip
        for member in family
        for connection in member.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }


def test_every_port_is_on_loopback(server: EmbeddedServer) -> None:
    addresses = listening(psutil.Process(server.pid))
    assert addresses
    assert all(map(is_loopback, addresses))


def is_loopback(text: str) -> bool:
    address = ipaddress.ip_address(text)
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback  # ::ffff:127.0.0.1 is one


@dataclass(frozen=True)
class Certificates:
    """PEM files of an authority, a server and a client, and of another authority."""

    ca: Path
    server: Path
    client: Path
    other_ca: Path
    untrusted: Path


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    directory = tmp_path_factory.mktemp("certificates")
    found: dict[str, Path] = {}
    for ca, names in {"ca": ("server", "client"), "other_ca": ("untrusted",)}.items():
        authority = trustme.CA()
        found[ca] = directory / f"{ca}.pem"
        authority.cert_pem.write_to_path(str(found[ca]))
        for name in names:
            found[name] = directory / f"{name}.pem"  # the key and the certificate in one
            issued = authority.issue_cert("localhost", "127.0.0.1")
            issued.private_key_and_cert_chain_pem.write_to_path(str(found[name]))
    return Certificates(**found)


def is_live(server: EmbeddedServer, url: str, tls: TLS | None) -> bool:
    with OCRClient(url.format(server.grpc_url), tls=tls) as client:
        return client.health().live


def test_grpc_with_tls(tmp_path: Path, certificates: Certificates) -> None:
    files = TlsFiles(certificates.server, certificates.server)
    with small_server(tmp_path, tls=files) as server:
        assert is_live(server, "grpcs://{}", TLS(certificates.ca))
        assert not is_live(server, "grpcs://{}", TLS(certificates.other_ca)), "another authority's"
        assert not is_live(server, "grpcs://{}", None), "an authority that the system does not know"
        assert not is_live(server, "{}", None), "clear text"


def test_grpc_with_certificates_of_both_sides(tmp_path: Path, certificates: Certificates) -> None:
    files = TlsFiles(certificates.server, certificates.server, client_ca=certificates.ca)
    with small_server(tmp_path, tls=files) as server:
        assert is_live(server, "grpcs://{}", TLS(certificates.ca, certificates.client, certificates.client))
        assert not is_live(server, "grpcs://{}", TLS(certificates.ca)), "a client without a certificate"
        untrusted = TLS(certificates.ca, certificates.untrusted, certificates.untrusted)
        assert not is_live(server, "grpcs://{}", untrusted)


def test_with_tls_the_doors_in_clear_text_stay_on_loopback(
    tmp_path: Path, certificates: Certificates
) -> None:
    files = TlsFiles(certificates.server, certificates.server)
    with small_server(tmp_path, tls=files, host="0.0.0.0") as server:
        everywhere = {
            connection.laddr.port
            for connection in psutil.Process(server.pid).net_connections("inet")
            if connection.status == psutil.CONN_LISTEN and not is_loopback(connection.laddr.ip)
        }
        assert everywhere == {server.grpc_port}


INFERENCE_KEY = "triton-grpc-protocol-tritonocr-key"
RESTRICTED = (
    "--grpc-restricted-protocol=inference:tritonocr-key=secret-of-the-gateway",
    f"--http-restricted-api=inference:{INFERENCE_KEY}=secret-of-the-gateway",
)


def test_a_restricted_inference_api_stops_requests_that_crash_triton(tmp_path: Path) -> None:
    """docs/security.md: a tensor of 2^62 rows without bytes, and JSON of 50 000 levels, crash Triton 2.51."""
    small = tritonclient.grpc.InferInput("x", [3], "UINT8").set_data_from_numpy(np.ones(3, np.uint8))
    huge = tritonclient.grpc.InferInput("x", [1 << 62], "UINT8")
    huge._raw_content = b""
    nested = b'{"inputs":[{"name":"x","shape":[1],"datatype":"UINT8","data":' + b"[" * 50_000
    with small_server(tmp_path, extra_arguments=RESTRICTED) as server:
        before = server.pid
        with Grpc(server.grpc_url) as client:
            for tensor in (small, huge):
                with pytest.raises(InferenceServerException, match="protocol is restricted"):
                    client.infer("echo", [tensor])
            headers = {INFERENCE_KEY: "secret-of-the-gateway"}
            assert client.infer("echo", [small], headers=headers).as_numpy("y").tolist() == [1, 1, 1]
        request = urllib.request.Request(f"http://{server.http_url}/v2/models/echo/infer", nested)
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(request)
        error.value.close()
        assert error.value.code == 403
        assert server.pid == before
