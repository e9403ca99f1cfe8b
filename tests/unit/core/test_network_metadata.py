"""network.json: the written metadata is read back unchanged."""

import json
from pathlib import Path

import pytest

from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.network_metadata import (
    METADATA_FILE,
    NetworkMetadata,
    Normalisation,
    read_network_metadata,
)

NORMALISATION = Normalisation(1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "RGB")


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param(NetworkMetadata("det", Role.TEXT_DETECTION, NORMALISATION), id="defaults"),
        pytest.param(
            NetworkMetadata(
                "我的模型",
                Role.TEXT_RECOGNITION,
                Normalisation(1.0, (0, 0, 0), (1, 1, 1), "BGR"),
                languages=("ch", "en"),
                engine="paddle",
                precision="f32",
                threads=2,
                device="gpu:1",
                right_to_left=True,
                generation=5,
                own_size=(48, 192),
                options={"text_det_thresh": 0.2},
                backend="onnxruntime",
                tensorrt_options={"trt_profile_min_shapes": "image:1x48x32x3"},
                engine_cache="/cache",
            ),
            id="everything set",
        ),
    ],
)
def test_comes_back_as_it_was_written(metadata: NetworkMetadata, tmp_path: Path) -> None:
    metadata.write(tmp_path)
    assert read_network_metadata(tmp_path) == metadata


def test_is_json_that_a_person_can_read(tmp_path: Path) -> None:
    NetworkMetadata("识别", Role.TEXT_RECOGNITION, NORMALISATION).write(tmp_path)
    text = (tmp_path / METADATA_FILE).read_text(encoding="utf-8")
    assert '"name": "识别"' in text
    assert json.loads(text)["role"] == "text_recognition"
