"""Every model in a wheel is fetched, served and used; models are added and removed while others work."""

import json
import re
import shutil
import unicodedata
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageDraw
from rapidfuzz.distance import Levenshtein
from typer.testing import CliRunner

from tritonocr import InvalidInputError, OCRClient, OCRResult
from tritonocr._results.fonts import draw_text, text_width
from tritonocr_backend.cli.models import app
from tritonocr_backend.core.contracts import PIPELINE_MODELS, Role
from tritonocr_backend.core.settings import DEFAULT_NETWORKS
from tritonocr_backend.repository import pipeline_config
from tritonocr_backend.repository.build import build_repository
from tritonocr_backend.repository.prepare import prepare_repository
from tritonocr_backend.repository.serving_settings import ServingSettings
from tritonocr_backend.server import costs, model_control
from tritonocr_backend.server.embedded import EmbeddedServer, ServerOptions
from tritonocr_backend.server.local_server import local_server
from tritonocr_backend.zoo import cache, inference_config, registry
from tritonocr_backend.zoo.errors import ZooError
from tritonocr_backend.zoo.fetch import fetch, fetch_model
from tritonocr_backend.zoo.importing import import_model

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
    """A server with all detection and recognition models of the wheels, and with model control."""
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


def test_a_page_on_its_side_is_turned_and_flattened(client: OCRClient) -> None:
    page = np.ascontiguousarray(np.rot90(_page(LINES["en"]), 1))
    result = client.ocr(page, use_doc_orientation_classify=True, use_doc_unwarping=True)[0]
    assert result["doc_preprocessor_res"]["angle"] == 270
    assert tuple(result["rec_texts"]) == LINES["en"]


@pytest.mark.parametrize("name", [name for name in DETECTORS if registry.find(name).postprocess.unclip_ratio])
def test_a_detection_model_runs_with_its_own_thresholds(name: str, client: OCRClient) -> None:
    own = registry.find(name).postprocess.model_dump(exclude_none=True, exclude={"max_candidates"})
    assert own.items() <= _read(client, "en", text_detection_model_name=name)["text_det_params"].items()
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
    with pytest.raises(InvalidInputError, match=f"{option}: got '{value}', .* expected one of .*{served}"):
        _read(client, "en", **{option: value})


def test_several_languages_in_flight_do_not_disturb_each_other(client: OCRClient) -> None:
    jobs = READERS * 3
    with ThreadPoolExecutor(16) as threads:
        results = threads.map(lambda job: _read(client, job[1], text_recognition_model_name=job[0]), jobs)
        for (name, language), result in zip(jobs, results, strict=True):
            assert tuple(result["rec_texts"]) == LINES[language], name


class Traffic:
    """Requests that never stop, and what became of them."""

    def __init__(self, client: OCRClient, **options: object) -> None:
        self._options = options
        self.answered, self.errors = 0, list[Exception]()
        self._client, self._stop = client, Event()
        self._threads = [Thread(target=self._send) for _ in range(3)]

    def _send(self) -> None:
        while not self._stop.is_set():
            try:
                assert tuple(_read(self._client, "en", **self._options)["rec_texts"]) == LINES["en"]
                self.answered += 1
            except Exception as error:  # the test reports any exception
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
        repository = local_server(zoo_server.grpc_url).repository
        with Traffic(client) as traffic:
            self._run(zoo_server, "remove", name)
            assert name not in model_control.served_models(zoo_server.grpc_url)
            assert not (repository / name).exists()
            with pytest.raises(InvalidInputError, match=f"got '{name}', which is not served"):
                _read(client, "en", text_recognition_model_name=name)
            self._run(zoo_server, "add", name)
            result = _read(client, "en", text_recognition_model_name=name)
        assert tuple(result["rec_texts"]) == LINES["en"]
        assert traffic.errors == []
        assert traffic.answered > 3

    def test_requests_that_name_it_meanwhile_are_answered_or_told_what_is_served(
        self, zoo_server: EmbeddedServer, client: OCRClient
    ) -> None:
        name = "en_PP-OCRv3_mobile_rec"
        told = re.compile(
            f"text_recognition_model_name: got '{name}', which is not served; expected one of .*v4"
        )
        with Traffic(client, text_recognition_model_name=name) as traffic:
            for _ in range(3):
                self._run(zoo_server, "remove", name)
                self._run(zoo_server, "add", name)
        others = [error for error in traffic.errors if not told.match(str(error))]
        assert others == []
        assert traffic.errors, "some came while it was away"
        assert traffic.answered > 3

    def test_what_the_pipeline_needs_is_not_removed(self, zoo_server: EmbeddedServer) -> None:
        repository = local_server(zoo_server.grpc_url).repository
        with pytest.raises(ZooError, match="because the pipeline uses it by default"):
            model_control.remove_model("PP-OCRv4_mobile_rec", repository, zoo_server.grpc_url)

    def test_the_list_says_what_each_model_costs(self, zoo_server: EmbeddedServer) -> None:
        measured = costs.measure(zoo_server.grpc_url)
        memory_bytes = {model.name: model.memory_bytes for model in measured.models}
        assert memory_bytes.keys() >= {*DETECTORS, *RECOGNISERS, "ocr"}
        assert all(value and value > 10_000_000 for value in memory_bytes.values())
        assert all(model.load_time_s and 0.1 < model.load_time_s < 120 for model in measured.models)
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
    repository = local_server(zoo_server.grpc_url).repository
    assert (fetch_model("converted") / "inference.onnx").exists()
    model_control.add_model("converted", fetch_model("converted"), repository, zoo_server.grpc_url)
    try:
        ours = _read(client, "ch", text_recognition_model_name="converted")
        published = _read(client, "ch", text_recognition_model_name="PP-OCRv4_mobile_rec")
    finally:
        model_control.remove_model("converted", repository, zoo_server.grpc_url)
    assert tuple(ours["rec_texts"]) == LINES["ch"]
    assert ours["rec_scores"] == pytest.approx(published["rec_scores"], abs=1e-2)


