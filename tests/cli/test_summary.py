"""`summary`: counts of sessions by program, host and node, in every format."""

from __future__ import annotations

import csv
import io
import json
import re
import resource
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import valkey
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from cli.conftest import Connect
from dcs_sessions import NodeSessions, Session
from dcs_sessions._cli import _metrics
from dcs_sessions._cli._filters import Filters
from dcs_sessions._cli._group import main
from dcs_sessions._cli._report import Report, percent
from dcs_sessions._cli._statistics import Statistics
from dcs_sessions._results import ConnectionLimit
from dcs_sessions.emulator import Emulator
from support.command import Cli
from support.fake import FakeDcs
from support.scripted import answer


def rows(*counts: tuple[str, str, int]) -> list[dict[str, Any]]:
    """Return sessions: a number for each host and name."""
    return [
        {"id": f"{host}-{name}-{n}", "addr": f"{host}:{n}", "name": name, "idle": n, "db": "0"}
        for host, name, count in counts
        for n in range(count)
    ]


def run(cli: Cli, *words: str, code: int = 0) -> Result:
    """Run the command in this process, which is faster."""
    result = CliRunner().invoke(main, ["summary", *words], env=cli.env)
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def leaking(fake: FakeDcs) -> FakeDcs:
    """Two nodes, 30 sessions, of which one host holds 20."""
    fake.lists = {
        "n1": [rows(("10.0.0.1", "cart", 18), ("10.0.0.2", "web", 3))],
        "n2": [rows(("10.0.0.1", "cart", 2), ("10.0.0.3", "web", 7))],
    }
    fake.scans = dict.fromkeys(fake.lists, 0)
    fake.instance = {"instance_id": "i", "name": "shop", "cache_mode": "cluster"}
    fake.instance["sharding_count"] = 2
    fake.maxclients = "20"
    return fake


def test_summary_starts_with_the_connections_and_their_limit(
    leaking: FakeDcs, fake_cli: Cli
) -> None:
    lines = run(fake_cli, "i").stdout.splitlines()
    assert lines[0] == "30 of 40 connections (75 %)"
    # A full node is the news.
    assert lines[1] == "Node n1: 21 of 20 connections (105 %)"
    at = lines.index("Node, of 20 connections each")
    assert [line.split()[:3] for line in lines[at + 1 : at + 3]] == [
        ["n1", "21", "105"],
        ["n2", "9", "45"],
    ]


@pytest.mark.parametrize(
    ("instance", "maxclients", "title"),
    [
        ({"cache_mode": "cluster", "sharding_count": 2}, "15", "30 of 30 connections (100 %)"),
        ({"cache_mode": "cluster", "sharding_count": 2}, "1000", "30 of 2,000 connections (2 %)"),
        ({"cache_mode": "cluster", "sharding_count": 2}, None, "30 connections"),
        ({"cache_mode": "cluster"}, "1000", "30 connections"),
        ({"cache_mode": "proxy"}, "1000", "30 connections"),
        ({"cache_mode": "ha_rw_split"}, None, "30 connections"),
    ],
)
def test_limit_is_printed_if_known(
    leaking: FakeDcs,
    fake_cli: Cli,
    instance: dict[str, Any],
    maxclients: str | None,
    title: str,
) -> None:
    leaking.instance = {"instance_id": "i", **instance}
    leaking.maxclients = maxclients
    assert run(fake_cli, "i").stdout.splitlines()[0] == title


def test_sessions_on_replicas_are_counted_separately(leaking: FakeDcs, fake_cli: Cli) -> None:
    nodes = [
        {"node_id": node, "node_role": "redis-server", "node_type": kind}
        for node, kind in (("n1", "master"), ("n2", "slave"))
    ]
    leaking.instance = {"instance_id": "i", "cache_mode": "ha"}
    leaking.maxclients = "100"
    leaking.first = lambda request: (
        answer(200, {"instance_id": "i", "total": 2, "nodes": nodes})
        if request.path.endswith("/logical-nodes")
        else None
    )
    title = run(fake_cli, "i").stdout.splitlines()[0]
    assert title == "21 of 100 connections (21 %), and 9 on replicas"


