"""The version of this package, which is that of the contract (`info.version` in openapi.yaml)."""

from __future__ import annotations

import functools


@functools.cache
def version() -> str:
    """Give the version of the installed package."""
    import importlib.metadata

    return importlib.metadata.version("dcs-sessions")


@functools.cache
def user_agent() -> str:
    """Give what requests say they are from."""
    import platform

    return f"dcs-sessions/{version()} python/{platform.python_version()}"
