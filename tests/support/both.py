"""Run a test with the sync and with the async client.

`both` is a fixture to make clients with; the client it makes has the methods of the sync one. Under
it is either that, or the async one on an event loop of its own.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager
from typing import Any, cast

import dcs_sessions

# What a test sees: everything answers at once, `raw` and copies included.
AnyClient = dcs_sessions.Client


class _Driven:
    """An async object whose methods answer at once."""

    def __init__(self, target: object, runner: asyncio.Runner) -> None:
        self._target = target
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        if name == "raw":
            return _Driven(value, self._runner)
        if not callable(value):
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            result = value(*args, **kwargs)
            if inspect.isasyncgen(result):
                return self._each(result)
            if inspect.iscoroutine(result):
                return self._runner.run(result)
            if isinstance(result, dcs_sessions.AsyncClient):
                return _Driven(result, self._runner)
            return result

        return call

    def _each(self, items: AsyncIterator[Any]) -> Iterator[Any]:
        async def step() -> Any:
            return await anext(items, _END)

        while (item := self._runner.run(step())) is not _END:
            yield item

    def __repr__(self) -> str:
        return repr(self._target)


_END = object()


class Both(AbstractContextManager["Both"]):
    """Makes clients of one kind, and closes them."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._runner = asyncio.Runner()
        self._made: list[Any] = []

    def __call__(self, **arguments: Any) -> AnyClient:
        """Return a client, by default with credentials and a project."""
        arguments.setdefault("auth", dcs_sessions.TokenAuth("a-token"))
        if "region" not in arguments:
            arguments.setdefault("project_id", "a-project")
        return self.adopt(self.cls(**arguments))

    @property
    def cls(self) -> type[AnyClient]:
        kinds = {"sync": dcs_sessions.Client, "async": dcs_sessions.AsyncClient}
        return cast("type[AnyClient]", kinds[self.kind])

    def adopt(self, client: Any) -> AnyClient:
        """Wrap an existing client."""
        driven = client if self.kind == "sync" else _Driven(client, self._runner)
        self._made.append(driven)
        return cast("AnyClient", driven)

    def __exit__(self, *_: object) -> None:
        for client in self._made:
            client.close()
        self._runner.close()
