"""The smaller commands, and the help and the exit codes of all commands."""

from __future__ import annotations

import html.parser
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import dcs_sessions
from cli.conftest import Connect
from dcs_sessions._cli import _columns, _overview
from dcs_sessions.emulator import Emulator
from support.command import COMMAND, Cli, wait_until
from support.fake import FakeDcs
from support.scripted import Step, answer, hang_up, reset, silence

SPEC = Path(__file__).parents[2] / "openapi.yaml"
COMMANDS = list(_overview.COMMANDS)


# One operation at a time


def test_scan_job_and_list_work_together(cli: Cli, own: Emulator, connect: Connect) -> None:
    connect("step-by-step")
    node = own.node_ids[0]
    job = cli("scan", own.instance_id, node, "--clean-cache").stdout.strip()
    assert re.fullmatch("[0-9a-f]{32}", job)
    (found,) = json.loads(cli("job", job, "--wait", "-o", "json").stdout)
    assert (found["job_id"], found["status"]) == (job, "SUCCESS")
    listed = cli("list", own.instance_id, node, "--limit", "1000", "-o", "jsonl").stdout
    assert "step-by-step" in [json.loads(line)["name"] for line in listed.splitlines()]
    first = cli("list", own.instance_id, node, "--limit", "1", "--sort", "id", "--order", "asc")
    assert len(first.stdout.splitlines()) == 2
    assert "sessions match" in first.stderr


def test_nodes_are_listed_with_their_roles(cli: Cli, own: Emulator) -> None:
    table = cli("nodes", own.instance_id).stdout.splitlines()
    assert table[0].split()[:5] == ["node_id", "name", "role", "type", "status"]
    assert [line.split()[0] for line in table[1:]] == list(own.node_ids)
    rows = json.loads(cli("nodes", own.instance_id, "-o", "json").stdout)
    assert [row["node_id"] for row in rows] == list(own.node_ids)
    assert rows[0]["dimensions"]


@pytest.mark.parametrize(
    ("words", "body"),
    [
        (("nodes", "i"), b'{"instance_id":"i", "total":0,\n"nodes":[]  }'),
        (("scan", "i", "n"), b'{ "job_id" : "j\xc3\xa4" }'),
        (("list", "i", "n"), b'{"time":"t","count":0,"clients":[],"x":1e3}'),
        (("job", "j"), b'{"job_id":"j","status":"RUNNING"}'),
    ],
)
def test_raw_prints_the_response_unchanged(
    words: tuple[str, ...], body: bytes, fake: FakeDcs, fake_cli: Cli
) -> None:
    fake.first = lambda _: answer(200, body)
    run = subprocess.run(
        [*COMMAND, *words, "--raw"], env=fake_cli.env, capture_output=True, check=True
    )
    assert run.stdout == body
    refusal = b'{"error_code":"DCS.3022", "error_msg":"no"}'
    fake.first = lambda _: answer(404, refusal)
    run = subprocess.run(
        [*COMMAND, *words, "--raw"], env=fake_cli.env, capture_output=True, check=False
    )
    assert (run.returncode, run.stdout) == (4, refusal)


def test_failed_job_gives_exit_code_1(fake: FakeDcs, fake_cli: Cli) -> None:
    job = {
        "job_id": "j",
        "status": "FAIL",
        "fail_reason": "why\x1b[2J",
        "end_time": "1684191548248",
    }
    fake.first = lambda _: answer(200, job)
    for words in ((), ("--wait",)):
        done = fake_cli("job", "j", *words, code=1)
        assert "FAIL" in done.stdout
        assert "2023-05-15T22:59:08Z  why\\x1b[2J" in done.stdout
        assert json.loads(fake_cli("job", "j", *words, "--raw", code=1).stdout) == job


# The document, and completion


def test_spec_prints_the_contract(cli: Cli) -> None:
    assert cli("spec").stdout == SPEC.read_text("utf-8")
    assert json.loads(cli("spec", "--format", "json").stdout) == yaml.safe_load(SPEC.read_text())


