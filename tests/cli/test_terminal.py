"""Output on a terminal, as its screen shows it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest

from cli.conftest import Connect, is_alive
from dcs_sessions.emulator import Emulator
from support.command import Cli, Terminal
from support.fake import FakeDcs
from support.identity import IdentityService
from support.scripted import Received, Step, answer


def is_as_it_was(terminal: Terminal) -> bool:
    """Return whether the cursor is shown, the usual screen is back, and typing is echoed."""

    def last(on: bytes, off: bytes) -> bool:
        return terminal.raw.rfind(on) >= terminal.raw.rfind(off)

    return (
        last(b"\x1b[?25h", b"\x1b[?25l")
        and last(b"\x1b[?1049l", b"\x1b[?1049h")
        and terminal.after == terminal.before
    )


def test_table_fits_the_terminal(fake: FakeDcs, fake_cli: Cli) -> None:
    rows = [{"addr": "10.0.0.1:1", "name": "n" * 200, "user": "日本語" * 9, "omem": 1}]
    fake.lists["n1"] = [rows]
    with fake_cli.terminal("query", "i", columns=80) as terminal:
        screen = terminal.end(0)
    head, line = screen.splitlines()[-2:]
    assert head.startswith("addr")
    assert line.startswith("10.0.0.1:1")
    assert line.endswith("1B")
    assert line.count("…") == 2
    assert "10.0.0.1:1  " in line  # a part of an address would be of no use
    assert b"\x1b[1m" in terminal.raw  # the heading stands out
    assert is_as_it_was(terminal)


def test_columns_variable_sets_the_width(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.lists["n1"] = [[{"name": "n" * 200}]]
    with fake_cli.with_env(COLUMNS="50").terminal(
        "query", "i", "--columns", "name", columns=120
    ) as terminal:
        assert terminal.end(0).splitlines()[-1] == "n" * 49 + "…"


def test_long_node_ids_show_their_ends(cli: Cli, own: Emulator, connect: Connect) -> None:
    connect("ends", 0)
    connect("ends", 1)
    with cli.terminal("query", own.instance_id, "--name", "ends", columns=70) as terminal:
        lines = terminal.end(0).splitlines()[-2:]
    shown = [line.split()[0] for line in lines]
    assert [node[-1] for node in shown] == ["1", "2"]
    assert all(node.startswith("…") for node in shown)


def test_no_color_variable_turns_colours_off(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.lists["n1"] = [[{"name": "n"}]]
    for change in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        with fake_cli.with_env(**change).terminal("query", "i", "--quiet") as terminal:
            terminal.end(0)
        for code in range(30, 50):
            assert f"\x1b[{code}m".encode() not in terminal.raw


def slowly(count: int) -> Callable[[Received], Step | None]:
    """Let the job run for this many polls."""
    looks = 0

    def first(request: Received) -> Step | None:
        nonlocal looks
        if "/jobs/" not in request.path:
            return None
        looks += 1
        return answer(200, {"job_id": "j", "status": "RUNNING" if looks < count else "SUCCESS"})

    return first


def test_progress_is_removed_at_the_end(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.first = slowly(6)
    with fake_cli.terminal("query", "i") as terminal:
        terminal.wait_for("Querying the nodes of i")
        screen = terminal.end(0)
    assert "Querying" not in screen
    assert is_as_it_was(terminal)


def test_quiet_shows_no_progress(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.first = slowly(4)
    with fake_cli.terminal("query", "i", "--quiet") as terminal:
        terminal.end(0)
    assert b"Querying" not in terminal.raw


def test_ctrl_c_during_a_wait_gives_exit_code_130(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.first = slowly(1_000_000)
    with fake_cli.terminal("query", "i") as terminal:
        terminal.wait_for("Querying")
        terminal.interrupt()
        screen = terminal.end(130)
    assert screen.endswith("Interrupted.")
    assert is_as_it_was(terminal)


# Prompts


def test_kill_of_thousands_prints_a_short_overview(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.lists["n1"] = [
        [
            {"id": str(n), "peer": f"10.0.{n % 40}.1:{n}", "name": f"w-{n % 300}", "age": 9 * n}
            for n in range(1, 2501)
        ]
    ]
    words = ("kill", "i", "--name", "w-*", "--min-age", "1h")
    with fake_cli.terminal(*words, rows=24, columns=80) as terminal:
        screen = terminal.wait_for("End these 2,101 sessions? [y/N]:")
        assert "Instance i\n" in screen
        assert "Filter   name 'w-*', min age 1h00m\n" in screen
        for title in (
            "Nodes    n1 2,101",
            "Hosts    10.0.",
            "Users    (none) 2,101",
            "Names    w-",
        ):
            assert title in screen
        assert screen.count("to end") == 10 + 1
        assert "and 2,091 more to end" in screen
        terminal.type("y\n")
        terminal.wait_until(lambda: terminal.process.poll() is not None)
        assert "2,101 ended, 0 gone already, 0 spared, 0 unknown" in terminal.end(0)


def test_kill_prints_an_overview_and_asks(cli: Cli, own: Emulator, connect: Connect) -> None:
    victim = connect("asked")
    words = ("kill", own.instance_id, "--name", "asked")
    with cli.terminal(*words, columns=160) as terminal:
        screen = terminal.wait_for("End this session? [y/N]:")
        assert "to end" in screen
        terminal.type("\x03")
        assert terminal.end(130).endswith("Interrupted.")
    assert is_alive(victim)
    with cli.terminal(*words, columns=160) as terminal:
        terminal.wait_for("End this session? [y/N]:")
        terminal.type("y\r")
        assert "ended" in terminal.end(0)
    assert not is_alive(victim)


def test_kill_all_asks_for_the_id(cli: Cli, own: Emulator, connect: Connect) -> None:
    client = connect("kill-all-asked")
    with cli.terminal("kill-all", own.instance_id, columns=120) as terminal:
        terminal.wait_for("Type the ID or the name of the instance to go on:")
        terminal.type("y\r")
        assert terminal.end(1).endswith("Nothing was done.")
    assert is_alive(client)


def test_token_that_is_typed_is_not_shown(cli: Cli, own: Emulator) -> None:
    without = cli.with_env(DCS_SESSIONS_TOKEN=None)
    with without.terminal("check", "--ask-token", own.instance_id) as terminal:
        terminal.wait_for("Token:")
        terminal.type(f"{own.token}\r")
        screen = terminal.end(0)
    assert "token ***  (from the prompt)" in screen
    assert own.token.encode() not in terminal.raw
    assert is_as_it_was(terminal)


@pytest.mark.parametrize("known", [True, False])
def test_password_that_is_typed_is_not_shown(cli: Cli, known: bool) -> None:
    with IdentityService() as service:
        without = cli.with_env(
            DCS_SESSIONS_TOKEN=None,
            DCS_SESSIONS_ENDPOINT=service.endpoint,
            HUAWEICLOUD_SDK_IAM_ENDPOINT=service.endpoint,
            DCS_SESSIONS_DOMAIN="my-account" if known else None,
            DCS_SESSIONS_USER="my-user" if known else None,
        )
        with without.terminal("check", "--ask-password") as terminal:
            for question, typed in (("Account:", "my-account"), ("User:", "my-user")):
                if not known:
                    terminal.wait_for(question)
                    terminal.type(f"{typed}\r")
            terminal.wait_for("Password:")
            terminal.type("typed-password\r")
            screen = terminal.end(0)
    assert "password ***  (from the prompt)" in screen
    assert b"typed-password" not in terminal.raw
    assert service.bodies[0]["auth"]["identity"]["password"]["user"] == {
        "domain": {"name": "my-account"},
        "name": "my-user",
        "password": "typed-password",
    }


# --watch


def test_watch_marks_sessions_that_came_and_went(cli: Cli, own: Emulator, connect: Connect) -> None:
    connect("watch-stays")
    leaves = connect("watch-leaves")
    words = ("query", own.instance_id, "--name", "watch-*", "--watch", "0.3")
    with cli.terminal(*words, columns=120) as terminal:
        first = terminal.wait_for("2 sessions", "watch-stays", "watch-leaves")
        assert f"of {own.instance_id}, every 0.3 s, Ctrl-C ends" in first
        assert [line[0] for line in first.splitlines()[3:]] == [" ", " "]
        seen: list[str] = []

        def is_marked(mark: str, name: str) -> bool:
            # A mark stays for one look.
            seen.append(terminal.text())
            lines = [line for text in seen for line in text.splitlines()]
            return any(line.startswith(mark) and name in line for line in lines)

        connect("watch-comes")
        leaves.close()
        terminal.wait_until(lambda: is_marked("+ ", "watch-comes"), "what came")
        terminal.wait_until(lambda: is_marked("- ", "watch-leaves"), "what went")
        terminal.wait_for("2 sessions, 0 came, 0 went", "  127.0.0.1")
        terminal.interrupt()
        last = terminal.end(0)
    # What was seen last stays on the usual screen.
    assert "watch-stays" in last
    assert b"watch-stays" in terminal.raw.rpartition(b"\x1b[?1049l")[2]
    assert b"\x1b[?1049h" in terminal.raw
    assert is_as_it_was(terminal)


def test_watch_fits_a_small_screen(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.lists["n1"] = [[{"id": str(n), "name": "x" * 99} for n in range(50)]]
    with fake_cli.terminal("query", "i", "--watch", "60", rows=10, columns=40) as terminal:
        screen = terminal.wait_for("... 44 more")
        terminal.process.send_signal(signal.SIGTERM)
        terminal.end(128 + signal.SIGTERM)
    assert len(screen.splitlines()) == 10
    assert is_as_it_was(terminal)


def test_watch_goes_on_after_a_failure(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.lists["n1"] = [[{"id": "1", "addr": "a:1"}]]
    failing = [False]

    def first(request: Received) -> Step | None:
        dead = failing[0] and request.method == "POST"
        return answer(503, {"error_code": "x", "error_msg": "the sky fell"}) if dead else None

    fake.first = first
    words = ("query", "i", "--watch", "0.2", "--timeout", "1")
    with fake_cli.terminal(*words, columns=100) as terminal:
        terminal.wait_for("1 sessions")
        failing[0] = True
        terminal.wait_for("the sky fell")
        screen = terminal.wait_for("a:1")  # what was known stays; the screen is drawn line by line
        assert "\n- " not in screen
        failing[0] = False
        terminal.wait_until(lambda: "the sky fell" not in terminal.text())
        terminal.interrupt()
        terminal.end(0)


@pytest.mark.parametrize("form", ["jsonl", "table"])
def test_watch_in_a_pipe_prints_each_list(form: str, fake: FakeDcs, fake_cli: Cli) -> None:
    one, two, three = ({"id": n, "name": f"s{n}"} for n in "123")
    fake.lists["n1"] = [[one, two], [two, three], [two, three]]
    words = ("query", "i", "--watch", "0.1", "-o", form, "--columns", "name", "--quiet")
    expected = {
        "jsonl": [
            '{"change": "present", "name": "s1"}',
            '{"change": "present", "name": "s2"}',
            '{"change": "went", "name": "s1"}',
            '{"change": "came", "name": "s3"}',
        ],
        "table": ["  name", "  s1", "  s2", "", "  name", "- s1", "  s2", "+ s3", ""],
    }[form]
    with fake_cli.start(*words) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().rstrip("\n") for _ in expected]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert lines == expected


def test_watch_refuses_invalid_intervals(fake_cli: Cli) -> None:
    for words in (("-o", "csv"), ("-o", "json"), ("--cached",), ("-o", "jsonl", "--limit", "1")):
        fake_cli("query", "i", "--watch", "1", *words, code=2)


def test_watch_reports_an_interval_that_is_too_short(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.lists["n1"] = [[{"id": "1", "addr": "a:1"}]]

    def first(request: Received) -> Step | None:
        if request.method == "POST":
            time.sleep(0.8)
        return None

    fake.first = first
    with fake_cli.terminal("query", "i", "--watch", "0.1", columns=100) as terminal:
        terminal.wait_for("since a query takes longer than 0.1 s")
        terminal.interrupt()
        terminal.end(0)
    with fake_cli.start("query", "i", "--watch", "0.1", "-o", "jsonl") as process:
        assert process.stderr is not None
        told = iter(process.stderr.readline, "")
        assert any("since a query takes longer than 0.1 s" in line for line in told)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_watch_without_a_result_is_interrupted(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.first = slowly(1_000_000)
    with fake_cli.terminal("query", "i", "--watch", "60") as terminal:
        terminal.wait_for("Querying")
        terminal.interrupt()
        terminal.end(130)
    assert is_as_it_was(terminal)


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_no_row_is_broken_on_a_narrow_terminal(columns: int, fake: FakeDcs, fake_cli: Cli) -> None:
    row = {
        "addr": "255.255.255.255:65535",
        "name": "checkout-worker-with-a-name",
        "user": "checkout",
        "db": "0",
        "age": 86400 * 400,
        "idle": 86400 * 400,
        "cmd": "client|setname",
        "flags": "N",
        "omem": 1023 * 1024,
    }
    fake.lists["n1"] = [[row] * 3]
    with fake_cli.terminal("query", "i", "--quiet", columns=columns) as terminal:
        head, *lines = terminal.end(0).splitlines()
    assert len(lines) == 3
    assert head.split()[:2] == ["addr", "name"]
    assert "idle" in head
    assert all(line.startswith("255.255.255.255:65535  check") for line in lines)
    assert ("user" in head.split()) is (columns == 80)


def test_remarks_are_broken_between_words(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.lists["n1"] = [[{"id": str(number)} for number in range(1235)]]
    for columns in (30, 34, 38, 42):
        with fake_cli.terminal("query", "i", "--name", "nobody", columns=columns) as terminal:
            words = terminal.end(0).split()
        assert "1235" in words
        assert "sessions" in words


@pytest.mark.parametrize("columns", [60, 80])
def test_nodes_and_instances_fit_a_narrow_terminal(
    columns: int, cli: Cli, own: Emulator, fake: FakeDcs, fake_cli: Cli
) -> None:
    with cli.terminal("nodes", own.instance_id, columns=columns) as terminal:
        lines = terminal.end(0).splitlines()
    assert len(lines) == 3
    assert [line.split()[0] for line in lines[1:]] == list(own.node_ids)
    instance_id = "5560df16-cebf-4473-95c4-d1b573c16e79"
    fake.instances = [
        {
            "instance_id": instance_id,
            "name": "n" * 64,
            "status": "RUNNING",
            "spec_code": "redis.cluster.xu1.large.r2.4",
            "engine_version": "7.0",
            "domain_name": f"redis-{instance_id}.dcs.example.com",
            "port": 6379,
            "capacity": 1024,
        }
    ]
    with fake_cli.terminal("instances", columns=columns) as terminal:
        lines = terminal.end(0).splitlines()
    assert len(lines) == 2
    assert instance_id in lines[1]
