"""Keep the sessions of an instance in SQLite, one row a session and query.

Run it with the environment of the README and the ID of an instance:

    python to_sqlite.py INSTANCE_ID sessions.db
"""

from __future__ import annotations

import contextlib
import sqlite3
import sys

import dcs_sessions

COLUMNS = ("node_id", "id", "addr", "name", "user", "db", "age", "idle", "cmd")


def save(result: dcs_sessions.QueryResult, database: sqlite3.Connection) -> int:
    """Add the sessions of a result, and return how many there were."""
    names = ", ".join(COLUMNS)
    marks = ", ".join("?" for _ in ("time", *COLUMNS))
    database.execute(f"CREATE TABLE IF NOT EXISTS sessions (time, {names})")
    rows = [
        (node.time, *(session.get(name) for name in COLUMNS))
        for node in result.nodes
        for session in node
    ]
    database.executemany(f"INSERT INTO sessions VALUES ({marks})", rows)  # noqa: S608 - constants
    return len(rows)


if __name__ == "__main__":
    with (
        dcs_sessions.Client.from_env() as client,
        contextlib.closing(sqlite3.connect(sys.argv[2])) as database,
        database,
    ):
        print(save(client.query_sessions(sys.argv[1]), database), "sessions saved")
