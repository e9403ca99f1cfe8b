"""From records to the output tensors of `ocr`."""

import io
import json

import numpy as np
import PIL.Image
import pytest

from tritonocr_backend.pipeline.reading_order import page_layout
from tritonocr_backend.pipeline.records import Line, PageResult, PlacedText
from tritonocr_backend.pipeline.text_detection import DetectedBoxes
from tritonocr_backend.triton.output_tensors import ReadPage, encode_picture, output_tensors

BOX = [[1, 2], [11, 3], [11, 8], [1, 7]]


def quad_at(x: int, y: int) -> list[list[int]]:
    """A word that rises by 1 px."""
    return [[x, y + 1], [x + 3, y], [x + 3, y + 4], [x, y + 5]]


def word(text: str, x: int, y: int) -> PlacedText:
    return PlacedText(text, np.array(quad_at(x, y), np.int32), 0.5)


def result(boxes: int, lines: tuple[Line, ...], angle: int = 0, reached: bool = False) -> PageResult:
    quads = np.array([np.array(BOX) + 20 * i for i in range(boxes)], np.int32).reshape(-1, 4, 2)
    scores = np.linspace(0.9, 0.7, boxes, dtype=np.float32)
    return PageResult(
        size=(480, 640),
        page=np.zeros((4, 4, 3), np.uint8),
        doc_angle=angle,
        transform=None,
        unwarped=angle == 90,
        boxes=DetectedBoxes(quads, scores, reached),
        line_angles=np.arange(boxes, dtype=np.int32) % 2,
        lines=lines,
        layout=page_layout(
            quads[[line.box_index for line in lines]], (480, 640), [line.text for line in lines]
        ),
    )


def decoded(picture: bytes) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(picture))


class TestColumns:
    TENSORS = output_tensors(
        [
            ReadPage(
                0, result(2, (Line(1, "中文", 0.5, (word("中", 1, 2), word("文", 3, 2))), Line(0, "b", 0.75)))
            ),
            ReadPage(3, result(0, (), angle=90, reached=True)),
            ReadPage(4, result(1, (Line(0, "c", 0.25, (word("c", 5, 6),), (word("c", 5, 6),)),), angle=-1)),
        ],
        page_count=9,
        options={"text_det_thresh": 0.2, "text_det_limit_type": "max"},
    )

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("page_count", [9]),
            ("page_sizes", [[480, 640]] * 3),
            ("doc_angle", [0, 90, -1]),
            ("unwarped", [False, True, False]),
            ("max_candidates_reached", [False, True, False]),
            ("dt_page_index", [0, 0, 4]),
            ("textline_orientation_angles", [0, 1, 0]),
            ("page_index", [0, 0, 4]),
            ("rec_texts", ["中文", "b", "c"]),
            ("rec_scores", [0.5, 0.75, 0.25]),
            ("rec_polys", [[[21, 22], [31, 23], [31, 28], [21, 27]], BOX, BOX]),
            ("rec_boxes", [[21, 22, 31, 28], [1, 2, 11, 8], [1, 2, 11, 8]]),
            ("reading_order", [1, 0, 0]),
            ("row_index", [1, 0, 0]),
            ("block_index", [1, 0, 0]),
            ("block_kind", ["paragraph", "paragraph", "paragraph"]),
            ("word_line_index", [0, 0, 2]),
            ("word_texts", ["中", "文", "c"]),
            ("word_boxes", [[1, 2, 4, 7], [3, 2, 6, 7], [5, 6, 8, 11]]),
            ("word_polys", [quad_at(1, 2), quad_at(3, 2), quad_at(5, 6)]),
            ("word_scores", [0.5, 0.5, 0.5]),
            ("char_line_index", [2]),
            ("char_texts", ["c"]),
            ("char_boxes", [[5, 6, 8, 11]]),
            ("char_polys", [quad_at(5, 6)]),
            ("char_scores", [0.5]),
            ("input_images", []),
            ("preprocessed_images", []),
        ],
    )
    def test_a_column_has_its_rows(self, name: str, expected: list[object]) -> None:
        assert self.TENSORS[name].tolist() == expected

    def test_boxes_and_their_scores(self) -> None:
        assert self.TENSORS["dt_polys"].shape == (3, 4, 2)
        assert self.TENSORS["dt_scores"] == pytest.approx([0.9, 0.7, 0.9])

    def test_the_settings_are_json(self) -> None:
        assert json.loads(self.TENSORS["settings"][0]) == {
            "text_det_thresh": 0.2,
            "text_det_limit_type": "max",
        }

    def test_no_page_and_no_line_keep_types_and_shapes(self) -> None:
        full, empty = self.TENSORS, output_tensors([], page_count=0, options={})
        for name, tensor in full.items():
            assert empty[name].dtype == tensor.dtype, name
            assert empty[name].shape[1:] == tensor.shape[1:], name
            assert name in ("page_count", "settings") or len(empty[name]) == 0, name


class TestPictures:
    def test_a_page_is_a_jpeg_of_the_same_colours(self) -> None:
        page = np.full((30, 50, 3), (200, 30, 60), np.uint8)  # BGR
        image = decoded(encode_picture(page))
        assert (image.format, image.size) == ("JPEG", (50, 30))
        assert np.abs(np.asarray(image.convert("RGB"))[0, 0].astype(int) - (60, 30, 200)).max() <= 3

    @pytest.mark.parametrize(("width", "image_format"), [(65_500, "JPEG"), (65_501, "PNG")])
    def test_what_jpeg_cannot_hold_is_a_png(self, width: int, image_format: str) -> None:
        image = decoded(encode_picture(np.zeros((2, width, 3), np.uint8)))
        assert (image.format, image.size) == (image_format, (width, 2))

    def test_each_page_that_has_one_is_in_the_column(self) -> None:
        page = ReadPage(0, result(0, ()), input_image=b"jpeg", preprocessed_image=b"flat")
        tensors = output_tensors([page, page], page_count=2, options={})
        assert tensors["input_images"].tolist() == [b"jpeg"] * 2
        assert tensors["preprocessed_images"].tolist() == [b"flat"] * 2
