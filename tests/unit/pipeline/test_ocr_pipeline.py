"""The pipeline over scripted networks: the calls, their order, and the use of their outputs."""

from typing import Any

import numpy as np
import pytest
from fake_models import STRAIGHT_GRID, FakeModels
from scripted_pages import (
    ALL_ON,
    FIRST,
    HEIGHT,
    PAGE,
    SECOND,
    TALL,
    THIRD,
    WIDTH,
    box,
    page_with,
    read,
    settings,
)

from tritonocr_backend.core import contracts
from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.errors import OverloadedError


def called(models: FakeModels) -> list[str]:
    return [model for model, _ in models.calls]


class TestOrder:
    def test_of_the_whole_pipeline(self) -> None:
        models = FakeModels([FIRST])
        read(models, PAGE, **ALL_ON)
        assert called(models) == [
            "doc_orientation",
            "doc_unwarping",
            "text_detection",
            contracts.POSTPROCESS,
            contracts.CROP,
            "text_recognition",
            "textline_orientation",
            contracts.DECODE,
        ]

    def test_exact_classifies_lines_before_it_reads_them_as_paddlex_does(self) -> None:
        models = FakeModels([FIRST])
        read(models, PAGE, use_textline_orientation=True, exact=True)
        assert called(models)[-3:] == ["textline_orientation", "text_recognition", contracts.DECODE]

    @pytest.mark.parametrize(
        ("changes", "missing"),
        [
            pytest.param({"use_doc_orientation_classify": False}, {"doc_orientation"}, id="doc orientation"),
            pytest.param({"use_doc_unwarping": False}, {"doc_unwarping"}, id="unwarping"),
            pytest.param(
                {"use_textline_orientation": False}, {"textline_orientation"}, id="line orientation"
            ),
            pytest.param(
                {"detection_only": True},
                {contracts.CROP, "textline_orientation", "text_recognition", contracts.DECODE},
                id="everything after detection",
            ),
        ],
    )
    def test_what_is_switched_off_is_not_called(self, changes: dict[str, bool], missing: set[str]) -> None:
        everything, some = FakeModels([FIRST]), FakeModels([FIRST])
        read(everything, PAGE, **ALL_ON)
        read(some, PAGE, **{**ALL_ON, **changes})
        assert set(called(everything)) - set(called(some)) == missing

    def test_nothing_found_calls_nothing_more(self) -> None:
        models = FakeModels([])
        result = read(models, PAGE, use_textline_orientation=True)
        assert called(models) == ["text_detection", contracts.POSTPROCESS]
        assert result.lines == ()
        assert result.boxes.quads.shape == (0, 4, 2)
        assert result.line_angles.shape == (0,)

    def test_the_named_networks_are_called(self) -> None:
        models = FakeModels([FIRST])
        networks = {**settings().networks, Role.TEXT_DETECTION: "my_det"}
        with pytest.raises(LookupError, match="my_det"):
            read(models, PAGE, networks=networks)


