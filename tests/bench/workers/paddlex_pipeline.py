"""PaddleX: its OCR pipeline as its users create it. Runs in PaddleX's own environment."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from protocol import Answer, File, Lines, configuration, one_by_one, serve


def create(asked: dict[str, Any]) -> Any:
    """The pipeline: the same weights and settings as every subject."""
    import paddlex

    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:  # JSON is YAML, too
        json.dump(pipeline_config(asked), file)
        file.flush()
        engine = asked["engine"]
        return paddlex.create_pipeline(
            pipeline=file.name, device="cpu", engine=engine, engine_config=_ENGINES[engine](asked["threads"])
        )


_ENGINES: dict[str, Callable[[int], dict[str, Any]]] = {
    "paddle_static": lambda threads: {"run_mode": "mkldnn", "cpu_threads": threads},
    "onnxruntime": lambda threads: {"intra_op_num_threads": threads},
}


def pipeline_config(asked: dict[str, Any]) -> dict[str, Any]:
    """PaddleX's OCR.yaml."""
    return {
        "pipeline_name": "OCR",
        "text_type": "general",
        "use_doc_preprocessor": bool(asked["preprocessing"]),
        "use_textline_orientation": bool(asked["preprocessing"]),
        **_doc_preprocessor(asked["preprocessing"]),
        "SubModules": {
            **_textline_orientation(asked["preprocessing"]),
            "TextDetection": {
                "module_name": "text_detection",
                "model_name": asked["detection"],
                "model_dir": asked["detection_dir"],
                "limit_side_len": asked["limit_side_len"],
                "limit_type": "max",
                "max_side_limit": 4000,
                "thresh": asked["thresh"],
                "box_thresh": asked["box_thresh"],
                "unclip_ratio": asked["unclip_ratio"],
            },
            "TextRecognition": {
                "module_name": "text_recognition",
                "model_name": asked["recognition"],
                "model_dir": asked["recognition_dir"],
                "batch_size": asked["batch_size"],
                "score_thresh": 0.0,
            },
        },
    }


def _doc_preprocessor(networks: dict[str, dict[str, str]]) -> dict[str, Any]:
    """The sub-pipeline of document orientation and unwarping; empty without their networks."""
    if not networks:
        return {}
    pipeline = {
        "pipeline_name": "doc_preprocessor",
        "use_doc_orientation_classify": True,
        "use_doc_unwarping": True,
        "SubModules": {
            "DocOrientationClassify": _module("doc_text_orientation", networks["doc_orientation"]),
            "DocUnwarping": _module("image_unwarping", networks["doc_unwarping"]),
        },
    }
    return {"SubPipelines": {"DocPreprocessor": pipeline}}


def _textline_orientation(networks: dict[str, dict[str, str]]) -> dict[str, Any]:
    if not networks:
        return {}
    module = _module("textline_orientation", networks["textline_orientation"])
    return {"TextLineOrientation": {**module, "batch_size": 8}}  # of PaddleX's own OCR.yaml: 6 or 8


def _module(name: str, network: dict[str, str]) -> dict[str, str]:
    return {"module_name": name, "model_name": network["name"], "model_dir": network["dir"]}


def start() -> Callable[[Sequence[File]], Answer]:
    """The function that reads pages."""
    asked = configuration()
    pipeline = create(asked)

    def read(file: File) -> Lines:
        limit = asked["limit_side_len"]
        results = pipeline.predict(_input(file), text_det_limit_side_len=limit, text_det_limit_type="max")
        return [line for result in results for line in _lines(result.json["res"])]

    return one_by_one(read)


def _input(file: File) -> Any:
    if Path(file.path).suffix == ".pdf":
        return file.path
    if isinstance(file.data, bytes):
        return cv2.imdecode(np.frombuffer(file.data, np.uint8), cv2.IMREAD_COLOR)
    return file.data


def _lines(result: dict[str, Any]) -> Lines:
    return list(zip(result["rec_polys"], result["rec_texts"], strict=True))


if __name__ == "__main__":
    serve(start)
