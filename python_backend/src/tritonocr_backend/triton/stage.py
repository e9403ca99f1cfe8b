"""A stage of the pipeline as a Triton model."""

from __future__ import annotations

import json

import cv2
import triton_python_backend_utils as pb_utils

from tritonocr_backend.core import logs
from tritonocr_backend.core.repository_view import RepositoryView
from tritonocr_backend.pipeline.stages import run_stage
from tritonocr_backend.triton.cancellation import CancellationCheck
from tritonocr_backend.triton.errors import error_response
from tritonocr_backend.triton.heartbeat import HANG_LIMIT_S, Heartbeat
from tritonocr_backend.triton.metrics import InstanceMetrics
from tritonocr_backend.triton.tensors import decode_strings, read_inputs, response


class StageModel:
    """Run the stage of the model's name, each request alone: an invalid request affects no other."""

    def initialize(self, args: dict[str, str]) -> None:
        """See Triton's Python backend."""
        logs.configure()
        cv2.setNumThreads(1)  # instances run in parallel
        config = json.loads(args["model_config"])
        self._name = args["model_name"]
        self._strings = {i["name"] for i in config["input"] if i["data_type"] == "TYPE_STRING"}
        self._repository = RepositoryView.beside(args["model_repository"])
        self._metrics, self._heartbeat = InstanceMetrics(args), Heartbeat(HANG_LIMIT_S)

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """See Triton's Python backend."""
        with self._heartbeat.working():
            answers = [self._answer(request) for request in requests]
        self._metrics.executed()
        return answers

    def finalize(self) -> None:
        """See Triton's Python backend."""
        del self._metrics

    def _answer(self, request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        try:
            inputs = read_inputs(request)
            inputs |= {name: decode_strings(inputs[name], name) for name in self._strings}
            outputs = run_stage(self._name, inputs, self._repository, CancellationCheck(request))
            return response(outputs, request.requested_output_names())
        except Exception as error:  # becomes the response to this request
            return error_response(error, request.request_id())
