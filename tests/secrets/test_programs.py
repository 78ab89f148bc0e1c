"""No secret is in the output, files or command-line arguments of the programs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dcs_sessions.emulator import Credentials, Emulator
from dcs_sessions.emulator._valkey import EmbeddedValkey
from support.command import COMMAND, Cli
from support.waiting import wait_until

CANARY = "canary-7f3a"
LOGINS = {
    "token": f"{CANARY}-token",
    "readonly_token": f"{CANARY}-readonly",
    "ak": f"{CANARY}-ak",
    "sk": f"{CANARY}-sk",
    "temporary_ak": f"{CANARY}-temporary-ak",
    "temporary_sk": f"{CANARY}-temporary-sk",
    "security_token": f"{CANARY}-st",
}
AS = {
    "token": {"DCS_SESSIONS_TOKEN": LOGINS["token"]},
    "keys": {"HUAWEICLOUD_SDK_AK": LOGINS["ak"], "HUAWEICLOUD_SDK_SK": LOGINS["sk"]},
    "temporary keys": {
        "HUAWEICLOUD_SDK_AK": LOGINS["temporary_ak"],
        "HUAWEICLOUD_SDK_SK": LOGINS["temporary_sk"],
        "HUAWEICLOUD_SDK_SECURITY_TOKEN": LOGINS["security_token"],
    },
}
# A bug where the answer is read, when everything that is secret is at hand.
CRASH = """
import sys
from dcs_sessions._transports import _exchange
def bug(*_):
    raise RuntimeError("a bug")
_exchange.decode_body = bug
from dcs_sessions.__main__ import main
main()
"""


@pytest.fixture(scope="module")
def valkey() -> Iterator[str]:
    """The URL of a Valkey whose password is a canary."""
    server = EmbeddedValkey()
    try:
        import valkey

        with valkey.Valkey(port=server.port) as client:
            client.config_set("requirepass", CANARY)
        yield f"redis://:{CANARY}@127.0.0.1:{server.port}"
    finally:
        server.kill()


@pytest.fixture(scope="module")
def guarded(valkey: str) -> Iterator[Emulator]:
    with Emulator(redis=[valkey], credentials=Credentials(**LOGINS)) as emulator:
        yield emulator


def commands(dcs: Emulator) -> list[list[str]]:
    instance, node = dcs.instance_id, dcs.node_ids[0]
    return [
        ["check"],
        ["nodes", instance],
        ["nodes", instance, "--raw"],
        ["scan", instance, node],
        ["query", instance],
        *(["query", instance, "-o", form] for form in ("table", "json", "jsonl", "csv")),
        ["list", instance, node, "--raw"],
        ["job", "0" * 32],
        ["summary", instance],
        ["summary", instance, "--html", "page.html"],
        ["kill", instance, "--name", "nobody", "--yes"],
        ["kill", instance, "--node", "no such node", "1.2.3.4:5", "--yes"],
        ["kill-all", "no such instance", "--yes"],
        ["spec"],
    ]


@pytest.mark.parametrize("who", AS)
def test_no_command_shows_a_secret(who: str, guarded: Emulator, tmp_path: Path) -> None:
    cli = Cli(
        tmp_path,
        DCS_SESSIONS_ENDPOINT=guarded.endpoint,
        HUAWEICLOUD_SDK_PROJECT_ID=guarded.project_id,
        **AS[who],
    )
    codes = set()
    crashed: set[str] = set()
    for words in commands(guarded):
        runs = [cli.run("--debug", *words, folder=tmp_path)]
        if words[0] not in crashed:  # options do not matter to a bug that strikes before
            crashed.add(words[0])
            run = subprocess.run(
                [sys.executable, "-c", CRASH, "--debug", *words],
                cwd=tmp_path,
                env=cli.env,
                capture_output=True,
                text=True,
                check=False,
            )
            runs.append(run)
            if words[0] not in ("spec", "check"):
                assert "RuntimeError: a bug" in run.stderr
        for run in runs:
            assert CANARY not in run.stdout, words
            assert CANARY not in run.stderr, words
            codes.add(run.returncode)
    assert codes >= {0, 1, 4}, "some commands must succeed, and some must fail"
    page = tmp_path / "page.html"
    assert page.exists()
    assert CANARY not in page.read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_emulator_shows_no_secret(valkey: str, tmp_path: Path) -> None:
    logins = tmp_path / "logins.json"
    logins.write_text(json.dumps(LOGINS))
    logins.chmod(0o600)
    ready = tmp_path / "ready.json"
    process = subprocess.Popen(
        [
            *(*COMMAND, "emulator", "--port", "0", "--ready-file", str(ready)),
            *("--credentials", str(logins)),
        ],
        env={**os.environ, "DCS_SESSIONS_EMULATOR_REDIS": valkey},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: ready.exists() or process.poll() is not None)
        assert process.poll() is None
        assert CANARY in ready.read_text(), "it is for those who gave them"
        called = [path.read_bytes() for path in cmdlines()]
        assert any(str(ready).encode() in line for line in called)
        assert not any(CANARY.encode() in line for line in called)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    assert CANARY not in out + err


def cmdlines() -> Iterator[Path]:
    """Return the arguments of every process of this user."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            path.read_bytes()
        except OSError:  # it has ended
            continue
        yield path
