"""Run the command as a process, with pipes or on a terminal."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyte

from support import waiting
from support.forked import Forks

FORKS = Forks()
COMMAND = (sys.executable, "-m", "dcs_sessions")


def environment(home: Path, changes: Mapping[str, str | None]) -> dict[str, str]:
    """Return an environment without variables of the vendor."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(
            ("DCS_", "HUAWEICLOUD_", "HC_CONTAINER_", "COLUMNS", "LINES", "NO_COLOR")
        )
        and not name.lower().endswith("_proxy")
    }
    kept |= {"HOME": str(home), "TERM": "xterm-256color"}
    return {name: value for name, value in {**kept, **changes}.items() if value is not None}


def wait_until(condition: Callable[[], bool], problem: Callable[[], str] | None = None) -> None:
    """Wait until something is true, for at most 30 seconds."""
    waiting.wait_until(condition, problem, seconds=30)


class Cli:
    """The command with its own environment."""

    def __init__(self, home: Path, **changes: str | None) -> None:
        self.home = home
        self.env = environment(home, changes)

    def with_env(self, **changes: str | None) -> Cli:
        """Return a copy with other variables; None removes one."""
        return Cli(self.home, **{**self.env, **changes})

    def __call__(
        self, *arguments: str, stdin: str | None = "", code: int = 0
    ) -> subprocess.CompletedProcess[str]:
        """Run it, and require this exit code."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def run(
        self, *arguments: str, stdin: str | None = "", folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run it in a folder, whatever its exit code."""
        if stdin is not None and FORKS.can(self.env):
            return FORKS.run(arguments, self.env, stdin, timeout=60, folder=folder)
        return subprocess.run(
            [*COMMAND, *arguments],
            env=self.env,
            cwd=folder,
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    def start(self, *arguments: str, **settings: Any) -> subprocess.Popen[str]:
        """Start it, with pipes."""
        settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **settings}
        return subprocess.Popen(
            [*COMMAND, *arguments], env=self.env, text=True, encoding="utf-8", **settings
        )

    def terminal(self, *arguments: str, rows: int = 24, columns: int = 80) -> Terminal:
        """Start it on a terminal."""
        return Terminal([*COMMAND, *arguments], self.env, rows, columns)


class Terminal:
    """A command on a terminal, and its screen."""

    def __init__(self, command: list[str], env: Mapping[str, str], rows: int, columns: int) -> None:
        self.screen = pyte.Screen(columns, rows)
        self.raw = b""
        self._stream = pyte.ByteStream(self.screen)
        self._lock = threading.Lock()
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = self.after = termios.tcgetattr(slave)
        self.slave = slave
        self.process = subprocess.Popen(
            # A shell of its own makes the terminal the controlling one, so that Ctrl-C is sent.
            [sys.executable, "-c", _CONTROLLED, *command],
            env=env,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.slave >= 0:
            os.close(self.slave)
        self._reader.join(5)
        os.close(self._master)

    def _read(self) -> None:
        while True:
            try:
                found = os.read(self._master, 65536)
            except OSError as error:
                if error.errno == errno.EIO:  # nobody has the other end any more
                    return
                raise
            if not found:
                return
            with self._lock:
                self.raw += found
                self._stream.feed(found)

    def text(self) -> str:
        """Return the text on the screen, without trailing blanks."""
        with self._lock:
            return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def wait_for(self, *texts: str) -> str:
        """Wait until these strings are on the screen, and return the whole screen."""
        self.wait_until(lambda: all(text in self.text() for text in texts), texts)
        return self.text()

    def wait_until(self, condition: Callable[[], bool], what: object = "") -> None:
        """Wait until something is true of the screen."""
        wait_until(condition, lambda: f"{what} never came:\n{self.text()}")

    def type(self, text: str) -> None:
        """Type something."""
        os.write(self._master, text.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.type("\x03")

    def end(self, code: int) -> str:
        """Wait until the command ends with this exit code, and return the screen."""
        assert self.process.wait(30) == code, self.text()
        self.after = termios.tcgetattr(self.slave)
        # With nobody left to write, the reader ends when it has read everything.
        os.close(self.slave)
        self.slave = -1
        self._reader.join(30)
        return self.text()


_CONTROLLED = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
