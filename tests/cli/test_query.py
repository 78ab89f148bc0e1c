"""`query` with real sessions, and with answers that no real server sends."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from cli.conftest import Connect
from dcs_sessions._cli._group import main
from dcs_sessions._cli._output import Column, print_rows
from dcs_sessions.emulator import Emulator
from support.command import Cli
from support.fake import FakeDcs
from support.scripted import Received, Step, answer, hang_up
from support.session import SESSION

DATA = Path(__file__).parents[1] / "data" / "cli"
# What the vendor shows, what Redis adds, and what nobody has promised.
ROWS: list[dict[str, Any]] = [
    {**SESSION, "omem": 20504, "new-field": ["of", {"a": "later"}, "version"]},
    {"id": "2", "addr": "[2001:db8::1]:6379", "name": "=1+1", "idle": "7200", "cmd": "BLPOP"},
    {
        "id": "3",
        "name": None,
        "user": "-2+3",
        "age": None,
        "idle": [],
        "flags": "SO",
        "omem": 2**40,
    },
    {"id": "4", "addr": "10.0.0.4:1", "name": "evil\x1b]0;owned\x07\n\u202e\x9b31m", "cmd": "@SUM"},
    {},
]


def names(text: str) -> list[str]:
    return [json.loads(line).get("name", "") for line in text.splitlines()]


# The formats that are promised to stay


@pytest.mark.parametrize("form", ["json", "jsonl", "csv"])
def test_formats_for_programs_are_stable(form: str, fake: FakeDcs, fake_cli: Cli) -> None:
    """A change of these files breaks users' scripts: add it to the changelog."""
    fake.lists["n1"] = [ROWS]
    out = fake_cli("query", "i", "-o", form).stdout
    golden = DATA / f"query.{form}"
    if os.environ.get("DCS_SESSIONS_WRITE_GOLDEN"):
        golden.write_text(out, encoding="utf-8")
    assert out == golden.read_text(encoding="utf-8")


