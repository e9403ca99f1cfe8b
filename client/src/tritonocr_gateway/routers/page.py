"""The web page, its sample image and the API documentation. Nothing is loaded from another host."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response
from PIL import Image
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

import tritonocr

router = APIRouter(include_in_schema=False)

STATIC = Path(str(files("tritonocr_gateway"))) / "static"
SWAGGER = Path(str(files("fastapi_offline"))) / "static"

_POLICY: Mapping[str, str] = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' blob: data:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",  # the browser revalidates each time and gets 304
}


def _policy(**changes: str) -> str:
    directives = {**_POLICY, **{name.replace("_", "-"): value for name, value in changes.items()}}
    return "; ".join(f"{name} {sources}" for name, sources in directives.items())


class SafeFiles(StaticFiles):
    """Serve static files with the headers of the web page."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return the response for a path, with `HEADERS`."""
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response


@router.get("/")
def page() -> Response:
    """Return the web page."""
    return FileResponse(STATIC / "index.html", headers={**HEADERS, "Content-Security-Policy": _policy()})


@router.get("/docs")
def docs() -> Response:
    """Return the API documentation. Swagger UI needs inline styles."""
    policy = _policy(style_src="'self' 'unsafe-inline'")
    return FileResponse(STATIC / "docs.html", headers={**HEADERS, "Content-Security-Policy": policy})


@router.get("/sample.png")
def sample() -> Response:
    """Return the sample image."""
    return Response(_sample(), media_type="image/png", headers={"Cache-Control": "max-age=3600"})


@lru_cache
def _sample() -> bytes:
    output = io.BytesIO()
    Image.fromarray(tritonocr.demo_page()[:, :, ::-1]).save(output, "PNG")
    return output.getvalue()
