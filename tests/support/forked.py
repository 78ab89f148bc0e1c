"""Run the command in forks of a process that has imported it: many start in the time of one.

Each fork has an environment, files and exit code of its own, as a new process has. What depends
on how Python starts needs a new process.
"""

from __future__ import annotations

import atexit
import io
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import IO

# Python reads these when it starts.
AT_START = ("PYTHON", "LANG", "LC_", "OPENSSL_", "SSLKEYLOGFILE", "MALLOC_", "LD_")


class Forks:
    """The process that has imported the command, started with the first fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def _server(self) -> socket.socket:
        with self._lock:
            if self._socket is None:
                self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                # It ends with the last socket that leads to it, and so with this process.
                with other:
                    process = subprocess.Popen(
                        [sys.executable, __file__, str(other.fileno())], pass_fds=[other.fileno()]
                    )
                atexit.register(self._end, process)
            return self._socket

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        assert self._socket is not None
        self._socket.close()
        process.wait(10)

    def can(self, env: Mapping[str, str]) -> bool:
        """Return whether a new process with this environment would start in the same way."""
        return sys.platform == "linux" and _at_start(env) == _at_start(os.environ)

    def run(
        self,
        arguments: Sequence[str],
        env: Mapping[str, str],
        stdin: str,
        timeout: float,
        folder: Path | None,
    ) -> subprocess.CompletedProcess[str]:
        """Run the command with these arguments, as `subprocess.run` does."""
        server = self._server()
        with (
            tempfile.TemporaryFile() as given,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            given.write(stdin.encode())
            given.seek(0)
            reader, writer = os.pipe()
            with os.fdopen(reader, "rb") as result:
                request = {
                    "arguments": arguments,
                    "env": dict(env),
                    "folder": str(folder or Path.cwd()),
                }
                message = json.dumps(request).encode()
                files = [given.fileno(), out.fileno(), err.fileno(), writer]
                try:
                    socket.send_fds(server, [message], files)
                finally:
                    os.close(writer)
                pid = int(result.readline())
                killer = threading.Timer(timeout, os.kill, [pid, signal.SIGKILL])
                killer.start()
                try:
                    status = int(result.readline())
                finally:
                    killer.cancel()
            return subprocess.CompletedProcess(
                list(arguments), os.waitstatus_to_exitcode(status), _text(out), _text(err)
            )


def _at_start(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(AT_START)}


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    with io.TextIOWrapper(file, encoding="utf-8") as text:
        return text.read()


def serve(connection: socket.socket) -> None:
    """Fork for each request, until there can be no more."""
    for package in ("dcs_sessions", "dcs_sessions._cli"):
        for module in pkgutil.iter_modules(import_module(package).__path__, f"{package}."):
            if not module.name.endswith(("__main__", "pytest_plugin", "testing")):
                import_module(module.name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        message, files, _, _ = socket.recv_fds(connection, 1_000_000, 4)
        if not message:
            return
        if os.fork() == 0:
            connection.close()
            _watch(json.loads(message), files)
        for file in files:
            os.close(file)


def _watch(request: dict[str, object], files: list[int]) -> None:
    """Run the command in a fork, and write its process and its end into the last file."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        _run(request, files)
    os.write(files[-1], b"%d\n" % pid)
    _, status = os.waitpid(pid, 0)
    os.write(files[-1], b"%d\n" % status)
    os._exit(0)


def _run(request: dict[str, object], files: list[int]) -> None:
    code: object = 1
    try:
        for number, file in enumerate(files[:3]):
            os.dup2(file, number)
        for file in files:
            os.close(file)
        os.environ.clear()
        os.environ.update(request["env"])  # type: ignore[call-overload]
        os.chdir(str(request["folder"]))
        time.tzset()
        sys.stdin = io.TextIOWrapper(open(0, "rb"), "utf-8")  # noqa: SIM115
        sys.stdout = io.TextIOWrapper(open(1, "wb"), "utf-8")  # noqa: SIM115
        sys.stderr = io.TextIOWrapper(
            open(2, "wb"),  # noqa: SIM115
            "utf-8",
            "backslashreplace",
            line_buffering=True,
        )
        from dcs_sessions import __main__ as command

        sys.argv = [str(command.__file__), *request["arguments"]]  # type: ignore[misc]
        command.main()
        code = 0
    except SystemExit as error:
        code = error.code or 0
        if not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(str(code)) & 0xFF)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as server:
        serve(server)
