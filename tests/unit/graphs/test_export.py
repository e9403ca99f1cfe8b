"""The exported contract graph gives what the plain network gives on a page normalised in NumPy."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto
from onnx_networks import CLASSES, GRID, GRID_INPUT, grid_network, network

from tritonocr_backend.core.contracts import GRID_OUTPUTS, IMAGE_SIZES, NETWORK_OUTPUTS, PADDING_BGR, Role
from tritonocr_backend.engines import EngineOptions, Network, create_engine
from tritonocr_backend.graphs.export import export_contract_graph, grid_input_size
from tritonocr_backend.graphs.full_precision import widen
from tritonocr_backend.zoo import inference_config
from tritonocr_backend.zoo.errors import ModelFormatError
from tritonocr_backend.zoo.inference_config import InferenceConfig

ENGINES = ("onnxruntime", "openvino")
OPSETS = (11, 13, 16, 18, 20, 21)


def config_of(role: Role) -> InferenceConfig:
    name = "UVDoc" if role is Role.DOC_UNWARPING else f"my_{role.value}"
    return inference_config.parse(inference_config.compose(role, name, characters="abcde"))


def images(role: Role) -> NDArray[np.uint8]:
    """Two of them, of the size that the role's contract states."""
    height, width = (size or 64 for size in IMAGE_SIZES[role])
    return np.random.default_rng(1).integers(0, 256, (2, height, width, 3), dtype=np.uint8)


def normalised(image: NDArray[np.uint8], config: InferenceConfig) -> NDArray[np.float32]:
    """(pixel * scale - mean) / std, channel by channel, NHWC to NCHW."""
    norm = config.normalisation
    channels = image[..., ::-1] if norm.channel_order == "RGB" else image
    values = (channels.astype(np.float64) * norm.scale - norm.mean) / norm.std
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2), dtype=np.float32)


def run_plain(model: onnx.ModelProto, values: NDArray[Any]) -> NDArray[Any]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: values})[0])


def run_exported(
    model: onnx.ModelProto,
    config: InferenceConfig,
    image: NDArray[np.uint8],
    engine: str,
    directory: Path,
    outputs: tuple[str, ...] = (),
) -> list[NDArray[Any]]:
    onnx.save(model, directory / "plain.onnx")
    export_contract_graph(directory / "plain.onnx", config, directory / "model.onnx")
    onnx.checker.check_model(onnx.load(directory / "model.onnx"), full_check=True)
    outputs, options = outputs or NETWORK_OUTPUTS[config.role], EngineOptions(precision="f32")
    loaded = create_engine(engine, Network(directory, config.role, outputs, config.normalisation, options))
    return loaded.infer(image)


