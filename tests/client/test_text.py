"""Untrusted text and fields of sessions, made safe to show and to compare."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcs_sessions._fields import is_missing, number_of, text_of
from dcs_sessions._text import printable, shown
from dcs_sessions_api.types import UNSET


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain é €", "plain é €"),
        (None, ""),
        (UNSET, ""),
        (3, "3"),
        (True, "true"),
        ({"a": [1, None]}, '{"a": [1, null]}'),
        ({"a": UNSET}, json.dumps({"a": str(UNSET)})),
        ("a\nb\tc\x1b[0m\x00", r"a\nb\tc\x1b[0m\x00"),
        ("right\u202eleft\ud800", r"right\u202eleft\ud800"),
        (["é\n"], r'["\u00e9\n"]'),
    ],
)
def test_value_is_shown_on_one_line_with_control_characters_escaped(value: Any, text: str) -> None:
    assert printable(value) == text


@given(st.text())
def test_printable_characters_stay_and_all_others_are_escaped(text: str) -> None:
    pieces = [char if char.isprintable() else ascii(char)[1:-1] for char in text]
    assert printable(text) == "".join(pieces)


@pytest.mark.parametrize(("length", "ends"), [(1999, "a"), (2000, "a"), (2001, "…"), (9999, "…")])
def test_long_text_is_cut_after_2000_characters(length: int, ends: str) -> None:
    text = "b" + "a" * (length - 1)
    assert shown(text) == (text if ends == "a" else text[:1999] + "…")
    assert len(shown("\n" * length)) == 2000


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("by https://me:my@pass/word@proxy:1/x", "by https://***@proxy:1/x"),
        ("//me:a@b '//me:c@d' <//e@f>", "//***@b '//***@d' <//***@f>"),
        ("me@example and https://x/y", "me@example and https://x/y"),
        ("a" * 1990 + "//me:pass@x", "a" * 1990 + "//***@x"),
        ("a" * 1980 + "//me:" + "p" * 1500 + "@x", "a" * 1980 + "//***@x"),
        ("by //me:" + "p" * 5000 + "@x", "by //***…"),
        ("by //me:" + "p/" * 5000, "by //***…"),
    ],
)
def test_logins_of_urls_are_not_shown(text: str, seen: str) -> None:
    assert shown(text) == seen


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0, 0),
        (-3, -3),
        (1.5, 1.5),
        ("12", 12),
        ("-12", -12),
        ("007", 7),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, None),
        ("", None),
        ("-", None),
        ("+1", None),
        ("1.5", None),
        (" 1", None),
        ("1\n", None),
        ("1x", None),
        ("x1", None),
        ("\u0661", None),
        (True, None),
        (False, None),
        (None, None),
        (UNSET, None),
        ([1], None),
    ],
)
def test_number_is_also_read_from_a_string(value: object, number: float | None) -> None:
    found = number_of(value)
    assert found == number
    assert not isinstance(found, bool)


def test_missing_field_is_null_or_not_sent() -> None:
    assert [text_of(value) for value in (None, UNSET, "", 0, False)] == ["", "", "", "0", "False"]
    assert [is_missing(value) for value in (None, UNSET, "", 0)] == [True, True, False, False]
