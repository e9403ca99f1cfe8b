"""Read a picture with the package paddleocr's own class: DETECTION RECOGNITION FILE.

The directories have Paddle's files of PP-OCRv4_mobile_det and PP-OCRv4_mobile_rec. Prints the arguments of
the class, the result, the names of its files, and what the other methods return as JSON.
"""

import inspect
import json
import sys
import tempfile
from pathlib import Path

from paddleocr import PaddleOCR

detection, recognition, file = sys.argv[1:]
engine = PaddleOCR(
    text_detection_model_name="PP-OCRv4_mobile_det",
    text_detection_model_dir=detection,
    text_recognition_model_name="PP-OCRv4_mobile_rec",
    text_recognition_model_dir=recognition,
    use_doc_orientation_classify=False,
    use_doc_unwarping=False,
    use_textline_orientation=False,
    return_word_box=True,
    enable_mkldnn=False,
)
(result,) = engine.predict(file, text_det_box_thresh=0.5)
arguments = {
    name: list(inspect.signature(getattr(PaddleOCR, name)).parameters)
    for name in ("__init__", "predict", "predict_iter")
}
with tempfile.TemporaryDirectory() as folder:
    result.save_to_json(folder)
    result.save_to_img(folder)
    files = sorted(path.name for path in Path(folder).iterdir())
print(
    json.dumps(
        {
            "arguments": arguments,
            "result": result.json["res"],
            "files": files,
            "iterated": [page["rec_texts"] for page in engine.predict_iter(file)],
            "legacy": [page["rec_texts"] for page in engine.ocr(file)],
        }
    )
)
