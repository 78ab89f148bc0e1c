"""The filters of `query`, `summary` and `kill`: one by one, and against a plain model of them."""

from __future__ import annotations

import ipaddress
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import Any

import attrs
import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcs_sessions import Session
from dcs_sessions._cli._filters import Filters, filter_options
from dcs_sessions._cli._output import duration, size
from dcs_sessions._text import printable


def parsed(*words: str, name: str = "query") -> Filters:
    """Return the filters that a command reads from these arguments."""
    found: list[Filters] = []

    @click.command(name)
    @filter_options
    def command(filters: Filters) -> None:
        found.append(filters)

    command.main(list(words), prog_name=name, standalone_mode=False)
    return found[0]


def session(**fields: Any) -> Session:
    return Session.from_dict(fields)


@pytest.mark.parametrize(
    ("words", "fields", "fits"),
    [
        (["--addr", "10.0.0.0/24"], {"addr": "10.0.0.7:1"}, True),
        (["--addr", "10.0.0.0/24"], {"addr": "10.0.1.7:1"}, False),
        (["--addr", "10.0.0.5/24"], {"addr": "198.19.0.1:1", "peer": "10.0.0.7:1"}, True),
        (["--addr", "2001:db8::/32"], {"addr": "[2001:db8::1]:6379"}, True),
        (["--addr", "10.0.0.0/8"], {"addr": "[2001:db8::1]:6379"}, False),
        (["--addr", "10.0.0.0/8"], {"addr": "no-address"}, False),
        (["--addr", "[::1]"], {"addr": "[::1]:6379"}, True),
        (["--addr", "::1"], {"addr": "[::1]:6379"}, True),
        (["--addr", "[::1]:6379"], {"addr": "[::1]:6379"}, True),
        (["--not-addr", "10.0.0.0/24"], {"addr": "10.0.0.7:1"}, False),
        (["--not-addr", "10.0.0.0/24"], {"addr": "10.0.1.7:1"}, True),
        (["--not-addr", "10.0.0.0/24"], {}, False),
        (["--name", "(none)"], {"name": ""}, True),
        (["--name", "(none)"], {}, True),
        (["--name", "(none)"], {"name": "x"}, False),
        (["--name", r"\x1b[31mred"], {"name": "\x1b[31mred"}, True),
        (["--name", "worker[1]"], {"name": "worker[1]"}, True),
        (["--name", "worker[1]"], {"name": "worker1"}, True),
        (["--name", "a", "--name", "b"], {"name": "b"}, True),
        (["--not-name", "w*"], {"name": "worker"}, False),
        (["--not-name", "w*"], {"name": "web2"}, False),
        (["--not-name", "w*"], {"name": "x"}, True),
        (["--not-name", "w*"], {"name": ""}, True),
        (["--not-name", "w*"], {"name": None}, False),
        (["--not-name", "w*"], {}, False),
        (["--not-name", "(none)"], {"name": ""}, False),
        (["--not-name", "a", "--not-name", "b"], {"name": "b"}, False),
        (["--name", "w*", "--not-name", "*2"], {"name": "w2"}, False),
        (["--cmd", "GET"], {"cmd": "get"}, True),
        (["--not-cmd", "Client|*"], {"cmd": "client|list"}, False),
        (["--not-user", "admin"], {"user": "dcs"}, True),
        (["--db", "3"], {"db": "3"}, True),
        (["--db", "3"], {"db": 3}, True),
        (["--db", "3"], {"db": "13"}, False),
        (["--not-db", "0"], {"db": "3"}, True),
        (["--flag", "bO"], {"flags": "ObS"}, True),
        (["--not-flag", "PS"], {"flags": "ObS"}, False),
        (["--not-flag", "PS"], {"flags": "N"}, True),
        (["--not-flag", "PS"], {}, False),
        (["--min-idle", "1h30m"], {"idle": 5400}, True),
        (["--min-idle", "1h30m"], {"idle": 5399}, False),
        (["--max-idle", "1m04s"], {"idle": 64}, True),
        (["--max-idle", "1m04s"], {"idle": 65}, False),
        (["--max-idle", "0"], {"idle": 0}, True),
        (["--max-idle", "10"], {}, False),
        (["--max-age", "4d06h"], {"age": 367200}, True),
        (["--max-age", "4d06h"], {"age": 367201}, False),
        (["--min-age", "1d", "--max-age", "2d"], {"age": "90000"}, True),
        (["--min-omem", "20K"], {"omem": 20480}, True),
        (["--min-omem", "20KiB"], {"omem": 20479}, False),
        (["--min-omem", "512B"], {"omem": 512}, True),
        (["--min-omem", "1"], {"omem": 0}, False),
        (["--min-omem", "1"], {}, False),
    ],
)
def test_each_filter_selects_its_sessions(
    words: list[str], fields: dict[str, Any], *, fits: bool
) -> None:
    filters = parsed(*words)
    assert filters
    assert filters(session(**fields)) is fits


def test_empty_filters_match_every_session() -> None:
    assert not parsed()
    assert parsed()(session())
    assert str(parsed()) == ""


@pytest.mark.parametrize(
    "words",
    [
        ["--addr", "10.0.0.0/33"],
        ["--not-addr", "x/8"],
        ["--min-idle", ""],
        ["--min-idle", "90m1h"],
        ["--max-idle", "-1"],
        ["--max-age", "1.5h"],
        ["--min-omem", "1.5X"],
        ["--min-omem", "-1"],
        ["--min-omem", ""],
    ],
)
def test_invalid_filter_values_are_refused(words: list[str]) -> None:
    with pytest.raises(click.BadParameter) as caught:
        parsed(*words)
    assert caught.value.param is not None
    assert words[0] in caught.value.format_message()


