"""Read a picture with the package paddleocr's own class: DETECTION RECOGNITION FILE.

The directories have Paddle's files of PP-OCRv4_mobile_det and PP-OCRv4_mobile_rec. Prints the arguments of
the class and the result as JSON.
"""

import inspect
import json
import sys

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
print(json.dumps({"arguments": arguments, "result": result.json["res"]}))
