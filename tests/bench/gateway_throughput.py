"""Pages a second through the gateway against plain gRPC: the same files, clients and options, in one run.

Rounds alternate, since a machine is seldom equally fast for long; the medians are compared. A round should
have many more pages than there are clients, or else it measures how long one page takes.

    python tests/bench/gateway_throughput.py --clients 8 --rounds 5 --repeat 2 receipts/*.jpg
"""

from __future__ import annotations

import argparse
import base64
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import requests

from tritonocr import OCRClient
from tritonocr_backend.server import EmbeddedServer, ServerOptions
from tritonocr_backend.settings import DEFAULT_NETWORKS
from tritonocr_backend.zoo.fetch import fetch_model
from tritonocr_backend.zoo.repository import build_repository

OPTIONS = {
    "use_doc_orientation_classify": False,
    "use_doc_unwarping": False,
    "use_textline_orientation": False,
}
FIELDS = {
    "useDocOrientationClassify": False,
    "useDocUnwarping": False,
    "useTextlineOrientation": False,
    "visualize": False,
}
START_TIMEOUT_S = 30

Read = Callable[[bytes], None]


def main() -> None:
    """Print pages a second of both, and their ratio."""
    arguments = _arguments()
    files = [path.read_bytes() for path in arguments.files] * arguments.repeat
    with _server() as server, _gateway(server.grpc_url) as url, OCRClient(server.grpc_url) as client:
        doors = {"grpc": _over_grpc(client), "gateway": _over_gateway(url, files)}
        speeds: dict[str, list[float]] = {name: [] for name in doors}
        for read in doors.values():
            _pages_per_second(read, files, arguments.clients)  # to warm up
        for number in range(arguments.rounds):
            for name in sorted(doors, reverse=number % 2 == 1):
                speeds[name].append(_pages_per_second(doors[name], files, arguments.clients))
    medians = {name: statistics.median(found) for name, found in speeds.items()}
    for name, found in speeds.items():
        print(f"{name:8} {medians[name]:6.2f} pages/s  {' '.join(f'{speed:.2f}' for speed in found)}")
    print(f"ratio    {medians['gateway'] / medians['grpc']:6.3f}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path, help="JPEG files")
    parser.add_argument("--clients", type=int, default=8, help="requests in flight (default %(default)s)")
    parser.add_argument("--repeat", type=int, default=2, help="times each file a round (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each (default %(default)s)")
    return parser.parse_args()


def _pages_per_second(read: Read, files: list[bytes], clients: int) -> float:
    started = time.monotonic()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(read, files))
    return len(files) / (time.monotonic() - started)


def _over_grpc(client: OCRClient) -> Read:
    def read(file: bytes) -> None:
        client.ocr(file, **OPTIONS)

    return read


def _over_gateway(url: str, files: list[bytes]) -> Read:
    bodies = {file: _body(file) for file in files}  # encoding them is the client's work, not the gateway's
    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=64))

    def read(file: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        session.post(f"{url}/ocr", data=bodies[file], headers=headers, timeout=600).raise_for_status()

    return read


def _body(file: bytes) -> bytes:
    return json.dumps({"file": base64.b64encode(file).decode(), "fileType": 1, **FIELDS}).encode()


@contextmanager
def _server() -> Iterator[EmbeddedServer]:
    models = {name: fetch_model(name) for name in DEFAULT_NETWORKS.values()}
    with tempfile.TemporaryDirectory() as directory:
        repository = build_repository(Path(directory, "repository"), models)
        options = ServerOptions(log_file=Path(directory, "server.log"))
        with EmbeddedServer(repository, options) as server:
            yield server


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def _gateway(triton_url: str) -> Iterator[str]:
    """The gateway as a process of its own, as it is used: in this one it would share the clients' lock."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "tritonocr", "gateway", "--url", triton_url, "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(url)
        yield url
    finally:
        process.terminate()
        process.wait()


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            if requests.get(f"{url}/health/ready", timeout=5).ok:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.1)
    raise TimeoutError(f"the gateway at {url} was not ready within {START_TIMEOUT_S} s")


if __name__ == "__main__":
    main()
