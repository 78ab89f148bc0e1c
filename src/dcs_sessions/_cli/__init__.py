"""The command line. Every command lives in a module of its own and is imported when it is used."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line. Version and overview are printed before anything else is imported."""
    words = sys.argv[1:]
    looked_up = "_DCS_SESSIONS_COMPLETE" not in os.environ
    if looked_up and words in (["--version"], ["version"], ["-h"], ["--help"], ["help"]):
        from dcs_sessions._cli import _overview

        text = _overview.version() if "version" in words[0] else _overview.overview()
        sys.stdout.write(f"{text}\n")
        return
    from dcs_sessions._cli._group import run

    run()