def test_version_is_that_of_the_contract(cli: Cli) -> None:
    expected = f"dcs-sessions, version {dcs_sessions.__version__}\n"
    assert cli("--version").stdout == expected
    assert cli("--quiet", "--version").stdout == expected


def test_fields_are_those_of_the_contract() -> None:
    schemas = yaml.safe_load(SPEC.read_text())["components"]["schemas"]
    assert list(_columns.FIELDS) == list(schemas["Session"]["properties"])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_is_printed_for_each_shell(shell: str, cli: Cli) -> None:
    script = cli("completion", shell).stdout
    assert "_DCS_SESSIONS_COMPLETE" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_bash_completes(cli: Cli, tmp_path: Path) -> None:
    if shutil.which("bash") is None:
        pytest.skip("needs bash")
    command = tmp_path / "dcs-sessions"
    command.write_text(f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@"\n')
    command.chmod(0o755)
    script = cli("completion", "bash").stdout
    words = "COMP_WORDS=(dcs-sessions ki); COMP_CWORD=1"
    run = subprocess.run(
        [
            "bash",
            "-c",
            f'{script}\n{words}; _dcs_sessions_completion dcs-sessions; echo "${{COMPREPLY[@]}}"',
        ],
        env={**cli.env, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == ["kill", "kill-all"]


# Help


def test_overview_lists_every_command(cli: Cli) -> None:
    text = cli("--help").stdout
    assert cli("-h").stdout == text
    assert cli("--debug", "--help").stdout == text  # the way through click
    assert cli(code=2).stderr == text
    for command in COMMANDS:
        assert re.search(rf"^  {command}  ", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, cli: Cli) -> None:
    text = cli(command, "--help").stdout
    assert re.search(r"^  Examples?\b.*:$", text, re.MULTILINE)
    example = text.partition("Example")[2]
    assert f"dcs-sessions {command}" in example


def test_help_and_version_import_almost_nothing(cli: Cli) -> None:
    for words in ("--version", "--help"):
        run = subprocess.run(
            [COMMAND[0], "-X", "importtime", *COMMAND[1:], words],
            env=cli.env,
            capture_output=True,
            text=True,
            check=True,
        )
        imported = {line.rpartition("|")[2].strip() for line in run.stderr.splitlines()}
        assert "dcs_sessions._cli._overview" in imported
        assert not imported & {"click", "rich", "httpx", "importlib.metadata", "typing"}


# Codes


@pytest.mark.parametrize(
    ("step", "code"),
    [
        (answer(400, {"error_code": "DCS.4848", "error_msg": "no"}, {"X-Request-Id": "r-1"}), 1),
        (answer(401, {"error_code": "DCS.1001", "error_msg": "no"}, {"X-Request-Id": "r-1"}), 3),
        (answer(403, {"error_code": "DCS.2007", "error_msg": "no"}, {"X-Request-Id": "r-1"}), 3),
        (answer(404, {"error_code": "DCS.3022", "error_msg": "no"}, {"X-Request-Id": "r-1"}), 4),
        (answer(404, {"error_code": "APIGW.0101", "error_msg": "no", "request_id": "r-1"}), 4),
        (answer(418, {"error_code": "x", "error_msg": "no"}, {"X-Request-Id": "r-1"}), 1),
        (answer(200, b"<html>", {"X-Request-Id": "r-1"}), 1),
        (answer(500, b"", {"X-Request-Id": "r-1"}), 1),
    ],
)
def test_error_has_a_line_of_advice(step: Step, code: int, fake: FakeDcs, fake_cli: Cli) -> None:
    fake.first = lambda _: step
    done = fake_cli("nodes", "i", code=code)
    happened, advice = done.stderr.splitlines()
    assert happened.startswith("dcs-sessions: ")
    assert "[request r-1]" in happened
    assert len(advice) > 10
    assert advice.rstrip(".")[1:] not in happened
    assert done.stdout == ""


@pytest.mark.parametrize(("step", "code"), [(reset, 1), (hang_up, 1), (silence, 5)])
def test_unreachable_service_gives_advice(
    step: Step, code: int, fake: FakeDcs, fake_cli: Cli
) -> None:
    fake.first = lambda _: step
    done = fake_cli("nodes", "i", "--timeout", "0.5", code=code)
    assert done.stderr.count("\n") == 2


def test_slow_job_gives_exit_code_5(fake: FakeDcs, fake_cli: Cli) -> None:
    running = answer(200, {"job_id": "j", "status": "RUNNING"})
    fake.first = lambda request: running if "/jobs/" in request.path else None
    done = fake_cli("query", "i", "--timeout", "3", code=5)
    assert "did not end within" in done.stderr
    assert "--timeout" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("query",),
        ("query", "i", "--nonsense"),
        ("query", "i", "--sort", "nonsense"),
        ("query", ".."),
        ("list", "i", "n", "--limit", "1001"),
        ("query", "i", "--endpoint", "http://203.0.113.1"),
        ("query", "i", "--region", "Nowhere!", "--endpoint", ""),
    ],
)
def test_usage_errors_give_exit_code_2(
    words: tuple[str, ...], fake: FakeDcs, fake_cli: Cli
) -> None:
    done = fake_cli(*words, code=2)
    assert done.stderr.count("\n") == 2
    assert done.stdout == ""


def test_without_a_terminal_ctrl_c_ends_with_130(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.first = lambda _: silence
    with fake_cli.start("nodes", "i") as process:
        wait_until(lambda: bool(fake.received))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "Interrupted.\n")


CLOSED = ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "2>/dev/full"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("closed", CLOSED)
@pytest.mark.parametrize(
    "words", ["--version", "query i", "kill i --name w --yes", "kill i 1.2.3.4:5 --yes"]
)
def test_closed_or_full_streams_change_nothing(
    fake: FakeDcs, fake_cli: Cli, words: str, closed: str
) -> None:
    row = {"id": "1", "name": "w", "age": 99, "peer": "1.2.3.4:5", "addr": "1.2.3.4:5"}
    fake.lists["n1"] = [[row]]
    fake.growing = True
    line = f"{shlex.join([*COMMAND, *words.split()])} {closed}"
    done = subprocess.run(
        ["sh", "-c", line], env=fake_cli.env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert bool(done.stdout) is (">&- " not in f"{closed} ".replace("2>&-", ""))
    assert fake.killed == ([("n1", ["1.2.3.4:5"])] if "kill" in words else [])
    assert "bug" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "words",
    [
        *("--version", "--help", "query --help", "query i", "query i -o json", "query i -o csv"),
        *("instances -o table", "instances -o json", "instances -o csv"),
    ],
)
def test_full_stdout_is_an_error_without_a_traceback(
    fake: FakeDcs, fake_cli: Cli, words: str
) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, *words.split()],
            env=fake_cli.env,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    # Notes about what was read come before it.
    assert done.stderr.endswith(
        "dcs-sessions: the output cannot be written: No space left on device\n"
        "Check where the output goes: the disk may be full.\n"
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("query", "--help"),
        ("query", "i"),
        ("query", "i", "--no-such-option"),
        ("summary", "i"),
        ("summary", "i", "-o", "csv"),
        ("nodes", "i"),
        ("instances",),
        ("check", "i"),
        ("kill", "i", "--name", "w", "--dry-run"),
        ("kill-all", "i", "--yes"),
        ("list", "i", "n1"),
        ("nodes", "no/such"),
    ],
)
def test_pipe_gets_no_escape_sequences(
    fake: FakeDcs, fake_cli: Cli, words: tuple[str, ...]
) -> None:
    fake.lists["n1"] = [[{"name": "w", "idle": 5, "age": 9, "addr": "1.2.3.4:5", "omem": 9}]]
    forced = {
        "FORCE_COLOR": "1",
        "CLICOLOR_FORCE": "1",
        "TTY_COMPATIBLE": "1",
        "COLORTERM": "24bit",
    }
    done = fake_cli.with_env(**forced).run(*words)
    assert "\x1b" not in done.stdout + done.stderr


