"""Save a small recognition network in Paddle's format into the directory named on the command line."""

import sys

import paddle


class Recogniser(paddle.nn.Layer):
    """[B, 3, 48, W] -> [B, W/8, 5], a softmax over the last axis."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = paddle.nn.AvgPool2D(kernel_size=(48, 8), stride=(48, 8))
        self.classes = paddle.nn.Conv2D(3, 5, 1)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        columns = self.classes(self.cells(x)).squeeze(2).transpose([0, 2, 1])
        return paddle.nn.functional.softmax(columns, -1)


if __name__ == "__main__":
    network = Recogniser()
    network.eval()
    image = paddle.static.InputSpec([None, 3, 48, None], "float32", "x")
    paddle.jit.save(network, f"{sys.argv[1]}/inference", input_spec=[image])
