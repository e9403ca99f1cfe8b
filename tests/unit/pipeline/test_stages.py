"""The stages as their Triton models call them: named tensors in, named tensors out, rejected tensors."""

import numpy as np
import pytest
from stage_inputs import (
    BOX,
    CHARACTERS,
    NO_AREA,
    Inputs,
    crop_inputs,
    decode_inputs,
    postprocess_inputs,
    refused,
)

from tritonocr_backend.pipeline.stages import (
    text_crop_lines,
    text_detection_postprocess,
    text_recognition_decode,
)
from tritonocr_backend.pipeline.text_crop import split_lines


class TestPostprocess:
    def test_boxes_are_on_the_page(self) -> None:
        found = text_detection_postprocess(postprocess_inputs())
        assert found["polys"].shape == (1, 4, 2)
        assert found["polys"].max() > 96, "in pixels of the page, not of the map"
        assert found["scores"] == pytest.approx([0.9])
        assert found["max_candidates_reached"].tolist() == [False]

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            pytest.param(
                {"page_size": np.array([0, 10], np.int32)},
                "page_size: got 0x10, expected sides of 1 to 16777216",
                id="page without a pixel",
            ),
            pytest.param(
                {"probability": np.zeros((0, 5), np.float32)},
                "probability: got shape [0, 5], expected no side of 0",
                id="empty map",
            ),
            pytest.param(
                {"max_candidates": np.array([0], np.int32)},
                "max_candidates: got 0, expected 1 to 1000000",
                id="no candidates",
            ),
            pytest.param(
                {"unclip_ratio": np.array([-1], np.float32)},
                "unclip_ratio: got -1, expected 0 to 100",
                id="a box that shrinks",
            ),
            pytest.param(
                {"thresh": np.array([np.nan], np.float32)}, "thresh: got nan, expected 0 to 1", id="no number"
            ),
            pytest.param(
                {"box_thresh": np.array([2], np.float32)}, "box_thresh: got 2, expected 0 to 1", id="over 1"
            ),
        ],
    )
    def test_refuses_what_has_no_meaning(self, changes: Inputs, message: str) -> None:
        assert refused(text_detection_postprocess, postprocess_inputs(**changes)) == message


class TestCrop:
    def test_lines_and_orientation_images_come_in_one_order(self) -> None:
        narrow = [[10, 50], [40, 50], [40, 70], [10, 70]]
        out = text_crop_lines(crop_inputs(polys=np.array([BOX, narrow], np.int32)))
        assert out["line_index"].tolist() == [1, 0]
        assert [image.shape for image in split_lines(out["pixels"], out["widths"])] == [
            (48, 96, 3),
            (48, 160, 3),
        ]
        assert out["content_widths"].tolist() == [72, 144]
        assert out["orientation_images"].shape == (2, 80, 160, 3)
        alone = text_crop_lines(crop_inputs(polys=np.array([narrow], np.int32)))
        assert (out["orientation_images"][0] == alone["orientation_images"][0]).all()

    def test_exact_lines_have_paddlexs_least_width(self) -> None:
        out = text_crop_lines(crop_inputs(exact=np.array([True])))
        assert out["widths"].tolist() == [320]

    def test_boxes_may_be_on_a_larger_page_than_the_image(self) -> None:
        twice = {"polys": np.array([BOX], np.int32) * 2, "reduction": np.array([2], np.int32)}
        small, large = text_crop_lines(crop_inputs()), text_crop_lines(crop_inputs(**twice))
        assert small["content_widths"].tolist() == large["content_widths"].tolist()

    def test_orientation_images_are_made_only_when_asked_for(self) -> None:
        out = text_crop_lines(crop_inputs(orientation_images=np.array([False])))
        assert out["orientation_images"].shape == (0, 80, 160, 3)

    def test_a_box_without_an_area_gives_no_line(self) -> None:
        out = text_crop_lines(crop_inputs(polys=np.array([NO_AREA, BOX, NO_AREA], np.int32)))
        assert out["line_index"].tolist() == [1]
        assert len(out["orientation_images"]) == 1

    def test_no_boxes_give_no_lines(self) -> None:
        out = text_crop_lines(crop_inputs(polys=np.empty((0, 4, 2), np.int32)))
        assert {name: tensor.shape for name, tensor in out.items()} == {
            "pixels": (0,),
            "widths": (0,),
            "content_widths": (0,),
            "line_index": (0,),
            "part_index": (0,),
            "starts_word": (0,),
            "line_quads": (0, 4, 2),
            "orientation_images": (0, 80, 160, 3),
            "polys_done": (1,),
        }

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            pytest.param(
                {"reduction": np.array([0], np.int32)},
                "reduction: got 0, expected at least 1",
                id="no reduction",
            ),
            pytest.param(
                {"reduction": np.array([2], np.int32), "exact": np.array([True])},
                "reduction: got 2 together with exact, expected 1",
                id="PaddleX reads whole pages",
            ),
            pytest.param(
                {"polys": np.array([[[0, 0], [201, 0], [201, 9], [0, 9]]], np.int32)},
                "polys: got x of 0 to 201 and y of 0 to 9, expected them on the page of 200x100 px",
                id="beyond the right edge",
            ),
            pytest.param(
                {"polys": np.array([[[0, -1], [20, 0], [20, 9], [0, 9]]], np.int32)},
                "polys: got x of 0 to 20 and y of -1 to 9, expected them on the page of 200x100 px",
                id="above the upper edge",
            ),
            pytest.param(
                {"image": np.zeros((0, 7, 3), np.uint8), "polys": np.empty((0, 4, 2), np.int32)},
                "image: got an image of 7x0 px, expected at least 1x1",
                id="a page without a pixel",
            ),
        ],
    )
    def test_refuses_what_is_not_on_the_page(self, changes: Inputs, message: str) -> None:
        assert refused(text_crop_lines, crop_inputs(**changes)) == message

    def test_a_box_on_the_very_edge_is_on_the_page(self) -> None:
        edge = np.array([[[0, 0], [200, 0], [200, 100], [0, 100]]], np.int32)
        assert text_crop_lines(crop_inputs(polys=edge))["line_index"].tolist() == [0]


