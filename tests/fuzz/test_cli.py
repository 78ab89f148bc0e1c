"""Any value of any option of any command leads to a result, or to an error that says what to do."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcs_sessions._cli import _group, _overview
from dcs_sessions.emulator import Emulator
from support.command import Cli

# One that starts a server has tests of its own, and these print text that is always the same.
LEFT_OUT = {"emulator", "help", "version", "completion", "spec"}
EXIT_CODES = {0, 1, 2, 3, 4, 5, 6}

values = st.one_of(
    st.sampled_from(
        [
            "",
            " ",
            "-",
            "--",
            "nan",
            "inf",
            "-inf",
            "-1",
            "0",
            "1",
            "1e400",
            "9" * 30,
            "-" + "9" * 30,
        ]
    ),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(
        ["1h", "9999999999999999h", "1e5h", "5m3d", "0s", "*", "[", "!x", "a,b", "a=b"]
    ),
    st.sampled_from(
        ["٣", "\uff11", "\x1b[31m", "\x7f", "\u202e", "%s", "{}", "x" * 5000, "../..", "/"]
    ),
    st.sampled_from(["::1", "[::1]:5", "10.0.0.0/8", "10.0.0.0/99", "1.2.3.4:99999", "(none)"]),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8),
)


def options_of(name: str) -> dict[str, click.Option]:
    command = _group.main.get_command(click.Context(_group.main), name)
    assert command is not None
    return {
        param.opts[-1]: param
        for param in command.params
        if isinstance(param, click.Option) and param.opts[-1] not in {"--endpoint", "--html"}
    }


OPTIONS = {name: options_of(name) for name in _overview.COMMANDS if name not in LEFT_OUT}
ARGUMENTS = {
    "kill": ["INSTANCE"],
    "scan": ["INSTANCE", "NODE"],
    "list": ["INSTANCE", "NODE"],
    "job": ["JOB"],
    "instances": [],
}


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """A command with some options, each with a value that is often wrong."""
    name = draw(st.sampled_from(sorted(OPTIONS)))
    line = [name]
    for option in draw(st.lists(st.sampled_from(sorted(OPTIONS[name])), max_size=3)):
        line.append(option)
        if not OPTIONS[name][option].is_flag:
            line.append(draw(values))
    arguments = ARGUMENTS.get(name, ["INSTANCE"])
    return [*line, *(draw(values) if draw(st.integers(0, 9)) == 0 else one for one in arguments)]


@pytest.fixture(scope="module")
def dcs() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def cli(dcs: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    return Cli(
        tmp_path_factory.mktemp("home"),
        DCS_SESSIONS_ENDPOINT=dcs.endpoint,
        DCS_SESSIONS_TOKEN=dcs.token,
        HUAWEICLOUD_SDK_PROJECT_ID=dcs.project_id,
    )


@given(command_lines())
@settings(max_examples=60)
def test_any_values_of_options_lead_to_a_result_or_a_clear_error(
    cli: Cli, dcs: Emulator, line: list[str]
) -> None:
    names = {"INSTANCE": dcs.instance_id, "NODE": dcs.node_ids[0]}
    done = cli.run(*(names.get(word, word) for word in line))
    assert done.returncode in EXIT_CODES
    for stream in (done.stdout, done.stderr):
        assert all(part.isprintable() for part in stream.split("\n"))
    assert "bug in dcs-sessions" not in done.stderr
    if "--debug" not in line:
        assert "Traceback" not in done.stderr
    if done.returncode:
        assert done.stderr.strip()
    # These always report what they have found, or done.
    if done.returncode == 2 and line[0] not in {"check", "kill-all"}:
        assert done.stdout == ""
