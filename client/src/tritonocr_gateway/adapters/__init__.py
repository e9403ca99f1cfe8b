"""The OCR protocols that the gateway speaks, one module per protocol.

Each module translates the requests and responses of a protocol to the public API of the client, and declares
`ADAPTER`. A new module in this folder is found without a registration.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from tritonocr_gateway.adapters.protocol import Adapter


def adapters() -> dict[str, Adapter]:
    """Return the adapters of this folder by name."""
    modules = [import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
    found = [module.ADAPTER for module in modules if hasattr(module, "ADAPTER")]
    return {adapter.name: adapter for adapter in found}