def test_json_is_what_the_service_sent(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.lists["n1"] = [ROWS]
    expected = [{"node_id": "n1", "list_time": "t1", **row} for row in ROWS]
    assert json.loads(fake_cli("query", "i", "-o", "json").stdout) == expected
    lines = fake_cli("query", "i", "-o", "jsonl", "--cached").stdout.splitlines()
    assert [json.loads(line) | {"list_time": "t1"} for line in lines] == expected


def test_query_without_sessions_prints_an_empty_list(fake: FakeDcs, fake_cli: Cli) -> None:
    assert fake_cli("query", "i", "-o", "json").stdout == "[]\n"
    assert fake_cli("query", "i", "-o", "jsonl").stdout == ""
    assert fake_cli("query", "i", "-o", "csv").stdout.count("\n") == 1
    assert fake_cli("query", "i").stdout.startswith("addr ")


def test_no_cell_of_csv_is_a_formula(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.lists["n1"] = [ROWS]
    rows = list(csv.DictReader(io.StringIO(fake_cli("query", "i", "-o", "csv").stdout)))
    assert rows[1]["name"] == "'=1+1"
    assert rows[2]["user"] == "'-2+3"
    assert rows[3]["cmd"] == "'@SUM"
    assert rows[0]["multi"] == "-1"  # quoted, since a spreadsheet reads -1 as a number


@given(st.lists(st.text(st.sampled_from("=+-@\uff1d;,'\" \tab\n1"), max_size=12), min_size=1))
def test_no_cell_of_csv_is_a_formula_for_any_spreadsheet(names: list[str]) -> None:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        columns = [Column("addr"), Column("name"), Column("user")]
        print_rows([{"addr": "1", "name": n, "user": n} for n in names], "csv", columns)
    for line in out.getvalue().splitlines():
        for delimiter in (",", ";"):
            for cell in next(csv.reader([line], delimiter=delimiter)):
                assert not cell.lstrip(' "').startswith(("=", "+", "-", "@", "\uff1d"))
        assert not re.search('(^|;)[ "]*[=+@\uff1d-]', line)


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv"])
def test_session_cannot_write_to_the_terminal(form: str, fake: FakeDcs, fake_cli: Cli) -> None:
    fake.lists["n1"] = [[{**ROWS[3], "user": "\x1b[31m", "cmd": "\x1b\\"}]]
    done = fake_cli("query", "i", "-o", form)
    for char in (*map(chr, range(32)), "\x7f", "\x9b", "\u202e"):
        if char != "\n":
            assert char not in done.stdout + done.stderr
    assert "x1b" in done.stdout or "u001b" in done.stdout


# Tables


def test_table_in_a_pipe_is_whole_and_plain(cli: Cli, own: Emulator, connect: Connect) -> None:
    name = "a-long-name-" + "x" * 200
    connect(name)
    done = cli.with_env(COLUMNS="40")("query", own.instance_id, "--name", name)
    head, line = done.stdout.splitlines()
    assert head.split() == [
        *("node", "addr", "name", "user", "db", "age", "idle", "cmd", "flags", "omem")
    ]
    assert name in line
    assert own.node_ids[0] in line
    assert all(text == text.rstrip() for text in done.stdout.splitlines())
    assert "\x1b" not in done.stdout + done.stderr
    assert own.node_ids[1] in done.stderr  # when each list was made is a remark


def test_quiet_leaves_stderr_empty(cli: Cli, own: Emulator) -> None:
    for words in (("--quiet", "query"), ("query", "--quiet"), ("query", "-q")):
        assert cli(*words, own.instance_id).stderr == ""


def test_values_are_formatted_for_people(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.lists["n1"] = [
        [{"idle": 5, "age": 65}, {"idle": 3661, "age": 86400 * 3 + 3600, "omem": 2048}]
    ]
    done = fake_cli("query", "i", "--columns", "idle,age,omem")
    assert done.stdout.split() == ["idle", "age", "omem", "5s", "1m05s", "1h01m", "3d01h", "2.0K"]


# Which sessions


def test_filters_on_real_sessions(cli: Cli, own: Emulator, connect: Connect) -> None:
    connect("filter-worker-1")
    connect("filter-worker-2", 1)
    connect("filter-news")

    def found(*words: str) -> list[str]:
        out = cli("query", own.instance_id, "-o", "jsonl", *words).stdout
        return sorted(name for name in names(out) if name.startswith("filter-"))

    assert found("--name", "filter-*") == ["filter-news", "filter-worker-1", "filter-worker-2"]
    assert found("--name", "*-worker-?") == ["filter-worker-1", "filter-worker-2"]
    assert found("--name", "filter-news", "--name", "*-2") == ["filter-news", "filter-worker-2"]
    assert found("--node", own.node_ids[1]) == ["filter-worker-2"]
    assert found("--node", own.node_ids[0], "--node", own.node_ids[1], "--name", "*-[12]") == [
        "filter-worker-1",
        "filter-worker-2",
    ]
    assert len(found("--addr", "127.0.0.1", "--cmd", "PING", "--user", "def*")) == 3
    assert found("--min-idle", "1h") == []
    assert found("--min-age", "1d") == []
    assert found("--flag", "b") == []
    assert len(found("--flag", "N")) == 3


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (["--min-idle", "6m"], ["11677", "2"]),
        (["--min-idle", "376s"], ["11677", "2"]),
        (["--min-idle", "2h"], ["2"]),
        (["--min-age", "1"], ["11677"]),
        (["--addr", "[2001:db8::1]:6379"], ["2"]),
        (["--addr", "2001:db8::1"], ["2"]),
        (["--addr", "198.198.0.121"], ["11677"]),
        (["--cmd", "blpop"], ["2"]),
        (["--flag", "O"], ["3"]),
        (["--flag", "OS"], ["3"]),
        (["--flag", "O", "--flag", "N"], []),
        (["--name", "(none)"], ["3", None]),
        (["--sort", "idle", "--order", "asc", "--limit", "2"], ["11677", "2"]),
        (["--sort", "idle"], ["2", "11677", "3", "4", None]),
        (["--sort", "omem", "--limit", "1"], ["3"]),
        (["--limit", "0"], []),
    ],
)
def test_odd_fields_do_not_break_filters(
    words: list[str], ids: list[str | None], fake: FakeDcs, fake_cli: Cli
) -> None:
    fake.lists["n1"] = [ROWS]
    # Not as a process of its own, for there are many of them.
    run = CliRunner().invoke(main, ["query", "i", "-o", "jsonl", *words], env=fake_cli.env)
    assert run.exit_code == 0, run.output
    assert [json.loads(line).get("id") for line in run.stdout.splitlines()] == ids


def test_columns_selects_the_fields_printed(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.lists["n1"] = [ROWS[:2]]
    chosen = ("--columns", "peer, name")
    assert fake_cli("query", "i", "-o", "jsonl", *chosen).stdout.splitlines() == [
        '{"peer": "198.198.0.121:4058", "name": "dcs"}',
        '{"name": "=1+1"}',
    ]
    assert fake_cli("query", "i", "-o", "csv", *chosen).stdout.startswith("peer,name\n198.198")
    assert "no column 'adr'" in fake_cli("query", "i", "--columns", "adr", code=2).stderr


def test_cached_queries_no_node(cli: Cli, own: Emulator, connect: Connect) -> None:
    cli("query", own.instance_id)
    connect("cached-late")
    assert "cached-late" not in cli("query", own.instance_id, "--cached").stdout
    assert "cached-late" in cli("query", own.instance_id).stdout


# Nodes that fail


@pytest.mark.parametrize("form", ["table", "jsonl"])
def test_query_prints_the_other_nodes_if_some_fail(form: str, tmp_path: Path) -> None:
    with FakeDcs(n1=[[{"name": "one"}]], n2=[[{"name": "two"}]]) as fake:
        refusal = {"error_code": "DCS.5053", "error_msg": "gone", "request_id": "r-7"}

        def first(request: Received) -> Step | None:
            if request.method == "POST" and request.json["node_id"] == "n1":
                return answer(400, refusal)
            return None

        fake.first = first
        cli = Cli(
            tmp_path,
            DCS_SESSIONS_ENDPOINT=fake.endpoint,
            DCS_SESSIONS_TOKEN="t",
            HUAWEICLOUD_SDK_PROJECT_ID="p",
        )
        for nodes in ((), ("--node", "n1", "--node", "n2")):
            done = cli("query", "i", "-o", form, *nodes, code=6)
            assert "two" in done.stdout
            assert "node n1 failed: 400 DCS.5053 gone [request r-7]" in done.stderr
        assert cli("query", "i", "--node", "n1", code=1).stdout == ""


def test_list_that_breaks_off_is_printed_as_far_as_it_came(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.lists["n1"] = [[{"id": str(number)} for number in range(1500)]]
    fake.first = lambda request: hang_up if request.query.get("offset") == "1000" else None
    done = fake_cli("query", "i", "-o", "jsonl", "--timeout", "1", code=6)
    assert len(done.stdout.splitlines()) == 1000
    assert "node n1 was read only in part" in done.stderr


@pytest.mark.parametrize("form", ["json", "jsonl", "csv"])
def test_nothing_is_printed_if_no_node_can_be_read(form: str, fake: FakeDcs, fake_cli: Cli) -> None:
    fake.first = lambda request: answer(500) if request.method == "POST" else None
    assert fake_cli("query", "i", "-o", form, code=1).stdout == ""


@pytest.mark.parametrize("form", ["json", "jsonl", "csv"])
def test_rows_of_a_node_are_printed_before_the_next_node_has_answered(
    form: str, tmp_path: Path
) -> None:
    printed = threading.Event()
    with FakeDcs(n1=[[{"name": "quick"}]], n2=[[{"name": "slow"}]]) as fake:

        def first(request: Received) -> Step | None:
            if request.method == "POST" and request.json["node_id"] == "n2":
                assert printed.wait(30)
            return None

        fake.first = first
        cli = Cli(
            tmp_path,
            DCS_SESSIONS_ENDPOINT=fake.endpoint,
            DCS_SESSIONS_TOKEN="t",
            HUAWEICLOUD_SDK_PROJECT_ID="p",
        )
        with cli.start("query", "i", "-o", form) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            # The row of JSON has no end yet: the comma belongs to the next one.
            seen = ""
            while "quick" not in seen:
                seen += process.stdout.read(1)
            printed.set()
            rest = process.stdout.read()
            assert "slow" in rest
            notes = process.stderr.read().splitlines()
        assert notes == ["node n1: list of t1, 1 sessions", "node n2: list of t1, 1 sessions"]


# Long lists, and readers who leave


def test_closed_pipe_is_not_an_error(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.lists["n1"] = [[{"id": str(number), "name": "x" * 100} for number in range(5000)]]
    for form in ("table", "json", "jsonl", "csv"):
        with fake_cli.start("query", "i", "-o", form, "--quiet") as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == ""
            assert process.wait(30) == 0


def test_long_list_is_not_held(tmp_path: Path) -> None:
    """As many as 200,000 in `make bench`; here enough to tell."""
    script = Path(__file__).parents[1] / "bench" / "server.py"
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            port = server.stdout.readline().strip()
            cli = Cli(
                tmp_path,
                DCS_SESSIONS_ENDPOINT=f"http://127.0.0.1:{port}",
                DCS_SESSIONS_TOKEN="t",
                HUAWEICLOUD_SDK_PROJECT_ID="p",
            )
            few, many = (peak_memory(cli, count) for count in (2_000, 60_000))
        finally:
            server.terminate()
    assert many - few < 10 * 1024, f"{few} KiB for 2,000, {many} KiB for 60,000"


def peak_memory(cli: Cli, count: int) -> int:
    """Return the maximum memory in KiB of a query of this many sessions."""
    process = cli.start("query", "i", "--node", str(count), "-o", "jsonl", "--quiet")
    assert process.stdout is not None
    assert sum(1 for _ in process.stdout) == count
    process.stdout.close()
    assert process.stderr is not None
    process.stderr.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--limit", "2"], "There are 1,233 more: see --limit."),
        (["--limit", "2", "-o", "csv", "--sort", "id"], "There are 1,233 more: see --limit."),
        (["--limit", "2", "-o", "csv"], "There are more: see --limit."),
        (["--limit", "1235"], None),
        (["--limit", "1235", "-o", "jsonl"], None),
        (["--limit", "9", "--name", "few"], None),
    ],
)
def test_limit_says_how_many_more_there_are(
    words: list[str], said: str | None, fake: FakeDcs, fake_cli: Cli
) -> None:
    fake.lists["n1"] = [[{"id": str(n), "name": "few" if n < 5 else "x"} for n in range(1235)]]
    run = CliRunner().invoke(main, ["query", "i", *words], env=fake_cli.env)
    assert run.exit_code == 0, run.output
    assert [line for line in run.stderr.splitlines() if "more" in line] == ([said] if said else [])


def test_long_name_does_not_pad_the_others(fake: FakeDcs, fake_cli: Cli) -> None:
    rows = [{"id": str(n), "addr": f"10.0.0.1:{n}", "name": "web", "cmd": "get"} for n in range(9)]
    fake.lists["n1"] = [[*rows, {"addr": "10.0.0.2:1", "name": "x" * 2000, "cmd": "get"}]]
    lines = fake_cli("query", "i").stdout.splitlines()
    assert max(len(line) for line in lines[:-1]) < 120
    assert "x" * 2000 in lines[-1]
