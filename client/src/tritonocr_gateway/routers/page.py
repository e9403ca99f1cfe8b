"""The page to try the service on, its sample, and the API's documentation; all of it served from here."""

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
    "Cache-Control": "no-cache",  # asked again each time, answered 304
}


def _policy(**changes: str) -> str:
    directives = {**_POLICY, **{name.replace("_", "-"): value for name, value in changes.items()}}
    return "; ".join(f"{name} {sources}" for name, sources in directives.items())


class SafeFiles(StaticFiles):
    """Static files with the page's headers."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """See Starlette."""
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response


@router.get("/")
def page() -> Response:
    """The page."""
    return FileResponse(STATIC / "index.html", headers={**HEADERS, "Content-Security-Policy": _policy()})


@router.get("/docs")
def docs() -> Response:
    """The API's documentation; Swagger UI styles its elements one by one."""
    policy = _policy(style_src="'self' 'unsafe-inline'")
    return FileResponse(STATIC / "docs.html", headers={**HEADERS, "Content-Security-Policy": policy})


@router.get("/sample.png")
def sample() -> Response:
    """A page to try, drawn by the project."""
    return Response(_sample(), media_type="image/png", headers={"Cache-Control": "max-age=3600"})


@lru_cache
def _sample() -> bytes:
    output = io.BytesIO()
    Image.fromarray(tritonocr.demo_page()[:, :, ::-1]).save(output, "PNG")
    return output.getvalue()