# The text of the pictures, read by a person.
SCRIPTS = {
    "en.jpg": (
        "3 MovieShots Dataset",
        "To facilitate the shot type analysis in videos, we collect MovieShots, a large-scale",
        "shot type annotation set that contains 46K shots from 7858 movies. The details",
        "of this dataset are specified as follows.",
    ),
    "japan.jpg": (
        "【素敵な四季を探す旅】 春分",
        "農村の学校で、伝統演劇の特別クラス 浙江省",
        "週間時事用語（政府間覚書、マイクロドラマ、脳型知能など）",
        "三星堆の文化財レプリカが大阪・関西万博で展示へ",
        "中国テイストのストリートダンスでダンスバトルを盛り上げる…",
    ),
    "latin.jpg": ("Alphabetum in mundo hodie frequentissime adhibitum est alphabetum Latinum.",),
    "text_rec.jpg": ("韩国小馆",),
}


def _character_error_rate(texts: Iterable[str], expected: Iterable[str]) -> float:
    """White space and the width of letters and signs do not count."""
    read, there = (
        "".join(unicodedata.normalize("NFKC", "".join(lines)).split()) for lines in (texts, expected)
    )
    return Levenshtein.distance(read, there) / len(there)


class TestRealImages:
    def _error_rate(self, client: OCRClient, corpus: Path, image: str, **options: object) -> float:
        file = (corpus / "scripts" / image).read_bytes()
        (result,) = client.ocr(file, **PLAIN, use_textline_orientation=False, **options)  # type: ignore[arg-type]
        return _character_error_rate(result["rec_texts"], SCRIPTS[image])

    @pytest.mark.parametrize("image", SCRIPTS)
    def test_they_are_read_as_well_as_by_paddlex_with_the_same_model(
        self, image: str, client: OCRClient, corpus: Path
    ) -> None:
        answer = corpus / "reference" / "paddlex_batch1" / "scripts" / f"{image}.json"
        recorded = json.loads(answer.read_text(encoding="utf-8"))["res"]["rec_texts"]
        paddlex = _character_error_rate(recorded, SCRIPTS[image])
        assert self._error_rate(client, corpus, image) <= paddlex

    @pytest.mark.parametrize(
        ("image", "model", "at_most"),
        [
            pytest.param("japan.jpg", "japan_PP-OCRv3_mobile_rec", 0.06, id="made for Japanese"),
            # 1 of 115 characters: the model reads two of the three dots that end the last line.
            pytest.param("japan.jpg", "PP-OCRv5_mobile_rec", 0.009, id="v5 reads kana"),
            pytest.param("japan.jpg", "PP-OCRv6_small_rec", 0.03, id="v6 reads kana"),
            pytest.param("en.jpg", "en_PP-OCRv3_mobile_rec", 0, id="made for English"),
            pytest.param("latin.jpg", "PP-OCRv6_tiny_rec", 0, id="made for Latin letters, too"),
            pytest.param("text_rec.jpg", "PP-OCRv5_mobile_rec", 0, id="a sign"),
        ],
    )
    def test_a_model_of_the_script_reads_them(
        self, image: str, model: str, at_most: float, client: OCRClient, corpus: Path
    ) -> None:
        rate = self._error_rate(client, corpus, image, text_recognition_model_name=model)
        assert rate <= at_most
        assert rate <= self._error_rate(client, corpus, image), "the default model"

    def test_v5_reads_every_letter_of_japanese(self, client: OCRClient, corpus: Path) -> None:
        file = (corpus / "scripts" / "japan.jpg").read_bytes()
        options = {**PLAIN, "use_textline_orientation": False}
        (result,) = client.ocr(file, **options, text_recognition_model_name="PP-OCRv5_mobile_rec")  # type: ignore[arg-type]
        read, there = (
            "".join(filter(str.isalnum, "".join(lines)))
            for lines in (result["rec_texts"], SCRIPTS["japan.jpg"])
        )
        assert read == there

    def test_japanese_needs_a_model_that_reads_it(self, client: OCRClient, corpus: Path) -> None:
        by_default = self._error_rate(client, corpus, "japan.jpg")
        assert self._error_rate(client, corpus, "japan.jpg", lang="japan") < by_default / 5


