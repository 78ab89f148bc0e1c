"""The examples in Python work as described."""

from __future__ import annotations

import asyncio
import importlib.util
import sqlite3
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from dcs_sessions.testing import INSTANCE_ID, Stub

EXAMPLES = Path(__file__).parents[2] / "examples" / "python"
ROWS: list[dict[str, Any]] = [
    {"addr": "10.0.0.5:1", "name": "worker", "idle": 7},
    {"addr": "10.0.0.5:2", "new": [1]},
]


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def stub() -> Stub:
    return Stub({"n1": ROWS, "n2": [{"name": "web"}]})


def test_sessions_in_sqlite(stub: Stub) -> None:
    with stub.client() as client, sqlite3.connect(":memory:") as database:
        assert example("to_sqlite").save(client.query_sessions(INSTANCE_ID), database) == 3
        found = database.execute("SELECT node_id, name, idle FROM sessions ORDER BY node_id, addr")
        assert found.fetchall() == [("n1", "worker", 7), ("n1", "", None), ("n2", "web", None)]
    database.close()


def test_sessions_in_pandas_and_parquet(stub: Stub, tmp_path: Path) -> None:
    pandas: Any = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    with stub.client() as client:
        frame = example("to_parquet").frame(client.query_sessions(INSTANCE_ID))
    assert list(frame["node_id"]) == ["n1", "n1", "n2"]
    assert {"addr", "name", "new"} <= set(frame.columns)
    frame.to_parquet(tmp_path / "sessions.parquet")
    assert list(pandas.read_parquet(tmp_path / "sessions.parquet")["name"]) == ["worker", "", "web"]


def test_sessions_in_a_service(stub: Stub) -> None:
    service = example("service")

    async def ask() -> dict[str, httpx.Response]:
        transport = httpx.ASGITransport(service.app)
        async with (
            stub.async_client() as client,
            httpx.AsyncClient(transport=transport, base_url="http://service") as http,
        ):
            service.app.dependency_overrides[service.client_of] = lambda: client
            paths = ["sessions", "nodes"]
            found = {path: await http.get(f"/instances/{INSTANCE_ID}/{path}") for path in paths}
            found["another"] = await http.get("/instances/another/sessions")
            found["schema"] = await http.get("/openapi.json")
            return found

    found = asyncio.run(ask())
    rows = found["sessions"].json()
    assert [(row["node_id"], row["name"]) for row in rows] == [
        *(("n1", "worker"), ("n1", ""), ("n2", "web"))
    ]
    assert rows[1]["new"] == [1]
    assert [node["node_id"] for node in found["nodes"].json()["nodes"]] == ["n1", "n2"]
    assert found["another"].status_code == 404
    assert "/instances/{instance_id}/sessions" in found["schema"].json()["paths"]
