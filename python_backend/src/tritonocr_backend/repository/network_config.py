"""Write the `config.pbtxt` of a network: tensors, devices and batching.

Two backends run a network with the same tensors. `python` uses the engines of TritonOCR on any device.
`onnxruntime` is Triton's own backend, which is part of NVIDIA's server image.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tritonocr_backend.core import devices
from tritonocr_backend.core.contracts import (
    DOC_ORIENTATION_SIZE_PX,
    GRID_OUTPUTS,
    IMAGE_SIZES,
    LINE_HEIGHT_PX,
    LINE_ORIENTATION_SIZE_PX,
    MAX_WIDTH_PX,
    NATIVE_OUTPUTS,
    NETWORK_OUTPUTS,
    WIDTH_STEP_PX,
    Role,
)
from tritonocr_backend.core.devices import Device
from tritonocr_backend.engines.fixed_shapes import BATCH_SIZES, LINE_WIDTHS_PX, largest_batch
from tritonocr_backend.pipeline.text_crop import MIN_EXACT_WIDTH_PX
from tritonocr_backend.repository.cpu_sharing import available_cores, share
from tritonocr_backend.repository.serving_settings import GPU_BATCH_DELAY_US, ServingSettings

Shape = tuple[int, ...]

MAX_UNSORTED_LINES = 256


@dataclass(frozen=True)
class RoleServing:
    """Settings for the networks of one role.

    Attributes:
        max_batch_size: largest batch that Triton forms.
        instances: number of instances per GPU.
        merges_lines: whether a batch may wait for lines of other pages.
        warm_up: (batch, height, width) in pixels of the warm-up requests on a GPU.
    """

    max_batch_size: int
    instances: int
    merges_lines: bool = False
    warm_up: tuple[tuple[int, int, int], ...] = ()


_WARM_WIDTHS_PX = tuple(width for width in LINE_WIDTHS_PX if width <= 1024)

SERVING: Mapping[Role, RoleServing] = {
    Role.DOC_ORIENTATION: RoleServing(8, 1, warm_up=((1, *DOC_ORIENTATION_SIZE_PX),)),
    Role.DOC_UNWARPING: RoleServing(1, 1, warm_up=((1, 1280, 960),)),
    Role.TEXT_DETECTION: RoleServing(4, 1, warm_up=((1, 960, 960), (1, 960, 704), (1, 704, 960))),
    Role.TEXTLINE_ORIENTATION: RoleServing(
        64, 1, True, tuple((batch, *LINE_ORIENTATION_SIZE_PX) for batch in BATCH_SIZES[:2])
    ),
    Role.TEXT_RECOGNITION: RoleServing(
        64, 2, True, tuple((8, LINE_HEIGHT_PX, width) for width in _WARM_WIDTHS_PX)
    ),
}

_OUTPUT_TYPES: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "unwarped": ("TYPE_UINT8", (-1, -1, 3)),
    "grid": ("TYPE_FP32", (2, -1, -1)),
    "probability": ("TYPE_FP32", (-1, -1)),
    "probability_uint8": ("TYPE_UINT8", (-1, -1)),
    "probabilities": ("TYPE_FP32", (-1,)),
    "indices": ("TYPE_INT32", (-1,)),
    "confidences": ("TYPE_FP32", (-1,)),
}

# Parameters of the onnxruntime backend: heuristic search of cuDNN's algorithms (1), because an exhaustive
# search per batch size is slow, and growth of the arena by the requested size (1, kSameAsRequested).
_CUDA_PARAMETERS = {"cudnn_conv_algo_search": "1", "arena_extend_strategy": "1"}


@dataclass(frozen=True)
class ShapeProfile:
    """Shapes [B, H, W, 3] of `image` that a TensorRT network accepts, from `least` to `most`."""

    least: Shape
    usual: Shape
    most: Shape


def tensorrt_profile(role: Role) -> ShapeProfile | None:
    """Return the image shapes of a role for TensorRT, or None if images of the role can have any size.

    Networks without a profile run on CUDA. ONNX Runtime uses only the first of several profiles, so one
    profile covers all line widths, and its batch is small enough for the widest lines.
    """
    height, width = IMAGE_SIZES[role]
    most = min(SERVING[role].max_batch_size, largest_batch(role, tensorrt=True))
    if height is None:
        return None
    widths = (width, width, width) if width else (WIDTH_STEP_PX, MIN_EXACT_WIDTH_PX, MAX_WIDTH_PX)
    batches = (1, max(1, most // 4), most)
    return ShapeProfile(*((batch, height, w, 3) for batch, w in zip(batches, widths, strict=True)))


def uses_tensorrt(role: Role, serving: ServingSettings) -> bool:
    """Return whether TensorRT compiles the networks of a role."""
    return serving.is_cuda and serving.accelerator == "tensorrt" and tensorrt_profile(role) is not None


def network_config(
    name: str,
    role: Role,
    serving: ServingSettings,
    *,
    output_dims: Mapping[str, Iterable[int]] | None = None,
    grid_input_size: tuple[int, int] | None = None,
    languages: Iterable[str] = (),
) -> str:
    """Return the `config.pbtxt` of a network.

    Args:
        name: name of the network.
        role: role of the network.
        serving: settings for running the network.
        output_dims: dimensions of each output in the graph, without the batch. The onnxruntime backend
            requires exactly these dimensions.
        grid_input_size: (height, width) in pixels of the image of an unwarping network that returns a grid.
        languages: codes of `lang` that the network reads. Clients find them among its parameters.
    """
    dims = [*(size or -1 for size in grid_input_size or IMAGE_SIZES[role]), 3]
    image_type = "TYPE_FP32" if grid_input_size else "TYPE_UINT8"
    names = GRID_OUTPUTS if grid_input_size else _output_names(role, serving)
    sections = [
        f'name: "{name}"\n'
        f'backend: "{serving.backend}"\n'
        f"max_batch_size: {_max_batch_size(role, serving)}\n"
        f'input [ {{ name: "image" data_type: {image_type} dims: {_list(dims)}{_ragged(role, serving)} }} ]'
        "\n",
        _outputs(names, output_dims or {}),
        _batching(role, serving),
        _instance_groups(name, role, serving),
    ]
    if codes := " ".join(languages):
        sections.append(f'parameters {{ key: "languages" value: {{ string_value: "{codes}" }} }}\n')
    if serving.backend == "onnxruntime":
        sections.extend(_onnxruntime(role, serving))
    if serving.is_cuda:
        shapes = [(1, *grid_input_size)] if grid_input_size else SERVING[role].warm_up
        sections.append(_warm_up(image_type, shapes))
    return "".join(sections)


def _sorts_lines(role: Role, serving: ServingSettings) -> bool:
    """Return whether an instance receives lines of all widths and batches equal widths (engines.batching)."""
    return serving.backend == "python" and role is Role.TEXT_RECOGNITION


def _max_batch_size(role: Role, serving: ServingSettings) -> int:
    if _sorts_lines(role, serving):
        return MAX_UNSORTED_LINES
    largest = largest_batch(role, tensorrt=uses_tensorrt(role, serving))
    return min(SERVING[role].max_batch_size, largest)


def _ragged(role: Role, serving: ServingSettings) -> str:
    return " allow_ragged_batch: true" if _sorts_lines(role, serving) else ""


def cores_of(serving: ServingSettings) -> int:
    """Return the number of CPU cores of the machine that serves the repository."""
    return serving.cores or available_cores()


def instances(name: str, role: Role, serving: ServingSettings) -> int:
    """Return the number of instances of a network per device."""
    stated = serving.instances.get(name) or serving.instances.get(role.value)
    return stated or (share(role, cores_of(serving)) if serving.is_cpu else SERVING[role]).instances


def threads(name: str, role: Role, serving: ServingSettings) -> int:
    """Return the number of threads per instance of a network; 0 lets the engine choose."""
    shared = share(role, cores_of(serving), instances(name, role, serving)) if serving.is_cpu else None
    return serving.threads.get(role, shared.threads if shared else 0)


def _output_names(role: Role, serving: ServingSettings) -> Iterable[str]:
    native = NATIVE_OUTPUTS if serving.backend == "onnxruntime" else {}
    return native.get(role, NETWORK_OUTPUTS[role])


def _outputs(names: Iterable[str], known_dims: Mapping[str, Iterable[int]]) -> str:
    outputs = ",\n".join(_output(name, known_dims) for name in names)
    return f"output [\n{outputs}\n]\n"


def _output(name: str, known_dims: Mapping[str, Iterable[int]]) -> str:
    data_type, dims = _OUTPUT_TYPES[name]
    return f'  {{ name: "{name}" data_type: {data_type} dims: {_list(known_dims.get(name, dims))} }}'


def _list(numbers: Iterable[int]) -> str:
    return f"[ {', '.join(str(number) for number in numbers)} ]"


def batch_delay_us(serving: ServingSettings) -> int:
    """Return how many microseconds lines wait for a larger batch."""
    default_us = GPU_BATCH_DELAY_US if serving.is_cuda else 0
    return default_us if serving.batch_delay_us is None else serving.batch_delay_us


def _batching(role: Role, serving: ServingSettings) -> str:
    if serving.backend == "onnxruntime" and SERVING[role].merges_lines:
        return ""  # `line_batching` sends batches of fixed sizes, and joining two of them gives another size
    delay_us = batch_delay_us(serving)
    if not delay_us or not SERVING[role].merges_lines:
        return "dynamic_batching { }\n"
    return f"dynamic_batching {{ max_queue_delay_microseconds: {delay_us} }}\n"


def _instance_groups(name: str, role: Role, serving: ServingSettings) -> str:
    device, count = devices.parse(serving.device), instances(name, role, serving)
    if serving.is_cuda:
        group = f"{{ count: {count} kind: KIND_GPU gpus: {_list(device.indices)} }}"
        return f"instance_group [ {group} ]\n"
    groups = ", ".join(_cpu_groups(name, device, count))
    return f"instance_group [ {groups} ]\n"


def _cpu_groups(name: str, device: Device, count: int) -> Iterator[str]:
    """Yield one group per device, named after the device, because Triton numbers only NVIDIA GPUs."""
    if len(device.indices) < 2:
        yield f"{{ count: {count} kind: KIND_CPU }}"
        return
    for index in device.indices:
        group = devices.instance_group_name(name, index)
        yield f'{{ name: "{group}" count: {count} kind: KIND_CPU }}'


def _onnxruntime(role: Role, serving: ServingSettings) -> Iterator[str]:
    """Yield the settings of Triton's onnxruntime backend.

    `precision_mode` is omitted: TensorRT then computes each layer in the type that the graph states.
    TensorRT 11 has no other mode.
    """
    if not serving.is_cuda:
        return
    for key, value in _CUDA_PARAMETERS.items():
        yield f'parameters {{ key: "{key}" value: {{ string_value: "{value}" }} }}\n'
    profile = tensorrt_profile(role)
    if profile is None or not uses_tensorrt(role, serving):
        return
    options = {
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": serving.engine_cache,
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": serving.engine_cache,
        **profile_options(profile),
    }
    lines = "".join(f'    parameters {{ key: "{key}" value: "{options[key]}" }}\n' for key in options)
    yield (
        "optimization { execution_accelerators {\n"
        f'  gpu_execution_accelerator [ {{\n    name: "tensorrt"\n{lines}  }} ]\n'
        "} }\n"
    )


def profile_options(profile: ShapeProfile) -> dict[str, str]:
    """Return the profile as options of ONNX Runtime's TensorRT provider."""
    shapes = {"min": profile.least, "opt": profile.usual, "max": profile.most}
    return {f"trt_profile_{key}_shapes": f"image:{'x'.join(map(str, s))}" for key, s in shapes.items()}


def _warm_up(image_type: str, shapes: Iterable[tuple[int, int, int]]) -> str:
    """Return the warm-up requests that Triton sends before a network is ready.

    The first request of each size is slow, and the warm-up requests avoid this delay for users.

    Args:
        image_type: Triton's data type of `image`.
        shapes: (batch, height, width) of each request; height and width in pixels.
    """
    return "".join(
        f'model_warmup [ {{ name: "{batch}x{height}x{width}" batch_size: {batch} inputs {{ key: "image" '
        f"value {{ data_type: {image_type} dims: {_list((height, width, 3))} zero_data: true }} }} }} ]\n"
        for batch, height, width in shapes
    )
