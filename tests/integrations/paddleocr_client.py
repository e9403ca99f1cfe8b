"""Read a file with PaddleOCR's client and LangChain's loader: KEY URL FILE."""

import json
import sys

from langchain_paddleocr import PaddleOCRVLLoader
from paddleocr import PaddleOCRClient
from pydantic import SecretStr

key, url, file = sys.argv[1:]
with PaddleOCRClient(token=key, base_url=url) as client:
    lines = client.ocr(file_path=file)
    second = client.ocr(file_path=file, page_ranges="2")
    document = client.parse_document(file_path=file)
loaded = PaddleOCRVLLoader(file, base_url=url, access_token=SecretStr(key)).load()
print(
    json.dumps(
        {
            "texts": [page.pruned_result["rec_texts"] for page in lines.pages],
            "second": [page.pruned_result["rec_texts"] for page in second.pages],
            "markdown": [page.markdown_text for page in document.pages],
            "langchain": [document.page_content for document in loaded],
        }
    )
)