class TestPreprocessing:
    @pytest.mark.parametrize("doc_class", range(4))
    def test_the_page_is_turned_before_anything_else_sees_it(self, doc_class: int) -> None:
        models = FakeModels(doc_class=doc_class)
        result = read(models, PAGE, use_doc_orientation_classify=True)
        assert result.doc_angle == 90 * doc_class
        assert (result.page.pixels == np.rot90(PAGE, doc_class)).all()
        assert models.calls[1][1]["image"].shape[1:3] == result.page.pixels.shape[:2]
        assert result.size == (HEIGHT, WIDTH), "the page as it was given"

    def test_boxes_refer_to_the_flat_page(self) -> None:
        models = FakeModels()
        result = read(models, PAGE, use_doc_unwarping=True)
        assert result.page.pixels.shape == (HEIGHT // 2, WIDTH, 3)
        assert models.calls[2][1]["page_size"].tolist() == [HEIGHT // 2, WIDTH]

    def test_a_bent_page_is_sampled_by_the_grid_and_keeps_its_margins(self) -> None:
        bent = STRAIGHT_GRID.copy()
        bent[1] += 0.05 * np.sin(np.linspace(0, np.pi, 31, dtype=np.float32))
        models = FakeModels(grid=bent)
        result = read(models, PAGE, use_doc_unwarping=True, grid_input_size=(712, 488))
        assert models.calls[0][1]["image"].shape == (1, 712, 488, 3), "the network gets a small image"
        assert result.unwarped
        assert result.transform is not None
        height, width = result.page.size
        assert result.page.pixels.shape == (height, width, 3)
        assert height > HEIGHT
        assert models.calls[1][1]["image"].shape[1] > 640 - 32

    def test_a_flat_page_is_left_as_it_is(self) -> None:
        result = read(FakeModels(), PAGE, use_doc_unwarping=True, grid_input_size=(712, 488))
        assert result.page.pixels is PAGE
        assert not result.unwarped
        assert result.transform is not None
        assert result.transform.grid is None

    def test_exact_samples_a_flat_page_too_and_cuts_margins_as_paddlex_does(self) -> None:
        result = read(FakeModels(), PAGE, use_doc_unwarping=True, grid_input_size=(712, 488), exact=True)
        assert result.unwarped
        assert result.page.pixels.shape == PAGE.shape
        assert not (result.page.pixels == PAGE).all()

    def test_off_means_minus_1_and_the_page_itself(self) -> None:
        result = read(FakeModels(), PAGE)
        assert result.doc_angle == -1
        assert result.page.pixels is PAGE


class TestLines:
    def test_are_in_reading_order_although_the_narrow_ones_are_read_first(self) -> None:
        result = read(FakeModels([FIRST, SECOND, THIRD], together=2), PAGE)
        assert [line.text for line in result.lines] == ["200", "150", "180"]
        assert [line.box_index for line in result.lines] == [0, 1, 2]

    def test_upside_down_ones_are_turned(self) -> None:
        upside_down = page_with((FIRST, 100, 200), (SECOND, 150, 30), (THIRD, 10, 250))
        models = FakeModels([FIRST, SECOND, THIRD], together=2)
        result = read(models, upside_down, use_textline_orientation=True)
        assert result.line_angles.tolist() == [1, 0, 1]
        assert [line.text for line in result.lines] == ["200", "150", "250"]

    def test_not_looked_for_means_minus_1_for_every_box(self) -> None:
        for only in (True, False):
            result = read(FakeModels([FIRST, THIRD]), PAGE, detection_only=only)
            assert result.line_angles.tolist() == [-1, -1]

    @pytest.mark.parametrize(("score_thresh", "kept"), [(0.0, 2), (0.5, 2), (0.51, 0)])
    def test_a_threshold_takes_away_texts_and_nothing_else(self, score_thresh: float, kept: int) -> None:
        result = read(FakeModels([FIRST, THIRD]), PAGE, text_rec_score_thresh=score_thresh)
        assert len(result.lines) == kept
        assert len(result.boxes.quads) == len(result.boxes.scores) == len(result.line_angles) == 2

    def test_a_line_does_not_depend_on_its_neighbours(self) -> None:
        together = read(FakeModels([FIRST, SECOND, THIRD], together=2), PAGE)
        alone = [read(FakeModels([quad]), PAGE).lines[0].text for quad in (FIRST, SECOND, THIRD)]
        assert [line.text for line in together.lines] == alone

    def test_words_lie_on_their_line(self) -> None:
        result = read(FakeModels([FIRST, SECOND], together=2), PAGE, return_word_box=True)
        for line, quad in zip(result.lines, (FIRST, SECOND), strict=True):
            (word,) = line.words
            (x, y), (x_end, _), (_, y_end), _ = word.quad.tolist()
            assert word.text == line.text
            assert (y, y_end) == (quad[0][1], quad[2][1])
            assert quad[0][0] == x < x_end <= quad[1][0]

    @pytest.mark.parametrize(
        ("quad", "dark", "end"),
        [
            pytest.param(FIRST, np.s_[:0], "right", id="from left to right"),
            pytest.param(FIRST, np.s_[40:52], "left", id="upside down"),
            pytest.param(TALL, np.s_[:0], "bottom", id="downwards"),
            pytest.param(TALL, np.s_[:, 35:], "top", id="upwards"),
        ],
    )
    def test_words_begin_where_their_line_does(self, quad: Any, dark: Any, end: str) -> None:
        page = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
        page[dark] = 100
        (line,) = read(FakeModels([quad]), page, use_textline_orientation=True, return_word_box=True).lines
        (word,), edges = line.words, (*quad[0], *quad[2])
        sides = zip(
            ("left", "top", "right", "bottom"), (*word.quad.min(0), *word.quad.max(0)), edges, strict=True
        )
        assert [side for side, of_word, of_line in sides if of_word != of_line] == [end]

    def test_characters_make_up_their_line(self) -> None:
        (line,) = read(FakeModels([SECOND]), PAGE, return_char_box=True).lines
        assert "".join(character.text for character in line.characters) == line.text == "150"
        edges = [character.quad[:, 0] for character in line.characters]
        assert [edge.min() for edge in edges[1:]] == [edge.max() for edge in edges[:-1]]
        assert [character.score for character in line.characters] == [0.5] * 3
        assert line.words == ()

    def test_no_words_unless_asked_for(self) -> None:
        assert read(FakeModels([FIRST]), PAGE).lines[0].words == ()


ROWS = [box(20, 4 * i, height=20) for i in range(130)]


class TestBatches:
    @pytest.mark.parametrize("role", [Role.TEXT_RECOGNITION, Role.TEXTLINE_ORIENTATION])
    def test_hold_at_most_64_lines(self, role: Role) -> None:
        models = FakeModels(ROWS, together=3)
        result = read(models, PAGE, use_textline_orientation=True)
        sizes = [len(inputs["image"]) for model, inputs in models.calls if model == role]
        assert sizes[:3] == [64, 64, 2]
        assert max(sizes) == 64
        assert len(result.lines) == 130

    def test_are_in_flight_together(self) -> None:
        """The fake answers none of them before all are there, and gives up after a while."""
        assert len(read(FakeModels([FIRST, SECOND, box(20, 300, 50)], together=3), PAGE).lines) == 3

    def test_hold_lines_of_one_width(self) -> None:
        models = FakeModels([FIRST, SECOND, THIRD], together=2)
        read(models, PAGE)
        shapes = [inputs["image"].shape for model, inputs in models.calls if model == "text_recognition"]
        assert sorted(shapes) == [(1, 48, 416, 3), (2, 48, 192, 3)]

    @pytest.mark.parametrize(("exact", "width"), [(True, 320), (False, 192)])
    def test_are_padded_as_the_pipeline_is_set(self, exact: bool, width: int) -> None:
        models = FakeModels([FIRST])
        read(models, PAGE, exact=exact)
        assert models.calls[-2][1]["image"].shape == (1, 48, width, 3)


def test_a_models_error_is_the_pages() -> None:
    class Overloaded(FakeModels):
        def _answer(self, model: str, inputs: Any) -> Any:
            if model == Role.TEXT_RECOGNITION:
                raise OverloadedError("text_recognition is overloaded; try again later")
            return super()._answer(model, inputs)

    with pytest.raises(OverloadedError, match="try again later"):
        read(Overloaded([FIRST]), PAGE)


class TestSmallPrint:
    """Rows of small glyphs outside all boxes, on a page that detection sees at a quarter of its size."""

    PAGE = np.full((3508, 2480, 3), 255, np.uint8)
    for _y in range(700, 1200, 20):
        for _x in range(200, 1800, 12):
            PAGE[_y : _y + 10, _x : _x + 7] = 0

    def test_detection_looks_again_at_a_finer_scale(self) -> None:
        models = FakeModels([box(200, 200, 900, 90)])
        read(models, self.PAGE)
        sizes = [inputs["image"].shape[1] for model, inputs in models.calls if model == "text_detection"]
        assert sizes == [960, 2400]

    def test_exact_gives_only_the_warning(self) -> None:
        models = FakeModels([box(200, 200, 900, 90)])
        result = read(models, self.PAGE, exact=True)
        assert called(models).count("text_detection") == 1
        assert [warning.code for warning in result.warnings] == ["text_too_small"]

    def test_a_page_without_it_is_seen_once(self) -> None:
        models = FakeModels([box(200, 200, 900, 90)])
        assert not read(models, np.full_like(self.PAGE, 255)).warnings
        assert called(models).count("text_detection") == 1
