"""Errors repeat no secret, in whatever way a response writes it and wherever a message is cut."""

from __future__ import annotations

import html
import itertools
import json
import re
import urllib.parse
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcs_sessions import _operations
from dcs_sessions._cli import _masking
from dcs_sessions._errors import ApiError
from dcs_sessions._text import masked
from dcs_sessions._wire import Reply, Request

Way = Callable[[str], str]


def replacing(pattern: str, way: Callable[[int], str], before: Way = str) -> Way:
    """Return a function that writes the characters of a pattern in another way."""
    return lambda text: re.sub(pattern, lambda found: way(ord(found[0])), before(text))


def in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


# How services, gateways and frameworks write a string in what they return.
WAYS: dict[str, Way] = {
    "JSON": in_json,
    "JSON with all letters": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON of PHP": lambda text: in_json(text).replace("/", r"\/"),
    "JSON with upper case": lambda text: re.sub(
        r"\\u[0-9a-f]{4}", lambda found: r"\u" + found[0][2:].upper(), in_json(text)
    ),
    "JSON in a page": replacing("[<>&'+]", r"\u{:04x}".format, in_json),
    "URL": lambda text: urllib.parse.quote(text, safe=""),
    "URL with slashes": urllib.parse.quote,
    "URL with lower case": lambda text: re.sub(
        "%..", lambda found: found[0].lower(), urllib.parse.quote(text)
    ),
    "form": urllib.parse.quote_plus,
    "HTML": html.escape,
    "HTML with quotes": lambda text: html.escape(text, quote=False),
    "HTML in numbers": replacing(r"[^0-9A-Za-z]", "&#{};".format),
    "HTML in hexadecimal numbers": replacing(r"[^0-9A-Za-z]", "&#x{:02X};".format),
    "Python": lambda text: repr(text)[1:-1],
    "bytes of Python": lambda text: repr(text.encode())[2:-1],
}
# The ends are letters: what is left of the code of a last character is no part of a secret.
SECRETS = st.text(
    st.sampled_from("abXY019-_.~+/= \"'\\<>&%#:;,@!{}é€😀")
    | st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    min_size=10,
    max_size=60,
).map(lambda text: f"k{text}k")
TWICE = st.lists(st.sampled_from(sorted(WAYS)), max_size=2)


def write(secret: str, ways: list[str]) -> str:
    for way in ways:
        secret = WAYS[way](secret)
    return secret


def error_of(reply: Reply) -> ApiError:
    """Return the error of a reply: a job has none of these bodies."""
    with pytest.raises(ApiError) as caught:
        _operations.get_job("p", "j").response(reply)
    return caught.value


@given(
    secret=SECRETS,
    ways=TWICE,
    # Messages are cut after 200, 400, 1,000 and 2,000 characters.
    before=st.integers(0, 2100) | st.sampled_from([190, 390, 990, 1990]),
    status=st.sampled_from([200, 400, 401, 403, 404, 418, 429, 500, 503]),
    shape=st.sampled_from(["text", "fields", "nested fields"]),
    header=st.sampled_from(["X-Auth-Token", "X-Security-Token", "Authorization", "X-Mine", None]),
)
def test_no_error_has_a_part_of_a_secret_that_a_response_repeats(
    secret: str, ways: list[str], before: int, status: int, shape: str, header: str | None
) -> None:
    headers = {} if header is None else {header: secret}
    if header == "Authorization":
        headers[header] = f"Bearer {secret}"
    secrets = (secret,) if header is None else ()
    request = Request("GET", "https://x", "/", headers, secrets=secrets)
    written = write(secret, ways)
    text = f"{'#' * before}|{written}|"
    body = {
        "text": text,
        "fields": json.dumps({"error_code": "DCS.1", "error_msg": text}),
        "nested fields": json.dumps({"error": {"code": "APIGW.1", "message": text}}),
    }[shape]
    reply = Reply(status, {"x-echo": text, "x-request-id": text}, body.encode(), request)
    error = error_of(reply)
    seen = f"{error}{vars(error)}"
    parts = [written[at : at + 10] for at in range(max(1, len(written) - 9))]
    assert [part for part in parts if part in seen] == []


