"""UVDoc as PaddleX expects it: image in, flat image out, sampled inside the graph at full size."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17  # the first with GridSample is 16


def with_sampling(network: onnx.ModelProto) -> onnx.ModelProto:
    """Return a float32 graph around a network that returns a sampling grid.

    Args:
        network: float32 [1, 3, 712, 488] RGB in 0..1 to [1, 2, 45, 31]; x and y in -1..1.

    Returns:
        float32 [1, 3, H, W] BGR in 0..1 to the same of the flat page, RGB.
    """
    image, grid = network.graph.input[0], network.graph.output[0]
    size = [1, *(dim.dim_value for dim in image.type.tensor_type.shape.dim[1:])]
    before = [
        helper.make_node("Gather", ["x", "bgr"], ["rgb"], axis=1),
        helper.make_node("Resize", ["rgb", "", "", "network_size"], [image.name], mode="linear"),
    ]
    after = [
        helper.make_node("Shape", ["x"], ["page_sides"], start=2, end=4),
        helper.make_node("Concat", ["grid_channels", "page_sides"], ["page_size"], axis=0),
        helper.make_node(
            "Resize",
            [grid.name, "", "", "page_size"],
            ["places"],
            mode="linear",
            coordinate_transformation_mode="align_corners",
        ),
        helper.make_node("Transpose", ["places"], ["places_last"], perm=[0, 2, 3, 1]),
        helper.make_node("GridSample", ["rgb", "places_last"], ["flat"], align_corners=1),
    ]
    constants = {"bgr": [2, 1, 0], "network_size": size, "grid_channels": [1, 2]}
    graph = helper.make_graph(
        [*before, *network.graph.node, *after],
        "unwarping",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, "h", "w"])],
        [helper.make_tensor_value_info("flat", TensorProto.FLOAT, [1, 3, "h", "w"])],
        [
            *network.graph.initializer,
            *(numpy_helper.from_array(np.array(v, np.int64), name) for name, v in constants.items()),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
