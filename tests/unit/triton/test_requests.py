"""The tensors of a request: accepted and rejected values, and the settings in force."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_files import bgr, encode, pdf, picture
from numpy.typing import NDArray

from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.errors import InvalidInputError
from tritonocr_backend.core.network_metadata import NetworkMetadata, Normalisation
from tritonocr_backend.core.repository_view import RepositoryView
from tritonocr_backend.core.settings import DEFAULT_NETWORKS, PipelineSettings, default_options
from tritonocr_backend.documents.pages import unreduced
from tritonocr_backend.pipeline.records import PageSettings
from tritonocr_backend.triton.requests import AFTER_DETECTION, OcrRequest, parse_request
from tritonocr_common.options import OPTIONS

PLAIN = Normalisation(1.0, (0, 0, 0), (1, 1, 1), "BGR")
FILE = encode(picture(), "PNG")
NETWORKS = [
    *(NetworkMetadata(name, role, PLAIN) for role, name in DEFAULT_NETWORKS.items()),
    NetworkMetadata("v6_det", Role.TEXT_DETECTION, PLAIN, options={"text_det_thresh": 0.2}),
    NetworkMetadata("japan_rec", Role.TEXT_RECOGNITION, PLAIN, languages=("japan",)),
]
NUMPY_TYPES = {bool: np.bool_, int: np.int32, float: np.float32, str: object}

Parse = Callable[..., OcrRequest]


@pytest.fixture
def parse(tmp_path: Path) -> Parse:
    """Parses a request of a file and these options, as they arrive from Triton."""
    for metadata in NETWORKS:
        version = tmp_path / metadata.name / "1"
        version.mkdir(parents=True)
        metadata.write(version)

    def parse_(
        inputs: dict[str, NDArray[Any]] | None = None,
        requested: Collection[str] = ("dt_polys", "rec_texts"),
        settings: PipelineSettings | None = None,
        **options: Any,
    ) -> OcrRequest:
        tensors = {"file": tensor(FILE)} if inputs is None else inputs
        tensors |= {name: option(name, value) for name, value in options.items()}
        return parse_request(tensors, requested, settings or PipelineSettings(), RepositoryView(tmp_path))

    return parse_


def tensor(*values: bytes) -> NDArray[np.object_]:
    return np.array(values, dtype=object)


def option(name: str, value: Any) -> NDArray[Any]:
    value = value.encode() if isinstance(value, str) else value
    return np.array([value], dtype=NUMPY_TYPES[OPTIONS[name].kind])


def refused(parse: Parse, *arguments: Any, **options: Any) -> str:
    with pytest.raises(InvalidInputError) as error:
        parse(*arguments, **options)
    return str(error.value)


class TestOptions:
    """Each option that a request names is the one its page is read with."""

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("use_doc_orientation_classify", False),
            ("use_doc_unwarping", False),
            ("use_textline_orientation", False),
            ("text_det_limit_side_len", 736),
            ("text_det_limit_type", "min"),
            ("text_det_thresh", 0.0),
            ("text_det_box_thresh", 0.0),
            ("text_det_unclip_ratio", 0.0),
            ("text_rec_score_thresh", 0.5),
            ("return_word_box", True),
            ("return_page_images", True),
            ("max_pages", 3),
        ],
    )
    def test_of_a_request_are_in_force(self, parse: Parse, name: str, value: Any) -> None:
        default = dict(parse().options)[name]
        given = dict(parse(**{name: value}).page_settings.options)[name]
        assert given == value != default
        assert type(given) is OPTIONS[name].kind

    def test_left_out_is_the_pipelines_own(self, parse: Parse) -> None:
        settings = PipelineSettings(
            options={"text_det_thresh": 0.0, "max_pages": 2},
            exact=True,
            max_candidates=7,
        )
        request = parse(settings=settings)
        assert request.options["max_pages"] == 2
        assert (request.options["text_det_thresh"], request.page_settings.max_candidates) == (0.0, 7)
        assert request.page_settings.exact

    @pytest.mark.parametrize("name", OPTIONS)
    def test_two_values_are_refused(self, parse: Parse, name: str) -> None:
        both = np.repeat(option(name, default_options()[name]), 2)
        assert refused(parse, {"file": tensor(FILE), name: both}) == f"{name}: got 2 values, expected 1"

    @pytest.mark.parametrize("name", OPTIONS)
    def test_no_value_is_refused(self, parse: Parse, name: str) -> None:
        none = np.empty(0, NUMPY_TYPES[OPTIONS[name].kind])
        assert refused(parse, {"file": tensor(FILE), name: none}) == f"{name}: got 0 values, expected 1"

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("text_det_thresh", 1.5, "text_det_thresh: got 1.5, expected 0 to 1"),
            ("text_det_box_thresh", np.nan, "text_det_box_thresh: got nan, expected 0 to 1"),
            ("text_det_unclip_ratio", -0.1, "text_det_unclip_ratio: got -0.1, expected 0 to 100"),
            ("text_det_limit_side_len", 0, "text_det_limit_side_len: got 0, expected 1 to 100000"),
            ("max_pages", -1, "max_pages: got -1, expected 1 to 100000"),
            ("text_det_limit_type", "long", "text_det_limit_type: got 'long', expected one of max, min"),
        ],
    )
    def test_out_of_range_is_refused_by_name(self, parse: Parse, name: str, value: Any, message: str) -> None:
        assert refused(parse, **{name: value}) == message

    def test_bytes_that_are_no_text_are_refused_by_name(self, parse: Parse) -> None:
        inputs = {"file": tensor(FILE), "text_det_limit_type": tensor(b"\xff")}
        assert refused(parse, inputs).startswith("text_det_limit_type: got ")


class TestModels:
    def test_are_the_pipelines_unless_named(self, parse: Parse) -> None:
        assert parse().page_settings.networks == dict(DEFAULT_NETWORKS)

    @pytest.mark.parametrize(
        ("options", "role", "name"),
        [
            ({"text_detection_model_name": "v6_det"}, Role.TEXT_DETECTION, "v6_det"),
            ({"text_recognition_model_name": "japan_rec"}, Role.TEXT_RECOGNITION, "japan_rec"),
            ({"lang": "japan"}, Role.TEXT_RECOGNITION, "japan_rec"),
            ({"lang": "ja"}, Role.TEXT_RECOGNITION, "japan_rec"),
            ({"lang": "Japanese"}, Role.TEXT_RECOGNITION, "japan_rec"),
            pytest.param(
                {"text_recognition_model_name": "", "lang": ""},
                Role.TEXT_RECOGNITION,
                "PP-OCRv4_mobile_rec",
                id="empty leaves the choice to the server",
            ),
        ],
    )
    def test_of_a_request(self, parse: Parse, options: dict[str, str], role: Role, name: str) -> None:
        networks = parse(**options).page_settings.networks
        assert networks == {**DEFAULT_NETWORKS, role: name}

    def test_a_detection_model_brings_its_own_thresholds(self, parse: Parse) -> None:
        assert parse(text_detection_model_name="v6_det").options["text_det_thresh"] == 0.2

    def test_which_the_request_may_override(self, parse: Parse) -> None:
        options = {"text_detection_model_name": "v6_det", "text_det_thresh": 0.0}
        assert parse(**options).options["text_det_thresh"] == 0.0

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (
                {"text_detection_model_name": "japan_rec"},
                "text_detection_model_name: got 'japan_rec', which is not served; "
                "expected one of PP-OCRv4_mobile_det, v6_det",
            ),
            (
                {"text_recognition_model_name": "nobody"},
                "text_recognition_model_name: got 'nobody', which is not served; "
                "expected one of PP-OCRv4_mobile_rec, japan_rec",
            ),
            ({"lang": "xx"}, "lang: got 'xx', which no served model reads; expected one of japan"),
            (
                {"lang": "fr"},
                "lang: got 'fr', which no served model reads; expected one of japan. "
                "latin_PP-OCRv3_mobile_rec reads it: tritonocr serve --model latin_PP-OCRv3_mobile_rec",
            ),
            (
                {"lang": "japan", "text_recognition_model_name": "japan_rec"},
                "lang: got 'japan' together with text_recognition_model_name 'japan_rec', "
                "expected one of the two",
            ),
        ],
    )
    def test_that_are_not_served_are_refused(
        self, parse: Parse, options: dict[str, str], message: str
    ) -> None:
        assert refused(parse, **options) == message

    @pytest.mark.parametrize(
        ("flag", "role"),
        [
            ("use_doc_orientation_classify", Role.DOC_ORIENTATION),
            ("use_doc_unwarping", Role.DOC_UNWARPING),
            ("use_textline_orientation", Role.TEXTLINE_ORIENTATION),
        ],
    )
    def test_a_step_whose_network_is_not_there_is_refused_unless_it_is_off(
        self, parse: Parse, flag: str, role: Role
    ) -> None:
        networks = {other: name for other, name in DEFAULT_NETWORKS.items() if other is not role}
        settings = PipelineSettings(networks=networks)
        message = f"{flag}: got true, but this server has no {role.value} model; expected false"
        assert refused(parse, settings=settings) == message
        assert role not in parse(settings=settings, **{flag: False}).page_settings.networks

    def test_input_coordinates_need_an_unwarping_model_that_returns_its_grid(self, parse: Parse) -> None:
        message = (
            "coordinates: got 'input', but the unwarping model of this server returns no sampling grid; "
            "expected 'output', or use_doc_unwarping false"
        )
        assert refused(parse, coordinates="input") == message
        assert parse(coordinates="input", use_doc_unwarping=False).options["coordinates"] == "input"


class TestDocument:
    def test_a_file_is_opened(self, parse: Parse) -> None:
        assert (parse().document.read_page(0, unreduced).pixels == bgr(picture())).all()

    def test_a_grey_image_has_one_channel(self, parse: Parse) -> None:
        grey = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
        pixels = parse({"image": grey}).document.read_page(0, unreduced).pixels
        assert pixels.shape == (3, 4, 3)
        assert (pixels == grey).all()

    def test_an_image_is_its_own_only_page(self, parse: Parse) -> None:
        image = np.ascontiguousarray(bgr(picture()))
        document = parse({"image": image}).document
        assert document.page_count == 1
        assert document.read_page(0, unreduced).pixels is image

    def test_no_more_pages_are_read_than_max_pages(self, parse: Parse) -> None:
        inputs = {"file": tensor(pdf([(50, 40, 0)] * 3))}
        assert parse(dict(inputs), max_pages=2).page_indices == range(2)
        assert parse(dict(inputs), max_pages=2).document.page_count == 3
        assert parse(dict(inputs), max_pages=20).page_indices == range(3)

    @pytest.mark.parametrize(
        ("inputs", "message"),
        [
            pytest.param({}, "got neither file nor image, expected exactly one", id="neither"),
            pytest.param(
                {"file": tensor(FILE), "image": np.zeros((2, 2, 3), np.uint8)},
                "got file and image, expected exactly one",
                id="both",
            ),
            pytest.param({"file": tensor(FILE, FILE)}, "file: got 2 values, expected 1", id="two files"),
            pytest.param({"file": tensor()}, "file: got 0 values, expected 1", id="no file"),
            pytest.param(
                {"image": np.zeros((2, 2, 4), np.uint8)},
                "image: got shape [2, 2, 4], expected [height, width, 3] (BGR) or [height, width, 1] (grey)",
                id="an image with an alpha channel",
            ),
            pytest.param(
                {"image": np.zeros((0, 5, 3), np.uint8)},
                "image: got an image of 5x0 px, expected at least 1x1",
                id="an image without pixels",
            ),
        ],
    )
    def test_anything_but_one_of_both_is_refused(
        self, parse: Parse, inputs: dict[str, NDArray[Any]], message: str
    ) -> None:
        assert refused(parse, inputs) == message

    def test_the_pixel_limit_holds_for_both(self, parse: Parse) -> None:
        settings = PipelineSettings(max_pixels=100)
        assert "file: got 64x48 px" in refused(parse, settings=settings)
        image = np.zeros((11, 10, 3), np.uint8)
        assert "image: got 10x11 px" in refused(parse, {"image": image}, settings=settings)

    def test_a_wrong_option_is_refused_before_the_file_is_opened(self, parse: Parse) -> None:
        assert refused(parse, {"file": tensor(b"no file")}, max_pages=0).startswith("max_pages")


class TestWhatIsComputed:
    """What only other outputs need is not computed."""

    @pytest.mark.parametrize("output", sorted(AFTER_DETECTION))
    def test_any_of_these_needs_the_lines(self, parse: Parse, output: str) -> None:
        assert not settings_for(parse, output).detection_only

    @pytest.mark.parametrize("output", ["dt_polys", "dt_scores", "dt_page_index", "page_sizes", "doc_angle"])
    def test_boxes_alone_do_not(self, parse: Parse, output: str) -> None:
        assert settings_for(parse, output).detection_only


def settings_for(parse: Parse, output: str) -> PageSettings:
    return parse(requested=[output]).page_settings
