"""Print the text cells of a picture as JSON, read by Docling's own client in Docling's environment."""

import json
import sys

from docling.datamodel.accelerator_options import AcceleratorOptions
from docling.datamodel.pipeline_options import KserveV2OcrOptions
from docling.models.stages.ocr.kserve_v2_ocr_model import KserveV2OcrModel
from docling_core.types.doc import BoundingBox
from PIL import Image

transport, url, language, path = sys.argv[1:]
options = KserveV2OcrOptions(
    url=url,
    transport=transport,
    model_name="docling_ocr",
    lang=[language],
    force_full_page_ocr=True,
    scale=1.0,
)
model = KserveV2OcrModel(
    enabled=True,
    artifacts_path=None,
    options=options,
    accelerator_options=AcceleratorOptions(),
    enable_remote_services=True,
)
picture = Image.open(path)
outputs = model._kserve_client.infer(
    inputs={"lang_type": model._lang_input, "image": model._preprocess_image(picture)},
    output_names=["boxes", "txts", "scores"],
    request_parameters=options.request_parameters,
)
rect = BoundingBox(l=0, t=0, r=picture.width, b=picture.height)
cells = model._create_text_cells(outputs["boxes"], outputs["txts"], outputs["scores"], rect)
json.dump([{"text": cell.text, "box": cell.rect.to_bounding_box().as_tuple()} for cell in cells], sys.stdout)