@pytest.mark.parametrize("value", ["", " ", "\t"])
@pytest.mark.parametrize("name", [field.name for field in attrs.fields(Filters)])
def test_empty_value_of_a_filter_is_refused(name: str, value: str) -> None:
    # `kill --not-addr "$MINE" --yes` would otherwise end every session if MINE is not set.
    option = f"--{name.replace('_', '-')}"
    with pytest.raises(click.BadParameter) as caught:
        parsed("--user", "default", option, value)
    assert option in caught.value.format_message()
    if "(none)" in caught.value.format_message():
        parsed(option, "(none)")
        assert "flag" not in name, "it would be read as letters"


@given(st.integers(0, 10**10))
def test_printed_time_is_accepted_as_a_filter(seconds: int) -> None:
    (least,) = [parsed("--min-idle", duration(seconds)).min_idle]
    assert least is not None
    assert 0 <= seconds - least < 3600
    assert parsed("--min-idle", duration(seconds))(session(idle=seconds))


@given(st.integers(0, 2**60))
def test_printed_size_finds_its_session(count: int) -> None:
    assert parsed("--min-omem", size(count))(session(omem=count))


@given(st.integers(0, 2**50), st.integers(0, 2**50))
def test_kill_ends_no_session_below_the_size(least: int, count: int) -> None:
    written = size(least)
    number = written.rstrip("BKMGTPE")
    unit = 1024 ** "BKMGTPE".index(written.removeprefix(number) or "B")
    fits = parsed("--min-omem", written, name="kill")(session(omem=count))
    assert fits is (count >= Fraction(number) * unit)


@given(st.ip_addresses(v=6), st.ip_addresses(v=6), st.integers(1, 65535), st.data())
def test_spelling_of_an_ipv6_address_does_not_matter(
    address: ipaddress.IPv6Address, other: ipaddress.IPv6Address, port: int, data: st.DataObject
) -> None:
    spelt = data.draw(st.sampled_from([str(address), address.exploded]))
    spelt = data.draw(st.sampled_from([spelt, spelt.upper()]))
    value = data.draw(st.sampled_from([spelt, f"[{spelt}]", f"[{spelt}]:{port}", f" {spelt} "]))
    for one, text in ((address, f"[{address}]:{port}"), (other, f"[{other.exploded}]:{port}")):
        fits = one == address
        assert parsed("--addr", value)(session(addr=text)) is fits
        assert parsed("--addr", value)(session(addr="198.19.0.1:1", peer=text)) is fits
        assert parsed("--not-addr", value)(session(addr=text)) is not fits
    assert not parsed("--addr", f"[{spelt}]:{port % 65535 + 1}")(
        session(addr=f"[{address}]:{port}")
    )


@given(st.ip_addresses(), st.integers(0, 60), st.integers(1, 65535))
def test_beginning_of_an_address_matches_in_upper_and_lower_case_and_with_blanks(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, length: int, port: int
) -> None:
    text = f"[{address}]" if address.version == 6 else str(address)
    here = session(addr=f"{text}:{port}")
    start = str(address)[:length]
    for value in (f"{start}*", f"{start.upper()}*", f" {start}* "):
        assert parsed("--addr", value)(here)
        assert not parsed("--not-addr", value)(here)


@given(st.text(min_size=1).filter(str.strip))
def test_printed_name_finds_its_session(name: str) -> None:
    shown = printable(name)
    assert parsed(f"--name={shown}")(session(name=name))
    assert not parsed(f"--not-name={shown}")(session(name=name))


TEXTS = st.sampled_from(["", "web", "web-1", "worker", "WORKER", "(none)", "a*b", "[x]", "*"])
GLOBS = st.lists(st.sampled_from(["web*", "w?b", "worker", "*", "[x]", "(none)"]), max_size=2)
MAYBE = st.none() | st.integers(0, 100)


@given(name=TEXTS, wanted=GLOBS, ruled_out=GLOBS, idle=MAYBE, least=MAYBE, most=MAYBE)
def test_filters_agree_with_a_simple_model(
    name: str,
    wanted: list[str],
    ruled_out: list[str],
    idle: int | None,
    least: int | None,
    most: int | None,
) -> None:
    def fits(glob: str) -> bool:
        return fnmatchcase(name, glob) or name == glob or (glob == "(none)" and not name)

    expected = (
        (not wanted or any(map(fits, wanted)))
        and not any(map(fits, ruled_out))
        and (least is None or (idle is not None and idle >= least))
        and (most is None or (idle is not None and idle <= most))
    )
    words = [f"--name={glob}" for glob in wanted] + [f"--not-name={glob}" for glob in ruled_out]
    words += [] if least is None else [f"--min-idle={least}"]
    words += [] if most is None else [f"--max-idle={most}"]
    filters = parsed(*words)
    assert filters(session(name=name, **({} if idle is None else {"idle": idle}))) is expected
    # What a report says of its filters is what one types to get them.
    assert bool(str(filters)) is bool(words)


@given(st.ip_addresses(v=4), st.integers(0, 32), st.ip_addresses(v=4))
def test_networks_agree_with_ipaddress(
    address: ipaddress.IPv4Address, length: int, base: ipaddress.IPv4Address
) -> None:
    network = ipaddress.ip_network(f"{base}/{length}", strict=False)
    found = parsed("--addr", f"{base}/{length}")(session(addr=f"{address}:6379"))
    assert found is (address in network)


def test_filters_are_written_as_they_are_typed() -> None:
    words = ["--addr", "10.0.0.0/8", "--name", "a b", "--not-cmd", "get", "--min-idle", "60"]
    assert str(parsed(*words)) == "--addr 10.0.0.0/8 --name 'a b' --not-cmd get --min-idle 60"