def test_characters_beyond_the_output_encoding_are_escaped(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.lists["n1"] = [[{"name": "日本"}]]
    ascii_only = fake_cli.with_env(PYTHONIOENCODING="ascii")
    assert "\\u65e5\\u672c" in ascii_only("query", "i", "--columns", "name").stdout
    assert "#" in ascii_only("summary", "i").stdout


# check


def test_check_lists_values_with_their_sources(cli: Cli, own: Emulator, tmp_path: Path) -> None:
    out = cli("check", own.instance_id).stdout
    assert f"Endpoint:    {own.endpoint}  (from DCS_SESSIONS_ENDPOINT)\n" in out
    assert "Credentials: token ***  (from DCS_SESSIONS_TOKEN)\n" in out
    assert f"Project:     {own.project_id}  (from HUAWEICLOUD_SDK_PROJECT_ID)\n" in out
    assert f"Instance:    {own.instance_id}, 2 nodes\n" in out
    assert out.endswith("Ending:      allowed\nResult:      good\n")
    out = cli("check", "--project-id", own.project_id).stdout
    assert f"{own.project_id}  (from --project-id)" in out
    assert out.endswith("Result:      good\n")
    region = cli.with_env(
        DCS_SESSIONS_ENDPOINT=None,
        DCS_SESSIONS_REGION="cn-north-4",
        HUAWEICLOUD_SDK_REGION_DCS_CN_NORTH_4=own.endpoint,
    )
    variable = "HUAWEICLOUD_SDK_REGION_DCS_CN_NORTH_4"
    assert f"Endpoint:    {own.endpoint}  (from {variable})\n" in region("check").stdout

    path = tmp_path / "credentials"
    path.write_text(f"[basic]\nak={own.ak}\nsk={own.sk}\nproject_id={own.project_id}\n")
    path.chmod(0o644)
    keys = cli.with_env(
        DCS_SESSIONS_TOKEN=None,
        HUAWEICLOUD_SDK_PROJECT_ID=None,
        HUAWEICLOUD_SDK_CREDENTIALS_FILE=str(path),
    )
    done = keys("check")
    assert f"Credentials: access key ***  (from {path})\n" in done.stdout
    assert f"Project:     {own.project_id}  (from {path})\n" in done.stdout
    assert done.stderr == f"Warning: {path} can be read by others: chmod 600 {path}\n"


@pytest.mark.parametrize(
    ("changes", "code", "result"),
    [
        ({"DCS_SESSIONS_TOKEN": "wrong-token"}, 3, "does not accept the credentials"),
        ({"DCS_SESSIONS_TOKEN": "dcs-emulator-noaccess-token"}, 3, "lack the permission"),
        ({"DCS_SESSIONS_ENDPOINT": "http://127.0.0.1:1"}, 1, "does not respond"),
        ({"DCS_SESSIONS_ENDPOINT": None}, 2, "a value is missing"),
        ({"HUAWEICLOUD_SDK_PROJECT_ID": None}, 2, "a value is missing"),
        ({"DCS_SESSIONS_TOKEN": None, "HUAWEICLOUD_SDK_AK": "half-a-pair"}, 2, "is missing"),
    ],
)
def test_check_names_the_problem(
    changes: dict[str, str | None], code: int, result: str, cli: Cli
) -> None:
    done = cli.with_env(**changes)("check", code=code)
    assert result in done.stdout.splitlines()[-1]
    assert done.stderr.count("\n") == 2


# summary


class Page(html.parser.HTMLParser):
    """Collects the tags and the texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def busy_list() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {
            "id": str(n),
            "addr": f"10.0.0.{n % 12}:{n}",
            "name": f"worker-{n % 3}",
            "user": "dcs",
            "cmd": "get",
            "db": str(n % 2),
            "idle": 10 ** (n % 6),
            "omem": n,
        }
        for n in range(120)
    ]
    hostile = '<script src="//evil">alert(1)</script>\x1b[2J'
    return [*rows, {"name": hostile, "addr": "[::1]:9", "omem": 10**9}, {"idle": None, "name": 7}]


def test_summary_counts_each_field(fake: FakeDcs, fake_cli: Cli, tmp_path: Path) -> None:
    fake.lists["n1"] = [busy_list()]
    page = tmp_path / "page.html"
    done = fake_cli("summary", "i", "--html", str(page))
    assert done.stdout.startswith("122 connections\n\nClient host\n10.0.0.0 ")
    assert "4 others: " in done.stdout
    assert re.search(r"^worker-0 +40 +33 %  █+$", done.stdout, re.MULTILINE)
    assert re.search(r"^\(none\) +2 +2 %  █", done.stdout, re.MULTILINE)
    assert "not known: 2\n" in done.stdout
    assert done.stdout.partition("Most output memory")[2].splitlines()[2].split()[0] == "953.7M"
    assert "\x1b" not in done.stdout + page.read_text()
    assert all(line == line.rstrip() for line in done.stdout.splitlines())

    found = Page(page.read_text("utf-8"))
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in found.tags}
    assert not {"src", "href", "action", "onload"} & {name for _, at in found.tags for name in at}
    assert any("<script src=" in text for text in found.texts)  # as text
    assert "url(" not in page.read_text()
    assert "@import" not in page.read_text()
    assert (
        "meta",
        {
            "http-equiv": "Content-Security-Policy",
            "content": "default-src 'none'; style-src 'unsafe-inline'",
        },
    ) in found.tags


def test_summary_counts_matching_sessions_only(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.lists["n1"] = [busy_list()]
    found = fake_cli("summary", "i", "--name", "worker-1").stdout.splitlines()
    assert found[:2] == ["122 connections", "40 of 122 sessions match: --name worker-1"]
    found = fake_cli("summary", "i", "--name", "nobody").stdout.splitlines()
    assert found[1] == "0 of 122 sessions match: --name nobody"
    done = fake_cli("summary", "i", "--html", "/nowhere/page.html", code=2)
    assert "/nowhere/page.html" in done.stderr


def test_summary_fits_the_terminal(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.lists["n1"] = [[{"name": "n" * 100, "addr": "a:1"}, {"name": "m", "addr": "a:2"}]]
    with fake_cli.terminal("summary", "i", rows=60, columns=50) as terminal:
        screen = terminal.end(0)
    (line,) = (line for line in screen.splitlines() if line.startswith("nnn"))
    assert "…" in line
    assert line.endswith("█" * 10)


# Secrets


@pytest.mark.parametrize(
    "words",
    [
        ("check",),
        ("query", "i"),
        ("kill", "i", "--name", "*", "--yes"),
        ("nodes", "i", "--raw"),
        ("summary", "i"),
    ],
)
def test_no_command_prints_a_secret(words: tuple[str, ...], fake: FakeDcs, fake_cli: Cli) -> None:
    canary = "canary-0123456789abcdef"
    for variable in ("DCS_SESSIONS_TOKEN", "KEYS"):
        changes = {"DCS_SESSIONS_TOKEN": canary}
        if variable == "KEYS":
            changes = {
                "DCS_SESSIONS_TOKEN": "",
                "HUAWEICLOUD_SDK_AK": f"{canary}-ak",
                "HUAWEICLOUD_SDK_SK": f"{canary}-sk",
                "HUAWEICLOUD_SDK_SECURITY_TOKEN": f"{canary}-st",
            }
        for step in (hang_up, answer(200, {"what": "is this"}), None):
            fake.first = lambda _, step=step: step  # type: ignore[misc]
            run = fake_cli.with_env(**changes).run("--debug", *words, "--timeout", "0.5")
            assert "canary" not in run.stdout + run.stderr
            assert run.stderr  # --debug has something to say
            if step is not None:
                assert "Traceback" in run.stderr


def test_secret_repeated_in_an_error_is_masked(fake: FakeDcs, fake_cli: Cli) -> None:
    echo = answer(401, {"error_code": "DCS.1001", "error_msg": "bad token a-token"})
    fake.first = lambda _: echo
    assert "bad token ***" in fake_cli("nodes", "i", code=3).stderr
