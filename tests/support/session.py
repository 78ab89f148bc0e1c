"""A session with all the fields that the vendor's example shows."""

from __future__ import annotations

from typing import Any, Final

SESSION: Final[dict[str, Any]] = {
    "id": "11677",
    "addr": "198.19.131.14:1637",
    "fd": "16",
    "name": "dcs",
    "cmd": "info",
    "age": 376,
    "idle": 376,
    "db": "0",
    "flags": "N",
    "sub": 0,
    "psub": 0,
    "multi": -1,
    "qbuf": 0,
    "qbuf_free": 4,
    "obl": 0,
    "oll": 0,
    "omem": 0,
    "events": "r",
    "network": "vpc",
    "peer": "198.198.0.121:4058",
    "user": "dcs",
}
