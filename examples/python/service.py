"""A service that shows the sessions of an instance (needs fastapi and uvicorn).

Run it with the environment of the README:

    uvicorn service:app
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request

import dcs_sessions
from dcs_sessions import AsyncClient, Session


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open one client for the whole service."""
    async with AsyncClient.from_env() as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


def client_of(request: Request) -> AsyncClient:
    """Return the client, which a test replaces."""
    client: AsyncClient = request.app.state.client
    return client


Client = Annotated[AsyncClient, Depends(client_of)]


@app.get("/instances/{instance_id}/sessions")
async def sessions(instance_id: str, client: Client) -> list[Session]:
    """List the sessions of all nodes."""
    try:
        return (await client.query_sessions(instance_id)).sessions
    except dcs_sessions.NotFoundError as error:
        raise HTTPException(404, str(error)) from None


@app.get("/instances/{instance_id}/nodes")
async def nodes(instance_id: str, client: Client) -> dict[str, Any]:
    """Show each node with its sessions, and why one could not be read."""
    return (await client.query_sessions(instance_id)).to_dict()
