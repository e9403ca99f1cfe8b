"""Corrupt model files are rejected with the model's name; other models continue."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tritonclient.grpc
from default_pipeline import Serve, written
from faults import reads_again

from tritonocr import demo_page
from tritonocr_backend.core.errors import ServerError, TritonOcrError
from tritonocr_backend.core.network_metadata import METADATA_FILE
from tritonocr_backend.repository.build import build_repository
from tritonocr_backend.server.embedded import EmbeddedServer, ServerOptions
from tritonocr_backend.server.restrictions import ADMIN_HEADER
from tritonocr_backend.zoo import cache
from tritonocr_backend.zoo.fetch import fetch_model
from tritonocr_backend.zoo.layout import ONNX

KEY = "a-key-for-the-chaos-suite"
WEIGHTS = "model.onnx"
SPARE_OF = "PP-OCRv4_mobile_rec"


@pytest.fixture(scope="module")
def administered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedServer, Path]]:
    """A server whose models may be loaded, and its repository."""
    directory = tmp_path_factory.mktemp("administered")
    repository = written(directory)
    options = ServerOptions(model_control=True, admin_key=KEY, log_file=directory / "server.log")
    with EmbeddedServer(repository, options) as server:
        yield server, repository


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def garbage(path: Path) -> None:
    path.write_bytes(b"\x00\xff" * 5000)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def without_role(path: Path) -> None:
    metadata = json.loads(path.read_text())
    del metadata["role"]
    path.write_text(json.dumps(metadata))


def of_another_role(path: Path) -> None:
    path.write_text(path.read_text().replace('"text_recognition"', '"text_detection"'))


def sentence(message: str, place: Path) -> str:
    """An error on one line, without this machine's folders."""
    return re.sub(r"\s+", " ", message.replace(f"{place}/", "").replace(str(place.parent), ""))[:200]


@pytest.mark.parametrize(
    ("file", "spoil"),
    [
        pytest.param(WEIGHTS, truncated, id="truncated weights"),
        pytest.param(WEIGHTS, garbage, id="garbage for weights"),
        pytest.param(WEIGHTS, empty, id="empty weights"),
        pytest.param(WEIGHTS, Path.unlink, id="no weights"),
        pytest.param(METADATA_FILE, garbage, id="garbage for a card"),
        pytest.param(METADATA_FILE, Path.unlink, id="no card"),
        pytest.param(METADATA_FILE, without_role, id="metadata without a role"),
        pytest.param(METADATA_FILE, of_another_role, id="metadata of another role"),
    ],
)
def test_a_corrupt_model_is_refused_by_name_and_the_others_go_on(
    administered: tuple[EmbeddedServer, Path],
    file: str,
    spoil: Callable[[Path], None],
    happened: Callable[[str], None],
) -> None:
    server, repository = administered
    spare = repository / "spare"
    before = server.pid
    shutil.copytree(repository / SPARE_OF, spare)
    for named in (spare / "config.pbtxt", spare / "1" / METADATA_FILE):
        named.write_text(named.read_text().replace(SPARE_OF, "spare"))
    spoil(spare / "1" / file)
    try:
        with tritonclient.grpc.InferenceServerClient(server.grpc_url) as client:
            with pytest.raises(tritonclient.utils.InferenceServerException) as error:
                client.load_model("spare", headers={ADMIN_HEADER: KEY})
            assert not client.is_model_ready("spare")
        assert "spare" in str(error.value)
        assert reads_again(server, demo_page())
    finally:
        shutil.rmtree(spare)
    assert server.pid == before, "a model that is refused is no reason to start again"
    happened(sentence(error.value.message(), repository))


def test_a_corrupt_model_keeps_a_server_from_starting_and_is_named(
    serve: Serve, tmp_path: Path, happened: Callable[[str], None]
) -> None:
    server = serve()
    truncated(tmp_path / "repository" / "PP-OCRv4_mobile_det" / "1" / WEIGHTS)
    with pytest.raises(ServerError) as error:
        server.start()
    assert "failed to load 'PP-OCRv4_mobile_det'" in str(error.value)
    line = next(line for line in str(error.value).splitlines() if "failed to load" in line)
    happened(sentence(line.partition("] ")[2], tmp_path))


@pytest.mark.parametrize("spoil", [truncated, garbage, empty, Path.unlink], ids=lambda spoil: spoil.__name__)
def test_a_corrupt_file_in_the_cache_is_named_when_the_repository_is_written(
    spoil: Callable[[Path], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    happened: Callable[[str], None],
) -> None:
    whole = fetch_model(SPARE_OF)
    monkeypatch.setenv("TRITONOCR_HOME", str(tmp_path / "home"))
    copy = cache.model_dir(SPARE_OF, "onnx")
    shutil.copytree(whole, copy)
    spoil(copy / ONNX)
    with pytest.raises(TritonOcrError) as error:
        build_repository(tmp_path / "repository", {SPARE_OF: fetch_model(SPARE_OF)})
    assert SPARE_OF in str(error.value)
    assert not (tmp_path / "repository" / SPARE_OF).exists(), "no part of it is served"
    happened(sentence(str(error.value), tmp_path))