class TestDecode:
    def test_texts_and_scores(self) -> None:
        out = text_recognition_decode(decode_inputs(), CHARACTERS)
        assert out["texts"].tolist() == ["ab", ""]
        assert out["scores"].tolist() == [0.5, 0.0]
        assert out["word_texts"].shape == (0,)
        assert out["word_spans"].shape == (0, 2)

    def test_words_name_their_line(self) -> None:
        indices = np.array([[1, 3, 2], [0, 2, 0]], np.int32)
        out = text_recognition_decode(
            decode_inputs(indices=indices, return_words=np.array([True])), CHARACTERS
        )
        assert out["word_line_index"].tolist() == [0, 0, 0, 1]
        assert out["word_texts"].tolist() == ["a", " ", "b", "b"]
        assert out["word_spans"] == pytest.approx(np.array([[0, 1], [1, 2], [2, 3], [0, 3]]) / 3)
        assert out["word_scores"] == pytest.approx([0.5] * 4)

    def test_no_lines(self) -> None:
        none = {
            "indices": np.empty((0, 0), np.int32),
            "confidences": np.empty((0, 0), np.float32),
            "column_counts": np.empty(0, np.float32),
        }
        out = text_recognition_decode(decode_inputs(**none), CHARACTERS)
        assert out["texts"].shape == out["scores"].shape == (0,)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            pytest.param(
                {"indices": np.array([[1, 4, 0], [0, 0, 0]], np.int32)},
                "indices: got 0 to 4, expected 0 to 3",
                id="a class beyond the dictionary",
            ),
            pytest.param(
                {"indices": np.array([[-1, 0, 0], [0, 0, 0]], np.int32)},
                "indices: got -1 to 0, expected 0 to 3",
                id="a negative class",
            ),
            pytest.param(
                {"confidences": np.zeros((2, 4), np.float32)},
                "confidences: got shape [2, 4], expected [2, 3] as indices",
                id="more confidences than indices",
            ),
            pytest.param(
                {"column_counts": np.zeros(3, np.float32)},
                "column_counts: got 3 values, expected 2, one per line",
                id="more counts than lines",
            ),
        ],
    )
    def test_refuses_what_does_not_fit(self, changes: Inputs, message: str) -> None:
        assert refused(text_recognition_decode, decode_inputs(**changes), CHARACTERS) == message
