"""Count sessions by program with pandas, and keep them as Parquet (needs pandas and pyarrow).

Run it with the environment of the README and the ID of an instance:

    python to_parquet.py INSTANCE_ID sessions.parquet
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

import dcs_sessions


def frame(result: dcs_sessions.QueryResult) -> pd.DataFrame:
    """Return a row for each session, with its node and the fields that the service has sent."""
    return pd.DataFrame(result.sessions)


if __name__ == "__main__":
    with dcs_sessions.Client.from_env() as client:
        sessions = frame(client.query_sessions(sys.argv[1]))
    print(sessions.groupby("name").size().sort_values(ascending=False).head(10))
    sessions.to_parquet(Path(sys.argv[2]))
