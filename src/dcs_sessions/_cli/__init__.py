"""The command line. Every command lives in a module of its own and is imported when it is used."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line. Version and overview are printed before anything else is imported."""
    _open_closed_streams()
    words = sys.argv[1:]
    looked_up = "_DCS_SESSIONS_COMPLETE" not in os.environ
    if looked_up and words in (["--version"], ["version"], ["-h"], ["--help"], ["help"]):
        from dcs_sessions._cli import _overview

        text = _overview.version() if "version" in words[0] else _overview.overview()
        try:
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()
        except OSError as error:
            from dcs_sessions._cli._console import prepare
            from dcs_sessions._cli._failures import report

            prepare()
            sys.exit(report(error))
        return
    from dcs_sessions._cli._group import run

    run()


def _open_closed_streams() -> None:
    """Open standard streams that the caller has closed, as `>&-` does, as empty files.

    Python would have None in their place, and a connection could get their number.
    """
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
            stream = open(descriptor, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