@pytest.mark.parametrize("engine", ENGINES)
class TestEveryRole:
    @pytest.mark.parametrize("role", [Role.DOC_ORIENTATION, Role.TEXTLINE_ORIENTATION])
    def test_classifiers_see_rgb_and_give_probabilities(
        self, role: Role, engine: str, tmp_path: Path
    ) -> None:
        image, config, model = images(role), config_of(role), network(role)
        assert config.normalisation.channel_order == "RGB"
        (probabilities,) = run_exported(model, config, image, engine, tmp_path)
        assert probabilities.shape == (2, CLASSES[role])
        assert np.abs(probabilities - run_plain(model, normalised(image, config))).max() < 1e-4

    def test_detection_sees_bgr_and_gives_a_map(self, engine: str, tmp_path: Path) -> None:
        image, config, model = (
            images(Role.TEXT_DETECTION),
            config_of(Role.TEXT_DETECTION),
            network(Role.TEXT_DETECTION),
        )
        assert config.normalisation.channel_order == "BGR"
        (probability,) = run_exported(model, config, image, engine, tmp_path)
        assert probability.shape == (2, 64, 64)
        assert np.abs(probability - run_plain(model, normalised(image, config))[:, 0]).max() < 1e-4

    def test_recognition_gives_the_best_class_and_its_confidence(self, engine: str, tmp_path: Path) -> None:
        role = Role.TEXT_RECOGNITION
        image, config, model = images(role), config_of(role), network(role)
        indices, confidences = run_exported(model, config, image, engine, tmp_path)
        classes = run_plain(model, normalised(image, config))
        assert indices.dtype == np.int32
        assert (indices == classes.argmax(axis=2)).all()
        assert np.abs(confidences - classes.max(axis=2)).max() < 1e-4

    def test_padding_is_0_after_normalisation(self, engine: str, tmp_path: Path) -> None:
        role = Role.TEXT_RECOGNITION
        image, config, model = images(role), config_of(role), network(role)
        image[0, :, 40:] = PADDING_BGR
        values = normalised(image, config)
        values[0, :, :, 40:] = 0
        indices, confidences = run_exported(model, config, image, engine, tmp_path)
        classes = run_plain(model, values)
        assert (indices == classes.argmax(axis=2)).all()
        assert np.abs(confidences - classes.max(axis=2)).max() < 1e-4

    def test_a_colour_that_is_padding_in_two_channels_is_none(self, engine: str, tmp_path: Path) -> None:
        role = Role.TEXT_RECOGNITION
        image, config, model = images(role), config_of(role), network(role)
        for row, channel in enumerate((0, 1)):
            colour = list(PADDING_BGR)
            colour[channel] = 100
            image[row, :, 40:] = colour
        _, confidences = run_exported(model, config, image, engine, tmp_path)
        assert np.abs(confidences - run_plain(model, normalised(image, config)).max(axis=2)).max() < 1e-4

    def test_unwarping_of_image_to_image_is_cut_to_whole_numbers(self, engine: str, tmp_path: Path) -> None:
        role = Role.DOC_UNWARPING
        image, config, model = images(role), config_of(role), network(role)
        (unwarped,) = run_exported(model, config, image, engine, tmp_path)
        plain = run_plain(model, normalised(image, config)).transpose(0, 2, 3, 1) * 255
        assert unwarped.dtype == np.uint8
        assert 0 < (plain < 0).mean() < 1, "some values are out of range"
        assert (plain > 255).any()
        difference = unwarped - np.clip(plain, 0, 255)
        assert difference.max() < 1e-2
        assert difference.min() > -1 - 1e-2

    @pytest.mark.parametrize("element_type", [TensorProto.FLOAT, TensorProto.FLOAT16], ids=["f32", "f16"])
    def test_unwarping_by_a_grid_gives_the_grid_in_f32(
        self, engine: str, element_type: int, tmp_path: Path
    ) -> None:
        """A network of float16 weights computes in float32: in float16 its grid is off by up to a pixel."""
        config, model = config_of(Role.DOC_UNWARPING), grid_network(element_type=element_type)
        image = np.random.default_rng(2).uniform(0, 255, (1, *GRID_INPUT, 3)).astype(np.float32)
        (grid,) = run_exported(model, config, image, engine, tmp_path, GRID_OUTPUTS)
        widen(model)
        expected = run_plain(model, normalised(image, config))
        assert grid.dtype == np.float32
        assert grid.shape == (1, 2, *GRID)
        assert np.abs(grid - expected).max() < 1e-5
        assert grid_input_size(tmp_path / "plain.onnx") == GRID_INPUT
        exported = onnx.load(tmp_path / "model.onnx").graph
        assert TensorProto.FLOAT16 not in {tensor.data_type for tensor in exported.initializer}
        assert [d.dim_value for d in exported.input[0].type.tensor_type.shape.dim][1:] == [*GRID_INPUT, 3]


