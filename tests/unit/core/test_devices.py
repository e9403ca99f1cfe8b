"""`--device`: names, engines, and the errors for a missing or full device."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from tritonocr_backend.core import devices
from tritonocr_backend.core.devices import (
    HARDWARE,
    Device,
    engine_for,
    instance_group_name,
    of_instance,
    parse,
)
from tritonocr_backend.core.errors import ServerError
from tritonocr_backend.engines import availability
from tritonocr_backend.engines.availability import GpuMemory, check_gpus

GIB = 1 << 30
FREE, BUSY = GpuMemory("H100", 70 * GIB, 80 * GIB), GpuMemory("T4", 1 * GIB, 16 * GIB)


class TestNames:
    @pytest.mark.parametrize(
        ("name", "device", "written"),
        [
            pytest.param("cpu", Device("cpu"), "cpu", id="not numbered"),
            pytest.param("gpu", Device("gpu", (0,)), "gpu:0", id="the first, as in PaddleX"),
            pytest.param("gpu:1", Device("gpu", (1,)), "gpu:1", id="one"),
            pytest.param("gpu:0,2", Device("gpu", (0, 2)), "gpu:0,2", id="several"),
            pytest.param("npu:0", Device("npu", (0,)), "npu:0", id="the tutorial's example"),
        ],
    )
    def test_are_paddlexs(self, name: str, device: Device, written: str) -> None:
        assert parse(name) == device
        assert str(device) == written

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            pytest.param("tpu", "got 'tpu', expected one of cpu, gpu, npu", id="no such kind"),
            pytest.param("gpu:", "as in gpu:0", id="no number"),
            pytest.param("gpu:-1", "as in gpu:0", id="no such number"),
            pytest.param("gpu:0, 1", "as in gpu:0", id="a space"),
            pytest.param("GPU", "expected one of", id="in capitals"),
            pytest.param("", "expected one of", id="none"),
            pytest.param("cpu:0", "expected cpu", id="a numbered CPU"),
            pytest.param("gpu:1,1", "contains a number twice", id="one twice"),
        ],
    )
    def test_that_are_wrong_are_refused(self, name: str, message: str) -> None:
        with pytest.raises(ServerError, match=message):
            parse(name)

    @pytest.mark.parametrize("kind", ["cpu", "gpu", "npu", "xpu", "mlu", "dcu", "gcu"])
    def test_of_paddlex_are_all_known(self, kind: str) -> None:
        assert set(HARDWARE[kind].engines) <= {"openvino", "onnxruntime", "paddle"}


class TestEngines:
    @pytest.mark.parametrize(
        ("device", "asked", "engine"),
        [
            pytest.param("cpu", "auto", "auto", id="the network's file decides"),
            pytest.param("gpu:0", "auto", "onnxruntime", id="CUDA"),
            pytest.param("gpu:0", "openvino", "openvino", id="an Intel GPU, if asked for"),
            pytest.param("xpu:0", "auto", "paddle", id="nothing else reaches it"),
        ],
    )
    def test_reach_a_device(self, device: str, asked: str, engine: str) -> None:
        assert engine_for(parse(device), asked) == engine

    def test_that_do_not_reach_it_say_which_do(self) -> None:
        with pytest.raises(ServerError) as error:
            engine_for(parse("mlu:0"), "openvino")
        assert str(error.value) == (
            "device: got 'mlu:0' (Cambricon MLU), which openvino does not support; "
            "expected one of the engines paddle"
        )

    @pytest.mark.parametrize(
        ("device", "engine", "message"),
        [
            pytest.param("npu:0", "onnxruntime", r"CANNExecutionProvider.*onnxruntime-cann", id="Ascend"),
            pytest.param("npu:0", "openvino", r"OpenVINO's NPU.*finds CPU", id="Intel's NPU"),
            pytest.param("gpu:0", "openvino", r"OpenVINO's GPU.*finds CPU", id="Intel's GPU"),
            pytest.param("dcu:0", "onnxruntime", r"MIGraphX.*onnxruntime-migraphx", id="ROCm"),
            pytest.param("dml:0", "onnxruntime", r"onnxruntime-directml.*Windows only", id="DirectML"),
            pytest.param("xpu:0", "paddle", "replace paddlepaddle by paddlepaddle-xpu", id="Kunlunxin"),
            pytest.param("mlu:0", "paddle", "paddle-custom-mlu", id="Cambricon"),
        ],
    )
    @pytest.mark.filterwarnings("ignore:No ccache found")  # Paddle, on import
    def test_that_lack_it_here_say_what_to_install(self, device: str, engine: str, message: str) -> None:
        with pytest.raises(ServerError, match=message):
            availability.require(parse(device), engine, 1)

    def test_openvino_is_given_the_first_of_its_devices_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        core = SimpleNamespace(available_devices=["CPU", "GPU.0", "GPU.1"])
        monkeypatch.setattr("openvino.Core", lambda: core)
        availability.require(parse("gpu:0"), "openvino", 1)
        with pytest.raises(ServerError, match="got 'gpu:1', expected gpu:0, the only one that OpenVINO"):
            availability.require(parse("gpu:1"), "openvino", 1)

    def test_that_are_not_installed_say_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(availability, "find_spec", lambda name: None)
        with pytest.raises(
            ServerError, match="needs the engine 'paddle': replace paddlepaddle by paddlepaddle-xpu"
        ):
            availability.require(parse("xpu:0"), "paddle", 1)

    def test_a_cpu_is_always_there(self) -> None:
        availability.require(parse("cpu"), "onnxruntime", 1000)


class TestInstances:
    @pytest.mark.parametrize(
        ("named", "kind", "number", "name", "device"),
        [
            pytest.param("cpu", "CPU", "0", "PP-OCRv4_mobile_rec_0_1", "cpu", id="a CPU"),
            pytest.param("gpu:0,1", "GPU", "1", "rec_0_gpu1", "gpu:1", id="Triton numbers NVIDIA's"),
            pytest.param("npu:3", "CPU", "0", "rec_0_0", "npu:3", id="the only one"),
            pytest.param(
                "npu:2,3", "CPU", "0", instance_group_name("rec", 3) + "_1", "npu:3", id="a group each"
            ),
            pytest.param(
                "npu:2,3", "CPU", "0", instance_group_name("rec_2", 2), "npu:2", id="one in a group"
            ),
        ],
    )
    def test_take_a_device_each(self, named: str, kind: str, number: str, name: str, device: str) -> None:
        arguments = {
            "model_instance_kind": kind,
            "model_instance_device_id": number,
            "model_instance_name": name,
        }
        assert str(of_instance(named, arguments)) == device


class TestNvidia:
    @pytest.mark.parametrize(
        ("device", "gpus", "message"),
        [
            pytest.param("gpu:0", [], "gpu:0 does not exist; this machine has no NVIDIA GPU", id="no GPU"),
            pytest.param(
                "gpu:0,2",
                [FREE, FREE],
                r"gpu:2 does not exist; this machine has gpu:0 \(H100\), gpu:1",
                id="too few",
            ),
            pytest.param(
                "gpu:0,1", [FREE, BUSY], r"gpu:1 \(T4\) has 1\.0 of 16\.0 GiB free.*at least 3\.0", id="full"
            ),
        ],
    )
    def test_gpus_that_are_missing_or_full_are_named(
        self, device: str, gpus: list[GpuMemory], message: str
    ) -> None:
        with pytest.raises(ServerError, match=message):
            check_gpus(parse(device), gpus, 3 * GIB)

    def test_one_that_is_not_used_may_be_full(self) -> None:
        check_gpus(parse("gpu:0"), [FREE, BUSY], 3 * GIB)

    def test_without_a_driver_there_is_one_sentence(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._install(monkeypatch, [], driver=False)
        with pytest.raises(ServerError, match=r"no NVIDIA driver answers here \(no library\).*--device cpu"):
            availability.require(parse("gpu:0"), "onnxruntime", 1)

    def test_a_gpu_without_its_provider_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._install(monkeypatch, [FREE])
        with pytest.raises(ServerError, match=r"needs ONNX Runtime's CUDAExecutionProvider.*onnxruntime-gpu"):
            availability.require(parse("gpu:0"), "onnxruntime", 1)

    @pytest.mark.parametrize(
        ("visible", "names"),
        [
            pytest.param(None, ["H100", "T4"], id="all"),
            pytest.param("1", ["T4"], id="numbered anew"),
            pytest.param("GPU-1, GPU-0", ["T4", "H100"], id="by UUID"),
            pytest.param("", [], id="none"),
            pytest.param("-1", [], id="-1 hides every GPU"),
            pytest.param("NoDevFiles", [], id="a word hides every GPU"),
            pytest.param("1,-1,0", ["T4"], id="an invalid entry ends the list"),
            pytest.param("1,7", ["T4"], id="a number that is too high ends the list"),
        ],
    )
    def test_gpus_are_numbered_as_cuda_sees_them(
        self, visible: str | None, names: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self._install(monkeypatch, [FREE, BUSY])
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert [gpu.name for gpu in availability.read_gpus()] == names

    @staticmethod
    def _install(monkeypatch: pytest.MonkeyPatch, gpus: list[GpuMemory], *, driver: bool = True) -> None:
        """Put a library in the place of NVIDIA's."""

        class NVMLError(Exception):
            pass

        def init() -> None:
            if not driver:
                raise NVMLError("no library")

        def memory(gpu: GpuMemory) -> Any:
            return SimpleNamespace(free=gpu.free_bytes, total=gpu.total_bytes)

        def by_index(index: int) -> GpuMemory:
            if index >= len(gpus):
                raise NVMLError("Invalid Argument")
            return gpus[index]

        def by_uuid(uuid: str) -> GpuMemory:
            if not uuid.startswith("GPU-"):
                raise NVMLError("Not Found")
            return gpus[int(uuid.removeprefix("GPU-"))]

        library = SimpleNamespace(
            NVMLError=NVMLError,
            nvmlInit=init,
            nvmlShutdown=lambda: None,
            nvmlDeviceGetCount=lambda: len(gpus),
            nvmlDeviceGetHandleByIndex=by_index,
            nvmlDeviceGetHandleByUUID=by_uuid,
            nvmlDeviceGetMemoryInfo=memory,
            nvmlDeviceGetName=lambda gpu: gpu.name,
        )
        monkeypatch.setitem(sys.modules, "pynvml", library)


def test_onnx_runtime_s_own_list_of_providers_is_what_counts() -> None:
    devices.require_provider(parse("gpu:0"), ["TensorrtExecutionProvider", "CUDAExecutionProvider"])
    with pytest.raises(ServerError, match="this installation has CPUExecutionProvider"):
        devices.require_provider(parse("gpu:0"), ["CPUExecutionProvider"])
