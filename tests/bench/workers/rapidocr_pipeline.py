"""RapidOCR, set to PaddleX's pipeline: without its own preprocessing. Runs in RapidOCR's own environment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from rapidocr import EngineType, RapidOCR

from protocol import Answer, File, Lines, configuration, one_by_one, serve


def start() -> Callable[[Sequence[File]], Answer]:
    """The function that reads pages."""
    engine = RapidOCR(params=_params(configuration()))

    def read(file: File) -> Lines:
        image = file.data
        if isinstance(image, bytes):
            image = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)
        result = engine(image)
        if result.txts is None:
            return []
        return list(zip(result.boxes.tolist(), result.txts, strict=True))

    return one_by_one(read)


def _params(asked: dict[str, Any]) -> dict[str, Any]:
    engine = EngineType(asked["engine"])
    threads = {
        "openvino": {"EngineConfig.openvino.inference_num_threads": asked["threads"]},
        "onnxruntime": {"EngineConfig.onnxruntime.intra_op_num_threads": asked["threads"]},
        "ppocr_cpp": {},  # RapidOCR 5 has no setting; it uses all cores
    }
    return {
        "Global.use_cls": False,
        "Global.text_score": 0,
        "Global.use_preprocess_img": False,
        "Global.use_vertical_padding": False,
        "Global.log_level": "error",
        "Det.engine_type": engine,
        "Det.model_path": f"{asked['detection_dir']}/inference.onnx",
        "Det.mean": [0.485, 0.456, 0.406],
        "Det.std": [0.229, 0.224, 0.225],
        "Det.limit_side_len": asked["limit_side_len"],
        "Det.limit_type": "max",
        "Det.thresh": asked["thresh"],
        "Det.box_thresh": asked["box_thresh"],
        "Det.unclip_ratio": asked["unclip_ratio"],
        "Det.max_candidates": 20_000,
        "Det.use_dilation": False,
        "Rec.engine_type": engine,
        "Rec.model_path": f"{asked['recognition_dir']}/inference.onnx",
        "Rec.rec_keys_path": asked["characters"],
        "Rec.rec_batch_num": asked["batch_size"],
        **threads[asked["engine"]],
    }


if __name__ == "__main__":
    serve(start)
