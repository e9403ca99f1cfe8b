"""The inputs of `predict()`: what an argument stands for, and how each file's content is read."""
