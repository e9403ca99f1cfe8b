"""Print the Markdown of a PDF that Docling converts with remote OCR: TRANSPORT URL FILE.

The weights of Docling's layout model are in no package, so a layout model without regions takes its place:
Docling then makes a text item of each line.
"""
# ruff: noqa: E402 (the packages are replaced before the imports)

import sys
from collections.abc import Sequence
from typing import Any, ClassVar
from unittest.mock import MagicMock

# Docling imports these packages (3 GB) with its other models, which do not run here.
for name in ("torch", "torchvision", "torchvision.transforms", "transformers"):
    sys.modules[name] = MagicMock(__spec__=None)

from docling.datamodel.base_models import InputFormat, LayoutPrediction, Page
from docling.datamodel.pipeline_options import BaseLayoutOptions, KserveV2OcrOptions, PdfPipelineOptions
from docling.document_converter import DocumentConverter, PdfFormatOption
from docling.models.base_layout_model import BaseLayoutModel
from docling.models.factories import get_layout_factory


class NoRegions(BaseLayoutOptions):
    """Options of the layout model without regions."""

    kind: ClassVar[str] = "no_regions"


class NoRegionsModel(BaseLayoutModel):
    """A layout model that finds no region."""

    def __init__(self, **_: Any) -> None:
        pass

    @classmethod
    def get_options_type(cls) -> type[BaseLayoutOptions]:
        """Return the type of the options."""
        return NoRegions

    def predict_layout(self, conv_res: Any, pages: Sequence[Page]) -> Sequence[LayoutPrediction]:
        """Return a prediction without regions for each page."""
        return [LayoutPrediction() for _ in pages]


transport, url, path = sys.argv[1:]
get_layout_factory(allow_external_plugins=False).register(NoRegionsModel, "test", __name__)
ocr = KserveV2OcrOptions(
    url=url, transport=transport, model_name="docling_ocr", lang=["chinese"], force_full_page_ocr=True
)
options = PdfPipelineOptions(
    do_table_structure=False, ocr_options=ocr, layout_options=NoRegions(), enable_remote_services=True
)
converter = DocumentConverter(format_options={InputFormat.PDF: PdfFormatOption(pipeline_options=options)})
print(converter.convert(path).document.export_to_markdown())