class TestRightToLeft:
    """No wheel contains Arabic weights: a network that returns the same line everywhere replaces them."""

    VISUAL = "PDF 12 ةحفص"
    LOGICAL = "صفحة PDF 12"

    @pytest.fixture
    def model(self, zoo_server: EmbeddedServer, tmp_path: Path) -> Iterator[str]:
        characters = sorted({*self.VISUAL} - {" "})
        content = inference_config.compose(
            Role.TEXT_RECOGNITION, "arabic_PP-OCRv3_mobile_rec", characters=characters
        )
        inference_config.save(content, tmp_path)
        classes = ["", *characters, " "]
        onnx.save(
            _network_that_sees([classes.index(c) for c in self.VISUAL], len(classes)),
            tmp_path / "inference.onnx",
        )
        repository = local_server(zoo_server.grpc_url).repository
        model_control.add_model("arabic_stand_in", tmp_path, repository, zoo_server.grpc_url)
        yield "arabic_stand_in"
        model_control.remove_model("arabic_stand_in", repository, zoo_server.grpc_url)

    def test_lines_and_words_come_in_the_order_they_are_read(self, model: str, client: OCRClient) -> None:
        result = _read(client, "en", lang="arabic", return_word_box=True)
        assert result["rec_texts"] == [self.LOGICAL] * len(LINES["en"])
        for words, boxes in zip(result["text_word"], result["text_word_boxes"], strict=True):
            assert words == ["صفحة", " ", "PDF", " ", "12"], "the words, and the spaces between them"
            left_of = dict(zip(words, boxes[:, 0], strict=True))
            assert left_of["PDF"] < left_of["12"] < left_of["صفحة"], "where they stand on the page"


