"""INSTANCE by name, the list of instances, the default instance, and shell completion."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from dcs_sessions import _contract
from dcs_sessions._cli import _overview
from dcs_sessions._cli._columns import ROW_FIELDS
from dcs_sessions._cli._group import _behind_command, main
from dcs_sessions.emulator import Emulator, Instance
from support.command import COMMAND, Cli
from support.fake import FakeDcs
from support.scripted import ScriptedServer, answer, silence
from tools import spec


@pytest.fixture(scope="module")
def several() -> Iterator[Emulator]:
    instances = [
        Instance(name="billing-prod", cache_mode="proxy"),
        Instance(name="same-name"),
        Instance(name="same-name"),
        Instance(name="odd-id", instance_id="legacy-instance-7"),
    ]
    with Emulator(instance_name="checkout-prod", nodes=2, instances=instances) as dcs:
        yield dcs


@pytest.fixture
def cli(several: Emulator, tmp_path: Path) -> Cli:
    return Cli(
        tmp_path,
        DCS_SESSIONS_ENDPOINT=several.endpoint,
        DCS_SESSIONS_TOKEN=several.token,
        HUAWEICLOUD_SDK_PROJECT_ID=several.project_id,
    )


def ids(several: Emulator) -> list[str]:
    return [found["instance_id"] for found in several.instances]


def test_instances_are_listed_by_name_and_glob(cli: Cli, several: Emulator) -> None:
    head, *lines = cli("instances").stdout.splitlines()
    assert head.split() == ["name", "id", "status", "type", "version", "address", "size"]
    assert [line.split()[0] for line in lines] == [
        *("billing-prod", "checkout-prod", "odd-id", "same-name", "same-name")
    ]
    assert lines[1].split()[1:4] == [several.instance_id, "RUNNING", "cluster"]
    (row,) = json.loads(cli("instances", "CHECKOUT", "-o", "json").stdout)
    assert list(row)[:4] == ["name", "instance_id", "status", "type"]
    assert (row["size"], row["port"]) == ("0.125 GB", int(row["address"].rpartition(":")[2]))
    rows = list(csv.DictReader(io.StringIO(cli("instances", "*-prod", "-o", "csv").stdout)))
    assert [row["name"] for row in rows] == ["billing-prod", "checkout-prod"]
    assert cli("instances", "-o", "jsonl").stdout.count("\n") == 5
    done = cli("instances", "nothing")
    assert done.stdout.count("\n") == 1
    assert done.stderr == "None of 5 instances matches 'nothing'.\n"
    raw = json.loads(cli("instances", "--raw").stdout)
    assert raw["instance_num"] == 5


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("redis.single.xu1.large.1", "single"),
        ("redis.ha.xu1.tiny.r2.128", "ha"),
        ("redis.ha.xu1.large.p2.1", "ha_rw_split"),
        ("redis.cluster.xu1.large.r2.4", "cluster"),
        ("redis.proxy.xu1.large.4", "proxy"),
        ("dcs.single_node", None),
        (None, None),
    ],
)
def test_type_is_derived_from_the_specification_code(
    fake: FakeDcs, fake_cli: Cli, code: str | None, kind: str | None
) -> None:
    fake.instances = [{"instance_id": "i", "name": "n", "spec_code": code, "ip": "a,b", "port": 1}]
    (row,) = json.loads(fake_cli("instances", "-o", "json").stdout)
    assert row["type"] == kind
    assert row["address"] == "a,b"
    assert row["size"] is None


def test_every_command_takes_a_name(cli: Cli, several: Emulator) -> None:
    nodes = cli("nodes", "checkout-prod").stdout
    assert nodes == cli("nodes", several.instance_id).stdout
    node = several.node_ids[0]
    job = cli("scan", "checkout-prod", node, "--clean-cache").stdout.strip()
    cli("job", job, "--wait")
    cli("list", "checkout-prod", node)
    cli("query", "checkout-prod")
    assert "2 nodes" in cli("summary", "checkout-prod").stderr
    assert several.instance_id in cli("check", "checkout-prod").stdout
    cli("kill", "checkout-prod", "--name", "nobody", "--dry-run")
    cli("kill-all", "checkout-prod", "--yes")
    assert cli("nodes", "legacy-instance-7").stdout.count("\n") == 2  # an ID of another form


def test_id_costs_no_call(fake: FakeDcs, fake_cli: Cli) -> None:
    fake_cli("nodes", "5560df16-cebf-4473-95c4-d1b573c16e79")
    assert len(fake.received) == 1


def test_ambiguous_name_is_refused(cli: Cli, several: Emulator) -> None:
    for words in (("kill-all", "same-name", "--yes"), ("query", "same-name")):
        done = cli(*words, code=2)
        first, *lines = done.stderr.splitlines()
        assert first == (
            "dcs-sessions: 2 instances are called 'same-name'; use the ID of one of them:"
        )
        assert [line.split()[1] for line in lines[:2]] == ids(several)[2:4]
        assert lines[2] == "List all instances: dcs-sessions instances"


@pytest.mark.parametrize(
    ("name", "closest"),
    [
        ("checkout-prd", "checkout-prod"),
        ("checkout", "checkout-prod"),
        ("BILLING-PROD", "billing-prod"),
        ("prod", "checkout-prod"),
    ],
)
def test_closest_names_are_suggested(cli: Cli, name: str, closest: str) -> None:
    lines = cli("query", name, code=4).stderr.splitlines()
    assert lines[0] == f"dcs-sessions: no instance is called {name!r}; the closest names are:"
    assert closest in [line.split()[0] for line in lines[1:-1]]


def test_unknown_name_without_a_close_one_is_reported(cli: Cli) -> None:
    done = cli("query", "xyzxyzxyz", code=4)
    assert done.stderr.startswith("dcs-sessions: none of the 5 instances is called 'xyzxyzxyz'\n")


def test_hostile_name_cannot_write_to_the_terminal(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.instances = [{"instance_id": "i\n", "name": "shop-\x1b[31m\nend", "status": "\x07"}]
    for words in (("instances",), ("query", "shop-"), ("query", "shop-\x1b[31m\nend")):
        done = subprocess.run(
            [*COMMAND, *words], env=fake_cli.env, capture_output=True, text=True, check=False
        )
        for char in ("\x1b", "\x07"):
            assert char not in done.stdout + done.stderr


# The default


def test_instance_defaults_to_the_environment(cli: Cli, several: Emulator) -> None:
    default = cli.with_env(DCS_SESSIONS_INSTANCE="checkout-prod")
    assert default("nodes").stdout == cli("nodes", "checkout-prod").stdout
    assert default("nodes", "-o", "csv").stdout.count("\n") == 3
    assert default("nodes", "billing-prod").stdout != default("nodes").stdout
    default("query", "--name", "nobody")
    default("summary", "--top", "3")
    node = several.node_ids[0]
    job = default("scan", node).stdout.strip()
    default("job", job, "--wait")
    default("list", "--limit", "3", node)
    assert "nobody" not in default("kill", "--name", "nobody", "--dry-run").stdout
    done = default("kill", "192.0.2.1:1", "--node", node, "--dry-run", "-o", "jsonl", code=6)
    assert json.loads(done.stdout)["address"] == "192.0.2.1:1"
    default("kill-all", "--yes", "--node", node)
    assert "Missing argument 'INSTANCE'" in cli("nodes", code=2).stderr


@pytest.mark.parametrize("words", [(), ("x",), ("-",), ("1.2.3.4:5",), ("--",), ("", "")])
@pytest.mark.parametrize("name", sorted({*_overview.COMMANDS} - {"emulator"}))
def test_bare_command_uses_the_instance_of_the_environment(
    server: ScriptedServer, cli: Cli, name: str, words: tuple[str, ...]
) -> None:
    server.steps = [answer(404, {"error_code": "DCS.3022", "error_msg": "does not exist"})]
    environment = cli.with_env(DCS_SESSIONS_INSTANCE="i", DCS_SESSIONS_ENDPOINT=server.endpoint).env
    run = CliRunner().invoke(main, [name, *words], env=environment, input="")
    assert "is a fault of" not in run.output
    assert run.exception is None or isinstance(run.exception, SystemExit)


def test_check_takes_the_instance_of_the_environment(cli: Cli, several: Emulator) -> None:
    default = cli.with_env(DCS_SESSIONS_INSTANCE=several.instance_id)
    assert f"Instance:    {several.instance_id}" in default("check").stdout


# What shells complete


def complete(cli: Cli, *words: str) -> list[str]:
    """Return the completions of the last of these words in bash."""
    done = subprocess.run(
        [*COMMAND],
        env={
            **cli.env,
            "_DCS_SESSIONS_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(("dcs-sessions", *words)),
            "COMP_CWORD": str(len(words)),
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


def test_instances_are_completed(cli: Cli, several: Emulator) -> None:
    assert complete(cli, "query", "check") == ["checkout-prod"]
    assert complete(cli, "kill", "same") == ["same-name", "same-name"]
    assert complete(cli, "query", "dc500000-0000-4000-8000-00000000b00") == ids(several)[:4]
    assert complete(cli, "query", "none") == []


def test_nodes_regions_and_columns_are_completed(cli: Cli, several: Emulator) -> None:
    assert complete(cli, "query", "checkout-prod", "--node", "d") == list(several.node_ids)
    assert complete(cli, "query", "--region", "cn-north-") == [
        region for region in _contract.regions() if region.startswith("cn-north-")
    ]
    assert complete(cli, "query", "--columns", "na") == ["name"]
    assert complete(cli, "query", "--columns", "name,us") == ["name,user"]
    assert len(complete(cli, "query", "--columns", "id,")) == len(ROW_FIELDS) - 1


def test_completion_is_cached_and_silent(cli: Cli, tmp_path: Path, fake: FakeDcs) -> None:
    assert complete(cli, "query", "check") == ["checkout-prod"]
    (cache,) = (tmp_path / ".cache" / "dcs-sessions").iterdir()
    assert cli.env["DCS_SESSIONS_TOKEN"] not in cache.read_text()
    cache.write_text(json.dumps([["an-id", "check-cached", "RUNNING"]]))
    assert complete(cli, "query", "check") == ["check-cached"]
    cache.write_text("broken")
    assert complete(cli, "query", "check") == ["checkout-prod"]

    fake.first = lambda _: silence
    for change in (
        {"DCS_SESSIONS_ENDPOINT": "http://127.0.0.1:1"},
        {"DCS_SESSIONS_ENDPOINT": fake.endpoint},
        {"DCS_SESSIONS_ENDPOINT": None},
        {"DCS_SESSIONS_TOKEN": "wrong"},
    ):
        other = cli.with_env(XDG_CACHE_HOME=str(tmp_path / "other"), **change)
        assert complete(other, "query", "check") == []


@pytest.mark.parametrize("words", [("query", "shop"), ("query", "shop", "--node", "n")])
def test_completion_waits_for_a_silent_service_no_longer_than_a_user_would(
    words: tuple[str, ...], fake: FakeDcs, fake_cli: Cli
) -> None:
    fake.first = lambda _: silence
    started = time.monotonic()
    assert complete(fake_cli, *words) == []
    assert fake.received
    assert time.monotonic() - started < 20, "a call waits for a minute otherwise"


@pytest.mark.parametrize(
    "change",
    [
        {"DCS_SESSIONS_TOKEN": "another-token"},
        {"HUAWEICLOUD_SDK_PROJECT_ID": "another-project"},
        {"DCS_SESSIONS_REGION": "cn-east-3"},
        {
            "DCS_SESSIONS_TOKEN": None,
            "HUAWEICLOUD_SDK_AK": "a-key",
            "HUAWEICLOUD_SDK_SK": "a-secret",
        },
        {
            "DCS_SESSIONS_TOKEN": None,
            "HUAWEICLOUD_SDK_AK": "a-key",
            "HUAWEICLOUD_SDK_SK": "another-secret",
            "HUAWEICLOUD_SDK_SECURITY_TOKEN": "a-security-token",
        },
        {"HC_CONTAINER_AUTHORIZATION_TOKEN": "a-pod"},
    ],
)
def test_completion_is_cached_for_an_account_and_a_project(
    fake: FakeDcs, fake_cli: Cli, change: dict[str, str | None]
) -> None:
    fake.instances = [{"instance_id": "i1", "name": "shop-first"}]
    assert complete(fake_cli, "query", "shop") == ["shop-first"]
    fake.instances = [{"instance_id": "i2", "name": "shop-second"}]
    assert complete(fake_cli, "query", "shop") == ["shop-first"]
    assert complete(fake_cli.with_env(**change), "query", "shop") == ["shop-second"]


def test_completion_is_cached_for_a_credentials_file(
    fake: FakeDcs, fake_cli: Cli, tmp_path: Path
) -> None:
    file = tmp_path / ".huaweicloud" / "credentials"
    file.parent.mkdir()
    file.touch(0o600)
    cli = fake_cli.with_env(DCS_SESSIONS_TOKEN=None)
    for name in ("first", "second"):
        file.write_text(f"[basic]\nak = key-of-{name}\nsk = a-secret\n")
        fake.instances = [{"instance_id": "i", "name": f"shop-{name}"}]
        assert complete(cli, "query", "shop") == [f"shop-{name}"]


@pytest.mark.parametrize("asked", ["--ask-token", "--ask-password"])
def test_completion_never_prompts(cli: Cli, asked: str) -> None:
    assert complete(cli, "query", asked, "check") == []


def test_names_that_a_shell_would_act_on_are_not_completed(fake: FakeDcs, fake_cli: Cli) -> None:
    names = ["shop-$(reboot)", "shop-`x`", "shop-a b", "shop-\x1b[1m", "shop-ok"]
    fake.instances = [{"instance_id": f"i{n}", "name": name} for n, name in enumerate(names)]
    assert complete(fake_cli, "query", "shop") == ["shop-ok"]


# The group of commands


def test_regions_are_those_of_the_contract() -> None:
    assert _contract.regions() == spec.load()["servers"][0]["variables"]["region"]["enum"]


@pytest.mark.parametrize(
    ("word", "meant"), [("qeury", "query"), ("sumary", "summary"), ("instance", "instances")]
)
def test_misspelt_commands_get_a_suggestion(cli: Cli, word: str, meant: str) -> None:
    happened, advice = cli(word, "x", code=2).stderr.splitlines()
    assert happened.startswith(f"dcs-sessions: No such command {word!r}. Did you mean {meant!r}")
    assert advice == "Show the usage: dcs-sessions --help"
    assert "Did you mean" not in cli("zzzzzz", code=2).stderr


@pytest.mark.parametrize(
    "before",
    [
        ("--endpoint", "{endpoint}"),
        ("--endpoint={endpoint}", "--allow-http"),
        ("--timeout", "20", "--endpoint", "{endpoint}"),
        ("-q", "--endpoint", "{endpoint}"),
        ("--endpoint", "{endpoint}", "--quiet"),
    ],
)
def test_options_of_the_connection_may_stand_before_the_command(
    cli: Cli, several: Emulator, before: tuple[str, ...]
) -> None:
    words = [word.format(endpoint=several.endpoint) for word in before]
    # What is typed comes before the environment, wherever it stands.
    wrong = cli.with_env(DCS_SESSIONS_ENDPOINT="http://127.0.0.1:1")
    assert wrong(*words, "nodes", "checkout-prod").stdout.count("\n") == 3
    done = wrong("--nonsense", "nodes", "checkout-prod", code=2)
    assert "No such option" in done.stderr


values = st.sampled_from(["cn-north-4", "20", "-", "query", "a=b", "", "--x"])
options = st.one_of(
    st.tuples(st.sampled_from(["--region", "--endpoint", "--timeout", "--project-id"]), values),
    st.builds("{}={}".format, st.sampled_from(["--region", "--ca-bundle"]), values).map(
        lambda w: (w,)
    ),
    st.sampled_from([("--allow-http",), ("-q",), ("--quiet",), ("--debug",), ("--ask-token",)]),
)


@given(st.lists(options, max_size=4), st.lists(values, max_size=3))
def test_options_before_the_command_are_moved_behind_it_whole(
    before: list[tuple[str, ...]], rest: list[str]
) -> None:
    words = [word for option in before for word in option]
    assert _behind_command([*words, "kill", *rest]) == ["kill", *words, *rest]


def test_help_and_version_are_commands_too(cli: Cli) -> None:
    assert cli("help").stdout == cli("--help").stdout
    assert cli("--debug", "help").stdout == cli("--help").stdout
    assert cli("version").stdout == cli("--version").stdout
    assert cli("-q", "version").stdout == cli("--version").stdout
    for command in _overview.COMMANDS:
        assert cli("help", command).stdout == cli(command, "--help").stdout
    assert "Did you mean 'query'?" in cli("help", "qeury", code=2).stderr
