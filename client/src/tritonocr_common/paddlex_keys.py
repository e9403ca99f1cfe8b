"""Keys of PaddleX's own `OCR.yaml` that have no effect here and are no reason for a warning."""

# The server chooses its batches, and limits the detection's size to PaddleX's default of 4000 pixels itself.
KEYS_WITHOUT_EFFECT = frozenset({"batch_size", "max_side_limit"})