def test_some_nodes_have_a_limit_of_their_own(leaking: FakeDcs, fake_cli: Cli) -> None:
    out = run(fake_cli, "i", "--node", "n2").stdout
    assert out.startswith("9 of 20 connections (45 %)\n")


def test_summary_works_without_the_permission_for_the_limit(
    leaking: FakeDcs, fake_cli: Cli
) -> None:
    refusal = {"error_code": "DCS.2007", "error_msg": "Policy does not allow x."}
    leaking.first = lambda request: (
        answer(403, refusal) if request.path.endswith("/configs") else None
    )
    result = run(fake_cli, "i")
    assert result.stdout.startswith("30 connections\n")
    assert "The connection limit is not known: 403 DCS.2007" in result.stderr


def test_filters_are_printed(leaking: FakeDcs, fake_cli: Cli, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    words = ("i", "--name", "cart*", "--html", str(page))
    lines = run(fake_cli, *words).stdout.splitlines()
    assert lines[0] == "30 of 40 connections (75 %)"
    assert lines[1] == "20 of 30 sessions match: --name 'cart*'"
    text = page.read_text()
    assert "<h1>30 of 40 connections (75 %)</h1>" in text
    assert "<p>20 of 30 sessions match: --name &#x27;cart*&#x27;</p>" in text
    assert "of instance <code>shop i</code>" in text
    assert "<code>n1</code> 21 of 20 connections (105 %), list of t1" in text


@pytest.mark.parametrize(
    ("switch", "why"),
    [
        (False, "client IP pass-through is off."),
        (
            True,
            "they were opened before client IP pass-through was on, or sent no command since.",
        ),
        (None, "client IP pass-through was off when they were opened."),
    ],
)
def test_internal_addresses_are_explained(
    fake: FakeDcs, fake_cli: Cli, switch: object, why: str
) -> None:
    fake.lists["n1"] = [rows(("198.19.3.4", "", 2), ("10.0.0.1", "", 1))]
    fake.instance = {"instance_id": "i", "transparent_client_ip_enable": switch}
    lines = run(fake_cli, "i").stdout.splitlines()
    assert lines[1] == (
        f"2 sessions have an internal address, 198.19.x.x, and not that of their client: {why}"
    )
    fake.lists["n1"] = [rows(("10.0.0.1", "", 1))]
    assert "198.19" not in run(fake_cli, "i").stdout


def test_by_counts_combinations_of_fields(leaking: FakeDcs, fake_cli: Cli) -> None:
    out = run(fake_cli, "i", "--by", "host,name", "--by", "node", "--top", "2").stdout
    host, node = out.partition("Client host, name\n")[2].split("\n\n")
    assert [line.split()[:3] for line in host.splitlines()] == [
        ["10.0.0.1,", "cart", "20"],
        ["10.0.0.3,", "web", "7"],
        ["1", "others:", "3"],
    ]
    assert [line.split()[:2] for line in node.splitlines()] == [
        ["Node"],
        ["n1", "21"],
        ["n2", "9"],
    ]
    assert "Last command" not in out
    for wrong in ("hosts", "host,host", ""):
        assert "there are host, name" in run(fake_cli, "i", "--by", wrong, code=2).output


def test_formats_for_programs_have_a_row_for_each_count(leaking: FakeDcs, fake_cli: Cli) -> None:
    words = ("i", "--by", "host,name", "--by", "node", "--name", "cart")
    found = json.loads(run(fake_cli, *words, "-o", "json").stdout)
    assert found == [
        {"group": "instance", "instance_id": "i", "count": 30, "limit": 40},
        {"group": "node", "node_id": "n1", "count": 21, "limit": 20},
        {"group": "node", "node_id": "n2", "count": 9, "limit": 20},
        {"group": "sessions", "filters": "--name cart", "count": 20},
        {"group": "host,name", "host": "10.0.0.1", "name": "cart", "count": 20},
        {"group": "node", "node_id": "n1", "count": 18},
        {"group": "node", "node_id": "n2", "count": 2},
    ]
    lines = run(fake_cli, *words, "-o", "jsonl").stdout.splitlines()
    assert [json.loads(line) for line in lines] == found
    table = csv.DictReader(io.StringIO(run(fake_cli, *words, "-o", "csv").stdout))
    cells = [{name: cell for name, cell in row.items() if cell} for row in table]
    assert [cell["count"] for cell in cells] == [str(row["count"]) for row in found]


def test_formats_for_programs_have_all_values_without_top(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.lists["n1"] = [rows(*((f"10.0.0.{n}", "", 1) for n in range(15)))]
    words = ("i", "--by", "host", "-o", "jsonl")
    assert run(fake_cli, *words).stdout.count('"host":') == 15
    assert run(fake_cli, *words, "--top", "3").stdout.count('"host":') == 3


# Metrics


def parse_strictly(text: str) -> Iterator[Any]:
    """Read metrics by the rules of OpenMetrics."""
    parse: Any = openmetrics
    families: Iterator[Any] = parse(text)
    return families


@pytest.mark.parametrize("parse", [openmetrics, prometheus])
def test_metrics_are_valid_openmetrics(leaking: FakeDcs, fake_cli: Cli, parse: Any) -> None:
    text = run(fake_cli, "i", "-o", "openmetrics", "--by", "host,name", "--top", "1").stdout
    assert text.endswith("# EOF\n")
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in parse(text)
        for sample in family.samples
    }
    same = (("instance_id", "i"), ("instance_name", "shop"))
    assert samples["dcs_connections", *same, ("node", "n1")] == 21
    assert samples["dcs_connections_limit", *same, ("node", "n2")] == 20
    assert samples["dcs_instance_connections_limit", *same] == 40
    assert samples["dcs_node_up", *same, ("node", "n1")] == 1
    assert samples["dcs_sessions", *same] == 30
    values = {
        labels: value
        for (name, *labels_), value in samples.items()
        if name == "dcs_sessions_by_host_name"
        for labels in [tuple(value for key, value in labels_ if key in ("host", "name"))]
    }
    assert values == {("10.0.0.1", "cart"): 20, ("(others)", "(others)"): 10}


def test_name_like_that_of_the_rest_is_counted_with_the_rest(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.lists["n1"] = [rows(("10.0.0.1", "(others)", 4), ("10.0.0.1", "a", 2), ("h", "b", 1))]
    text = run(fake_cli, "i", "-o", "openmetrics", "--by", "name", "--top", "2").stdout
    found = [line for line in text.splitlines() if line.startswith("dcs_sessions_by_name{")]
    assert [line.rpartition(",")[2] for line in found] == ['name="(others)"} 5', 'name="a"} 2']


# Random text rarely has what must be escaped.
names = st.text() | st.text(st.sampled_from('\\"\n{},= a#'), max_size=5)


@given(st.lists(names, min_size=1, max_size=5))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_name_is_escaped_in_metrics(names: list[str]) -> None:
    statistics = Statistics([("name",)])
    node = NodeSessions("n", None, "t", [])
    for name in names:
        statistics.add(node, Session(name=name), Filters())
    report = Report(
        "i", "shop", ConnectionLimit(None, None), None, Filters(), statistics, ["n"], [], whole=True
    )
    text = "".join(f"{line}\n" for line in _metrics.lines(report, 10))
    found = {
        sample.labels["name"]: sample.value
        for family in parse_strictly(text)
        for sample in family.samples
        if sample.name == "dcs_sessions_by_name"
    }
    shown = [
        "".join(
            char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode()
            for char in name
        )
        for name in names
    ]
    assert found == Counter(shown)


sizes = st.none() | st.integers(-1, 40) | st.sampled_from(["7", "12", "x", 2.5, True])


rows_found = st.tuples(sizes, st.sampled_from("ab"), st.sampled_from("xyz"))


# Only ten of the heaviest are kept.
@given(st.lists(rows_found, max_size=5) | st.lists(rows_found, min_size=15, max_size=40))
def test_statistics_are_those_of_the_whole_list(found: list[tuple[Any, str, str]]) -> None:
    statistics = Statistics([("name",), ("user", "name"), ("node",)])
    nodes = {name: NodeSessions(name, None, "t", []) for name in "xyz"}
    for at, (omem, name, node) in enumerate(found):
        session = Session(name=name, user=node * 2, addr=f"1.2.3.4:{at}")
        session.omem = omem
        statistics.add(nodes[node], session, Filters())
    assert statistics.total == statistics.everything == len(found)
    assert statistics.connections == Counter(node for _, _, node in found)
    assert dict(statistics.ranked(("name",))) == Counter((name,) for _, name, _ in found)
    assert dict(statistics.ranked(("user", "name"))) == Counter(
        (node * 2, name) for _, name, node in found
    )
    for group in statistics.groups:
        ranked = statistics.ranked(group)
        assert ranked == sorted(ranked, key=lambda one: (-one[1], one[0]))
    weights = [
        (float(omem), -at)
        for at, (omem, _, _) in enumerate(found)
        if omem is not None and omem is not True and omem != "x" and float(omem) > 0
    ]
    heaviest = sorted(weights, reverse=True)[:10]
    assert [one["address"] for one in statistics.heaviest()] == [
        f"1.2.3.4:{-at}" for _, at in heaviest
    ]


# Pages, and long names


def test_html_page_is_printed_to_standard_output(
    leaking: FakeDcs, fake_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = run(fake_cli, "i", "--html", "-").stdout
    assert out.startswith("<!doctype html>")
    assert out.endswith("</html>\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [("-o", "openmetrics"), ("--html", "-")])
def test_formats_in_utf8_are_in_utf8_whatever_the_locale(
    fake: FakeDcs, fake_cli: Cli, words: tuple[str, ...]
) -> None:
    fake.lists["n1"] = [rows(("10.0.0.1", "größe", 1))]
    done = fake_cli.with_env(PYTHONIOENCODING="latin-1")("summary", "i", *words)
    assert "größe" in done.stdout


def test_page_that_cannot_be_written_leaves_the_file_and_the_summary(
    leaking: FakeDcs, fake_cli: Cli, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    page.write_text("the page before")
    page.chmod(0o600)
    link = tmp_path / "link.html"
    link.symlink_to(page)

    def fill_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    before = sorted(tmp_path.iterdir())
    for file, changes in ((link, {"preexec_fn": fill_disk}), (Path("/dev/full"), {})):
        with fake_cli.start("summary", "i", "--html", str(file), **changes) as process:
            out, err = process.communicate(timeout=30)
        assert process.returncode == 1, err
        assert out.startswith("30 of 40 connections")
        assert f"the output cannot be written: --html: {file}: " in err
        assert sorted(tmp_path.iterdir()) == before
    assert page.read_text() == "the page before"
    run(fake_cli, "i", "--html", str(link))
    assert link.is_symlink()
    assert page.stat().st_mode & 0o777 == 0o600
    assert page.read_text("utf-8").startswith("<!doctype html>")
    assert sorted(tmp_path.iterdir()) == before


def test_long_names_are_cut(fake: FakeDcs, fake_cli: Cli, tmp_path: Path) -> None:
    name = "n" * 2000
    fake.lists["n1"] = [[*rows(("10.0.0.1", "short", 3)), {"name": name, "omem": 9}]]
    page = tmp_path / "page.html"
    out = run(fake_cli, "i", "--html", str(page)).stdout
    assert name[:100] not in page.read_text()
    short = next(line for line in out.splitlines() if line.startswith("short"))
    assert len(short) < 150


@pytest.mark.parametrize(
    "words",
    [
        ("--html", "x.html", "--watch", "1"),
        ("--html", "x.html", "-o", "json"),
        ("--watch", "1", "-o", "json"),
        ("--watch", "1", "--cached"),
        ("--top", "0"),
    ],
)
def test_options_that_exclude_each_other_are_refused(
    fake: FakeDcs, fake_cli: Cli, words: tuple[str, ...]
) -> None:
    run(fake_cli, "i", *words, code=2)


def test_failed_node_is_reported(leaking: FakeDcs, fake_cli: Cli) -> None:
    refusal = {"error_code": "DCS.5053", "error_msg": "gone"}
    leaking.first = lambda request: (
        answer(400, refusal)
        if request.method == "POST" and request.json["node_id"] == "n1"
        else None
    )
    result = run(fake_cli, "i", code=6)
    assert result.stdout.startswith("9 connections\n1 nodes could not be read")
    text = run(fake_cli, "i", "-o", "openmetrics", code=6).stdout
    assert 'node="n1"} 0' in text
    page = run(fake_cli, "i", "--html", "-", code=6).stdout
    assert "list_nodes" not in page


def test_node_that_was_read_in_part_is_counted_in_part(
    leaking: FakeDcs, fake_cli: Cli, tmp_path: Path
) -> None:
    leaking.lists["n2"] = [rows(("10.0.0.3", "web", 2500))]
    leaking.first = lambda request: (
        answer(400, {}) if request.query.get("offset", "0") != "0" else None
    )
    counted = 21 + 1000
    page = tmp_path / "page.html"
    shown = run(fake_cli, "i", "--by", "node", "--html", str(page), code=6).stdout
    assert shown.startswith(
        f"{counted:,} connections\n"
        "1 nodes were read only in part: 1,000 of their sessions are counted.\n"
    )
    assert "not counted" not in shown
    assert "<code>n2</code> 1,000 of " in page.read_text("utf-8")
    lines = run(fake_cli, "i", "-o", "jsonl", code=6).stdout.splitlines()
    found = [json.loads(line) for line in lines]
    whole, *others = (one["count"] for one in found if one["group"] in {"instance", "node"})
    assert (whole, others) == (counted, [1000, 21])
    text = run(fake_cli, "i", "-o", "openmetrics", code=6).stdout
    families = {family.name: family.samples for family in parse_strictly(text)}
    assert sum(one.value for one in families["dcs_connections"]) == counted
    up = {one.labels["node"]: one.value for one in families["dcs_node_up"]}
    assert up == {"n1": 1, "n2": 0}


@pytest.mark.parametrize(
    ("count", "limit", "said"),
    [
        (0, 10, "0 %"),
        (1, 1000, "<1 %"),
        (995, 1000, "99 %"),
        (9999, 10000, "99 %"),
        (1000, 1000, "100 %"),
        (2965, 30000, "10 %"),
        (5, 0, "500 %"),
    ],
)
def test_percentages_are_rounded_away_from_0_and_100(count: int, limit: int, said: str) -> None:
    assert percent(count, limit) == said


# On a terminal


@pytest.mark.parametrize("columns", [60, 80])
def test_summary_fits_a_narrow_terminal(leaking: FakeDcs, fake_cli: Cli, columns: int) -> None:
    leaking.lists["n1"] = [
        [*rows(("10.0.0.1", "cart", 17), ("10.0.0.1", "x" * 200, 1), ("10.0.0.2", "web", 3))]
    ]
    with fake_cli.terminal("summary", "i", "-q", columns=columns, rows=60) as terminal:
        screen = terminal.end(0)
    lines = screen.splitlines()
    assert lines[0] == "30 of 40 connections (75 %)"
    assert any(re.match(r"10\.0\.0\.1 +20 +67 %  █+$", line) for line in lines)
    assert all(len(line) <= columns for line in lines)


def test_watch_repeats_the_summary(cli: Cli, own: Emulator, connect: Connect) -> None:
    words = ("summary", own.instance_id, "--watch", "0.3", "--by", "name")
    with cli.terminal(*words, columns=100, rows=30) as terminal:
        terminal.wait_for("connections", "every 0.3 s")
        connect("summary-comes")
        terminal.wait_for("summary-comes")
        terminal.interrupt()
        assert "summary-comes" in terminal.end(0)


def test_progress_counts_nodes(cli: Cli, own: Emulator) -> None:
    with cli.terminal("summary", own.instance_id, columns=100) as terminal:
        terminal.end(0)
    assert b"Querying the nodes of dcs-emulator" in terminal.raw


def test_limit_is_that_of_the_real_server(cli: Cli, own: Emulator) -> None:
    for url in own.redis_urls:
        with valkey.Valkey.from_url(url) as server:
            server.config_set("maxclients", 1500)
    out = cli("summary", "dcs-emulator").stdout
    assert re.match(r"\d of 3,000 connections \((<1|0) %\)\n", out)