class TestOtherPeoplesFiles:
    """Imported networks come in any opset and with any names."""

    @pytest.mark.parametrize("opset", OPSETS)
    @pytest.mark.parametrize("role", Role)
    @pytest.mark.parametrize("engine", ENGINES)
    def test_any_opset_will_do(self, role: Role, opset: int, engine: str, tmp_path: Path) -> None:
        config, image = config_of(role), images(role)
        usual = run_exported(network(role), config, image, "onnxruntime", tmp_path)
        outputs = run_exported(network(role, opset=opset), config, image, engine, tmp_path)
        for output, expected in zip(outputs, usual, strict=True):
            assert np.abs(output.astype(float) - expected).max() <= (1 if output.dtype == np.uint8 else 1e-4)

    @pytest.mark.parametrize("opset", OPSETS)
    def test_of_a_grid_too(self, opset: int, tmp_path: Path) -> None:
        config, page = config_of(Role.DOC_UNWARPING), images(Role.DOC_UNWARPING)[:1]
        page = page[:, : GRID_INPUT[0], : GRID_INPUT[1]].astype(np.float32)
        usual = run_exported(grid_network(), config, page, "onnxruntime", tmp_path, GRID_OUTPUTS)
        (grid,) = run_exported(grid_network(opset=opset), config, page, "onnxruntime", tmp_path, GRID_OUTPUTS)
        assert np.abs(grid - usual[0]).max() < 1e-5

    @pytest.mark.parametrize("role", Role)
    @pytest.mark.parametrize(
        ("names", "reason"),
        [
            ({"input_name": "image"}, "PaddleX's own UVDoc calls its input image"),
            ({"inner_name": "image"}, "a tensor inside called like our input"),
            ({"inner_name": "tritonocr_0_0"}, "a tensor with a name that export uses"),
            ({"output_name": "output"}, "an output called like our own"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_names_do_not_collide_with_ours(
        self, role: Role, names: dict[str, str], reason: str, tmp_path: Path
    ) -> None:
        if names.get("output_name"):
            names = {"output_name": NETWORK_OUTPUTS[role][0]}
        config, image = config_of(role), images(role)
        usual = run_exported(network(role), config, image, "onnxruntime", tmp_path)
        renamed = run_exported(network(role, **names), config, image, "onnxruntime", tmp_path)
        for output, expected in zip(renamed, usual, strict=True):
            assert (output == expected).all()


class TestRefusals:
    def test_no_onnx_file(self, tmp_path: Path) -> None:
        (tmp_path / "plain.onnx").write_bytes(b"nonsense")
        with pytest.raises(ModelFormatError, match=r"plain\.onnx is not an ONNX model"):
            export_contract_graph(
                tmp_path / "plain.onnx", config_of(Role.TEXT_DETECTION), tmp_path / "model.onnx"
            )

    def test_two_inputs(self, tmp_path: Path) -> None:
        model = network(Role.TEXT_DETECTION)
        extra = onnx.helper.make_tensor_value_info("scale", TensorProto.FLOAT, [1])
        model.graph.input.append(extra)
        onnx.save(model, tmp_path / "plain.onnx")
        with pytest.raises(ModelFormatError, match=r"inputs of the network: got \['x', 'scale'\]"):
            export_contract_graph(
                tmp_path / "plain.onnx", config_of(Role.TEXT_DETECTION), tmp_path / "model.onnx"
            )


def test_the_graphs_input_is_the_contracts(tmp_path: Path) -> None:
    for role in Role:
        onnx.save(network(role), tmp_path / "plain.onnx")
        export_contract_graph(tmp_path / "plain.onnx", config_of(role), tmp_path / "model.onnx")
        graph = onnx.load(tmp_path / "model.onnx").graph
        (image,) = (i for i in graph.input if i.name not in {w.name for w in graph.initializer})
        dims = [dim.dim_value or None for dim in image.type.tensor_type.shape.dim]
        assert (image.name, image.type.tensor_type.elem_type) == ("image", TensorProto.UINT8)
        assert dims == [None, *IMAGE_SIZES[role], 3]
        assert tuple(output.name for output in graph.output) == NETWORK_OUTPUTS[role]
