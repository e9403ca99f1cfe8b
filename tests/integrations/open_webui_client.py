"""Read a file with Open WebUI's own loaders: KEY URL FILE; print the documents as JSON.

Only the modules of the loaders are executed, with stand-ins for what they import: the application needs a
database and several GB of packages.
"""

import importlib.util
import json
import sys
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

key, url, file = sys.argv[1:]
package = importlib.util.find_spec("open_webui")
assert package
assert package.origin
LOADERS = Path(package.origin).parent / "retrieval" / "loaders"


@dataclass
class Document:
    """LangChain's document."""

    page_content: str
    metadata: dict[str, Any] = field(default_factory=dict)


STAND_INS: dict[str, dict[str, Any]] = {
    "open_webui": {},
    "open_webui.env": {"GLOBAL_LOG_LEVEL": "ERROR"},
    "open_webui.utils": {},
    "open_webui.utils.headers": {
        "include_user_info_headers": lambda headers, user: headers,
        "parse_custom_headers": lambda *_, **__: {},
    },
    "langchain_core": {},
    "langchain_core.documents": {"Document": Document},
    "langchain_core.document_loaders": {"BaseLoader": object},
}
for name, values in STAND_INS.items():
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(values)


def loader(module_name: str, class_name: str) -> type:
    spec = importlib.util.spec_from_file_location(module_name, LOADERS / f"{module_name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: type = getattr(module, class_name)
    return found


def read(made: object) -> list[dict[str, object]]:
    try:
        documents = made.load()  # type: ignore[attr-defined]
    except Exception as error:
        return [{"error": str(error)}]
    return [{"text": document.page_content, **document.metadata} for document in documents]


external = loader("external_document", "ExternalDocumentLoader")
paddle = loader("paddleocr_vl", "PaddleOCRVLLoader")
print(
    json.dumps(
        {
            "external": read(external(file_path=file, url=url, api_key=key, mime_type="application/pdf")),
            "paddleocr_vl": read(paddle(api_url=url, token=key, file_path=file)),
        }
    )
)