def _network_that_sees(classes: list[int], count: int) -> onnx.ModelProto:
    """`x` [B, 3, 48, W] -> [B, 2 n, count]: these classes, a blank after each, whatever `x` is."""
    probabilities = np.zeros((1, 2 * len(classes), count), np.float32)
    probabilities[0, 1::2, 0] = 1
    probabilities[0, np.arange(len(classes)) * 2, classes] = 1
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["means"], axes=[2, 3], keepdims=0),
        helper.make_node("ReduceMean", ["means"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Unsqueeze", ["mean", "axis"], ["each"]),
        helper.make_node("Mul", ["each", "nothing"], ["zero"]),
        helper.make_node("Add", ["zero", "line"], ["y"]),
    ]
    weights = {"axis": np.array([2]), "nothing": np.zeros(1, np.float32), "line": probabilities}
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["B", 3, 48, "W"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["B", 2 * len(classes), count])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


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
        repository = local_server(zoo_server.grpc_url).repository
        for name in self.STAND_INS:
            model = registry.find(name)
            directory = fetch(model.model_copy(update={"archive": f"{archives}/{name}_infer.tar"}))
            assert directory == cache.model_dir(name, self.STAND_INS[name][1])  # type: ignore[arg-type]
            model_control.add_model(name, directory, repository, zoo_server.grpc_url)
        try:
            option = {Role.TEXT_DETECTION: "text_detection_model_name"}
            for name in self.STAND_INS:
                key = option.get(registry.find(name).role, "text_recognition_model_name")
                assert tuple(_read(client, "en", **{key: name})["rec_texts"]) == LINES["en"], name
        finally:
            for name in self.STAND_INS:
                model_control.remove_model(name, repository, zoo_server.grpc_url)


OCR_YAML = """\
pipeline_name: OCR
use_doc_preprocessor: False
SubModules:
  TextLineOrientation:
    module_name: textline_orientation
    model_name: ch_ppocr_mobile_v2.0_cls
  TextDetection:
    module_name: text_detection
    model_name: PP-OCRv6_tiny_det
    model_dir: null
    unclip_ratio: 1.75
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
    assert config.warnings == (), "PaddleX's batch_size is a known key without effect"
    repository = prepare_repository(tmp_path / "repository", config)
    options = ServerOptions(log_level="info", log_file=tmp_path / "server.log")
    with EmbeddedServer(repository, options) as server, OCRClient(server.grpc_url) as client:
        networks = {"PP-OCRv6_tiny_det", "ch_ppocr_mobile_v2.0_cls", "my_recogniser"}
        assert {
            name for name in model_control.served_models(server.grpc_url) if name not in PIPELINE_MODELS
        } == networks
        for language in ("ch", "en", "latin"):
            assert tuple(client.ocr(_page(LINES[language]))[0]["rec_texts"]) == LINES[language]
        upside_down = client.ocr(np.ascontiguousarray(_page(LINES["en"])[::-1, ::-1]))[0]
        assert upside_down["textline_orientation_angles"] == [1, 1, 1]
        assert tuple(upside_down["rec_texts"]) == LINES["en"][::-1]
        own = registry.find("PP-OCRv6_tiny_det").postprocess
        used = upside_down["text_det_params"]
        assert used["unclip_ratio"] == client.settings()["text_det_unclip_ratio"] == 1.75, "the file's"
        assert used["thresh"] == own.thresh, "the network's, since the file states none"
        (word_of_request,) = client.ocr(_page(LINES["en"]), text_det_unclip_ratio=1.5)
        assert word_of_request["text_det_params"]["unclip_ratio"] == 1.5


@pytest.fixture
def lazy_server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A server with two models that wait for the first request that names them."""
    later = ("japan_PP-OCRv3_mobile_rec", "en_PP-OCRv3_mobile_rec")
    names = {Role.TEXT_DETECTION: "PP-OCRv6_tiny_det", Role.TEXT_RECOGNITION: "PP-OCRv6_tiny_rec"}
    flags = ("use_doc_orientation_classify", "use_doc_unwarping", "use_textline_orientation")
    config = pipeline_config.PipelineConfig(names, {}, dict.fromkeys(flags, False))
    repository = prepare_repository(tmp_path / "repository", config, more_models=later)
    options = ServerOptions(
        model_control=True, unloaded_models=later, log_level="info", log_file=tmp_path / "server.log"
    )
    with EmbeddedServer(repository, options) as server:
        yield server


def test_a_model_costs_nothing_until_requests_name_it(lazy_server: EmbeddedServer) -> None:
    asked_for, waiting = "japan_PP-OCRv3_mobile_rec", "en_PP-OCRv3_mobile_rec"
    assert {asked_for, waiting}.isdisjoint(model_control.served_models(lazy_server.grpc_url))
    with OCRClient(lazy_server.grpc_url) as client, ThreadPoolExecutor(12) as threads:
        page = _page(LINES["japan"])
        first = [threads.submit(client.ocr, page, lang="japan") for _ in range(24)]
        assert all(tuple(future.result()[0]["rec_texts"]) == LINES["japan"] for future in first)
        served = {model.name for model in costs.measure(lazy_server.grpc_url).models}
        assert asked_for in served
        assert waiting not in served
        loaded = set(client.models()["text_recognition"])
        assert loaded & {asked_for, waiting} == {asked_for}, "models() names what is loaded"
        model_control.remove_model(
            waiting, local_server(lazy_server.grpc_url).repository, lazy_server.grpc_url
        )
        with pytest.raises(InvalidInputError, match=f"got '{waiting}', which is not served"):
            _read(client, "en", text_recognition_model_name=waiting)


def test_a_server_that_lets_no_models_come_says_so(server: EmbeddedServer) -> None:
    name = "en_PP-OCRv3_mobile_rec"
    result = CliRunner().invoke(app, ["add", name, "--url", server.grpc_url])
    assert result.exit_code == 1
    assert "does not allow model control" in result.output
    assert "start the server with `tritonocr serve --model-control`" in result.output
    assert not (local_server(server.grpc_url).repository / name).exists()


def test_no_server_is_one_sentence() -> None:
    result = CliRunner().invoke(app, ["list", "--served", "--url", "127.0.0.1:9"])
    assert (result.exit_code, result.output) == (1, "tritonocr: no server answers at 127.0.0.1:9\n")
