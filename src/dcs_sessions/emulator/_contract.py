"""The contract as a file, at the usual paths. The emulator does not use it."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

from starlette.responses import Response

from dcs_sessions._contract import contract_json, contract_text
from dcs_sessions.emulator._errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

PATHS: Mapping[str, tuple[Callable[[], str], str]] = {
    "/openapi.yaml": (contract_text, "application/yaml"),
    "/openapi.json": (contract_json, "application/json"),
}
"""Path of each file -> its text and its media type."""


async def answer(request: Request) -> Response:
    """Answer a request for one of the files. It needs no credentials.

    Raises:
        ApiError: DCS.5001: the method is not GET or HEAD.
    """
    if request.method not in ("GET", "HEAD"):
        raise ApiError("DCS.5001", headers={"Allow": "GET, HEAD"})
    text, media_type = PATHS[request.url.path]
    content = (await asyncio.to_thread(text)).encode()
    etag = f'"{hashlib.sha256(content).hexdigest()}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    known = request.headers.get("If-None-Match", "")
    if known == "*" or etag in (tag.strip().removeprefix("W/") for tag in known.split(",")):
        return Response(status_code=304, headers=headers)
    # The server leaves out the body for HEAD.
    return Response(content, headers={**headers, "Content-Type": media_type})
