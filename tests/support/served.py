"""Servers of others, as processes for the length of a test."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx


@contextlib.contextmanager
def served(command: Sequence[str | Path], url: str, cwd: Path) -> Iterator[None]:
    """Run a server during the block, which starts when `url` responds with 200."""
    process = subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                assert httpx.get(url, trust_env=False).status_code == 200
                break
            except httpx.TransportError:
                assert process.poll() is None
                assert time.monotonic() < deadline, "the server did not start within a minute"
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)
