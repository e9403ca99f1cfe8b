"""Read a file with PaddleOCR's job client: KEY URL FILE; print the texts and the Markdown as JSON.

Only the client modules of the package are imported: the package itself imports PaddleX (0.5 GB).
"""

import json
import sys
import types
from importlib.util import find_spec
from pathlib import Path

package = types.ModuleType("paddleocr")
spec = find_spec("paddleocr")
assert spec
assert spec.origin
package.__path__ = [str(Path(spec.origin).parent)]
sys.modules["paddleocr"] = package

from paddleocr._api_client.client import PaddleOCRClient  # noqa: E402

key, url, file = sys.argv[1:]
client = PaddleOCRClient(token=key, base_url=url)
lines = client.ocr(file_path=file)
document = client.parse_document(file_path=file)
print(
    json.dumps(
        {
            "texts": lines.pages[0].pruned_result["rec_texts"],
            "markdown": document.pages[0].markdown_text,
        }
    )
)