@given(secret=SECRETS, ways=TWICE)
def test_command_line_masks_a_secret_in_whatever_way_it_is_written(
    secret: str, ways: list[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DCS_SESSIONS_PASSWORD", secret)
        patch.setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", "/nowhere")
        written = write(secret, ways)
        assert _masking.mask(f"<{written}>") == "<***>"


@pytest.mark.parametrize(
    "secret", ['/"abcdefgh', r"\\abcdefg\\", "& &abcdef&;%", r"a\&%#; bcdefg", "𐀀bcdefgh"]
)
def test_masking_of_a_long_response_is_quick(secret: str) -> None:
    marks = ["\\", "%", "25", "&", "amp;", "#", "0", ";", r"\u005c", "&#92;", "u00", "x5c", "a"]
    for pair in itertools.product(marks, repeat=2):
        row = "".join(pair)
        text = secret[0] + row * (20_000 // len(row)) + "abcdefgh"
        # A pattern that tries every way takes minutes here, and the test has a timeout.
        assert masked(text + secret, [secret]).endswith("***")


def test_each_part_of_a_signature_and_of_a_login_is_masked() -> None:
    signature = "SDK-HMAC-SHA256 Access=my-access-key, SignedHeaders=host, Signature=0123abcd4567"
    for value, parts in {
        signature: ["my-access-key", "0123abcd4567", signature],
        "Bearer abcdefgh==": ["abcdefgh==", "Bearer abcdefgh=="],
        "Basic  dXNlcjpwYXNzd29yZA==": ["dXNlcjpwYXNzd29yZA=="],
        "Digest username=somebody,response=6629fae49393a053": ["6629fae49393a053", "somebody"],
    }.items():
        for name in ("Authorization", "authorization"):
            request = Request("GET", "https://x", "/", {name: value})
            for part in parts:
                assert request.mask(f"<{part}>") == "<***>"


def test_headers_that_have_no_secret_are_not_masked() -> None:
    headers = {"Content-Type": "application/json", "X-SDK-Date": "20260102T030405Z"}
    headers |= {"X-Project-Id": "a-project", "User-Agent": "dcs-sessions"}
    request = Request("GET", "https://x", "/", {**headers, "X-Mine": "a-secret"})
    text = " ".join(headers.values())
    assert request.mask(f"{text} a-secret") == f"{text} ***"


def test_short_strings_are_not_masked() -> None:
    assert masked("12345 123456", ["", "1", "12345", "123456"]) == "12345 ***"


def test_secret_that_is_a_part_of_another_leaves_nothing_of_it() -> None:
    for secrets in (["abcdef", "abcdefghij"], ["abcdefghij", "abcdef"]):
        assert masked("abcdefghij abcdef", secrets) == "*** ***"


@pytest.mark.parametrize("status", [200, 400, 418, 503])
@pytest.mark.parametrize("filling", "# ")
def test_no_error_has_a_part_of_a_login_of_a_url(status: int, filling: str) -> None:
    for before in (0, 150, 350, 950, 1950, 3950, 7950, 15950):
        text = (
            f"{filling * before} http://somebody:{'my-password' * 9}@proxy.example/ {'#' * before}"
        )
        for body in text, json.dumps({"error_code": "DCS.1", "error_msg": text}):
            error = error_of(Reply(status, {"x-request-id": text}, body.encode()))
            assert "my-pass" not in str(error)


@pytest.mark.parametrize("length", [2**19 - 40, 2**19 - 8, 2**19, 2**21])
@pytest.mark.parametrize("repeated", [1, 40_000])
def test_long_body_is_cut_without_a_part_of_a_secret(length: int, repeated: int) -> None:
    secret = "-0123456789-abcdefghij-"
    request = Request("GET", "https://x", "/", {"X-Auth-Token": secret})
    filling = "x" * max(0, length - len(secret) * (repeated - 1))
    body = (secret * (repeated - 1) + filling + secret * 2 + "y" * 2**20).encode()
    error = error_of(Reply(418, {}, body, request))
    assert isinstance(error, ApiError)
    assert b"0123" not in error.body
    assert len(error.body) < 2**19


def _written(char: str, way: str, times: int) -> str:
    code, again = ord(char), times - 1
    ways: dict[str, str] = {
        "url": f"%{'25' * again}{code:02x}",
        "html": f"&{'amp;' * again}#{code};",
        "hexadecimal": f"&{'amp;' * again}#x{code:x};",
        "json": "\\" * 2**again + f"u{code:04x}",
        "python": "\\" * 2**again + f"x{code:02x}",
        "url of json": f"%5cu{code:04x}",
        "json of a url": f"\\u0025{code:02x}",
        "html of a url": f"&#37;{'25' * again}{code:02x}",
    }
    return ways[way]


@given(
    st.sampled_from(
        [
            *("url", "html", "hexadecimal", "json", "python"),
            *("url of json", "json of a url", "html of a url"),
        ]
    ),
    st.integers(1, 5),
    st.sampled_from(["-", "%", "&", "#", ";", "\\", "+", " ", "/", "-%&", "&#;", "\x01\n", "=%25"]),
)
def test_beginning_of_a_secret_in_any_way_of_writing_is_searched_in_no_time(
    way: str, times: int, chars: str
) -> None:
    # If a character could be read in two ways, this would take 2**60 steps.
    secret = "secret" + "".join(f"{char}a" for char in itertools.islice(itertools.cycle(chars), 60))
    text = "".join(char if char.isalnum() else _written(char, way, times) for char in secret)
    assert masked(f"bad {text[:-1]}.", [secret]).startswith("bad ")


def test_request_id_and_representation_of_a_response_repeat_no_secret() -> None:
    secret = "secret-of-the-token"
    request = Request("GET", "https://x", "/", {"X-Auth-Token": secret})
    headers = {"x-request-id": f"id {secret}", "x-echo": secret}
    reply = Reply(200, headers, b'{"job_id": "j", "status": "SUCCESS"}', request)
    response = _operations.get_job("p", "j").response(reply)
    assert response.request_id == "id ***"
    assert secret not in repr(response)
