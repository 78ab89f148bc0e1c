"""Environment variables of both clients, row by row of `docs/environment.md`."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

import dcs_sessions
from dcs_sessions import ConfigurationError, DcsSessionsError, TokenAuth
from dcs_sessions._transports._environment import proxy_for
from support.both import Both
from support.scripted import ScriptedServer, answer

JOB = answer(200, {"job_id": "j", "status": "SUCCESS"})
SECRET = "pass-word-7f3a"
_TOUCHED = ("proxy", "ssl_cert", "sslkeylogfile", "ca_bundle")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if any(part in name.lower() for part in _TOUCHED):
            monkeypatch.delenv(name)


@pytest.fixture
def proxy() -> Iterator[ScriptedServer]:
    with ScriptedServer([JOB]) as running:
        yield running


# Variables (PROXY stands for a proxy), and whether a request to http://127.0.0.1:PORT goes there.
PLAIN_HTTP = [
    ({}, False),
    ({"HTTP_PROXY": "PROXY"}, True),
    ({"http_proxy": "PROXY"}, True),
    ({"HTTP_PROXY": ""}, False),
    ({"HTTPS_PROXY": "PROXY"}, False),
    ({"ALL_PROXY": "PROXY"}, True),
    ({"all_proxy": "PROXY"}, True),
    ({"HTTP_PROXY": "PROXY", "ALL_PROXY": "socks5://x"}, True),
    ({"http_proxy": "PROXY", "HTTP_PROXY": "socks5://x"}, True),
    ({"HTTP_PROXY": "PROXY without scheme"}, True),
    ({"HTTP_PROXY": "PROXY", "NO_PROXY": "*"}, False),
    ({"HTTP_PROXY": "PROXY", "no_proxy": "*"}, False),
    ({"HTTP_PROXY": "PROXY", "NO_PROXY": "127.0.0.1"}, False),
    ({"HTTP_PROXY": "PROXY", "NO_PROXY": "127.0.0.1:PORT"}, False),
    ({"HTTP_PROXY": "PROXY", "NO_PROXY": "127.0.0.1:1"}, True),
    ({"HTTP_PROXY": "PROXY", "NO_PROXY": "127.0.0.0/8"}, False),
    ({"HTTP_PROXY": "PROXY", "NO_PROXY": "10.0.0.0/8"}, True),
    ({"HTTP_PROXY": "PROXY", "NO_PROXY": "example.com, 127.0.0.1"}, False),
    ({"HTTP_PROXY": "PROXY", "NO_PROXY": "example.com 127.0.0.1"}, False),
    ({"HTTP_PROXY": "PROXY", "NO_PROXY": "0.0.1"}, True),
    ({"HTTP_PROXY": "PROXY", "NO_PROXY": "localhost"}, True),
    ({"ALL_PROXY": "PROXY", "NO_PROXY": "127.0.0.1"}, False),
    ({"HTTP_PROXY": "PROXY", "NO_PROXY": ""}, True),
    *(({"HTTP_PROXY": "PROXY", "NO_PROXY": odd}, True) for odd in ("[::1", "::1:80", "http://[")),
    *(({"HTTP_PROXY": "PROXY", "NO_PROXY": odd}, True) for odd in (",", ":", "[]", "1/2/3", "é")),
    ({"HTTP_PROXY": "PROXY", "REQUEST_METHOD": "GET"}, False),
]


@pytest.mark.parametrize(("variables", "through"), PLAIN_HTTP)
def test_proxy_variables_are_honoured(
    both: Both,
    server: ScriptedServer,
    proxy: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    through: bool,
) -> None:
    server.steps = [JOB]
    for name, value in variables.items():
        value = value.replace("PROXY without scheme", proxy.endpoint.removeprefix("http://"))
        value = value.replace("PROXY", proxy.endpoint)
        monkeypatch.setenv(name, value.replace("PORT", server.endpoint.rpartition(":")[2]))
    both(endpoint=server.endpoint, retry=None).get_job("j")
    assert (len(server.received), len(proxy.received)) == ((0, 1) if through else (1, 0))


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"HTTPS_PROXY": "socks5://u:SECRET@x"}, "^HTTPS_PROXY names a socks5 proxy"),
        ({"https_proxy": "socks5h://u:SECRET@x"}, "^https_proxy names a socks5h proxy"),
        ({"ALL_PROXY": "socks4://u:SECRET@x"}, "^ALL_PROXY names a socks4 proxy"),
        ({"all_proxy": "ftp://u:SECRET@x"}, "^all_proxy names a ftp proxy"),
        ({"HTTPS_PROXY": "http://u:SECRET@x:99999"}, "^HTTPS_PROXY must be a URL"),
        ({"HTTPS_PROXY": "http://u:SECRET@x:port"}, "^HTTPS_PROXY must be a URL"),
        ({"HTTPS_PROXY": "http://[u:SECRET"}, "^HTTPS_PROXY must be a URL"),
        ({"HTTPS_PROXY": "http://"}, "^HTTPS_PROXY must be a URL"),
        ({"HTTPS_PROXY": "a SECRET b"}, "^HTTPS_PROXY must be a URL"),
        ({"HTTPS_PROXY": "\x1b[31mSECRET"}, "^HTTPS_PROXY must be a URL"),
        ({"SSL_CERT_FILE": "/no/such/file"}, "^SSL_CERT_FILE: /no/such/file: cannot be read"),
        ({"SSL_CERT_DIR": "/no/such/folder"}, "^SSL_CERT_DIR: /no/such/folder: cannot be read"),
        ({"REQUESTS_CA_BUNDLE": __file__}, "^REQUESTS_CA_BUNDLE: .* cannot be read as CA cert"),
        ({"CURL_CA_BUNDLE": "/no/such/file"}, "^CURL_CA_BUNDLE: /no/such/file: cannot be read"),
        ({"SSLKEYLOGFILE": "/no/such/folder/x"}, "^SSLKEYLOGFILE: .* cannot be written: No such"),
    ],
)
def test_invalid_proxy_variable_is_named(
    both: Both, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], problem: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value.replace("SECRET", SECRET))
    with pytest.raises(ConfigurationError, match=problem) as caught:
        both(endpoint="https://127.0.0.1:1", retry=None).get_job("j")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("no_proxy", "origin", "through"),
    [
        ("example.com", "https://example.com", False),
        ("example.com", "https://dcs.example.com", False),
        (".example.com", "https://dcs.example.com", False),
        ("*.example.com", "https://dcs.example.com", False),
        ("EXAMPLE.com", "https://dcs.Example.COM", False),
        ("example.com", "https://dcs.example.com.", False),
        ("ample.com", "https://example.com", True),
        ("example.com:443", "https://example.com", False),
        ("example.com:8443", "https://example.com", True),
        ("example.com:8443", "https://example.com:8443", False),
        ("::1", "https://[::1]:8443", False),
        ("[::1]", "https://[::1]:8443", False),
        ("[::1]:8443", "https://[::1]:8443", False),
        ("[::1]:1", "https://[::1]:8443", True),
        ("fe80::/10", "https://[fe80::1]", False),
        ("10.0.0.0/8", "https://10.1.2.3", False),
        ("10.0.0.1/8", "https://10.1.2.3", False),
        ("10.0.0.0/8", "https://11.1.2.3", True),
        ("10.0.0.0/8", "https://10.example", True),
        ("0/0", "https://example.com", True),
    ],
)
def test_no_proxy_is_honoured(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str, origin: str, through: bool
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert (proxy_for(origin) is not None) is through


def test_proxy_receives_its_password(
    both: Both, proxy: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.endpoint.replace("//", "//user:secret@"))
    both(endpoint="http://dcs.example", allow_http=True, retry=None).get_job("j")
    assert proxy.received[0].headers["proxy-authorization"] == "Basic dXNlcjpzZWNyZXQ="
    assert proxy.received[0].headers["x-auth-token"] == "a-token"


def test_netrc_is_never_read(
    both: Both, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in (".netrc", "_netrc"):
        (tmp_path / name).write_text("default login netrc-user password netrc-password\n")
        (tmp_path / name).chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    server.steps = [JOB]
    both(endpoint=server.endpoint).get_job("j")
    assert "authorization" not in server.received[0].headers


# Certificates


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[ScriptedServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with ScriptedServer([JOB], tls=context) as running:
        yield running


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificate_variables_are_honoured(
    both: Both, secure: ScriptedServer, bundle: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, str(bundle))
    assert both(endpoint=secure.endpoint, retry=None).get_job("j").status == "SUCCESS"


def test_first_of_several_variables_counts(
    both: Both, secure: ScriptedServer, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/file")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    assert both(endpoint=secure.endpoint, retry=None).get_job("j").status == "SUCCESS"


def test_certificates_of_the_argument_come_first(
    both: Both, secure: ScriptedServer, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file")
    for verify in (bundle, str(bundle), ssl.create_default_context(cafile=bundle)):
        client = both(endpoint=secure.endpoint, retry=None, verify=verify)
        assert client.get_job("j").status == "SUCCESS"


def test_certificates_are_those_of_a_proxy_as_well(
    both: Both, secure: ScriptedServer, bundle: Path
) -> None:
    endpoint = "http://127.0.0.1:9"  # plain HTTP, which a proxy forwards as it is
    for verify in (bundle, False):
        client = both(endpoint=endpoint, proxy=secure.endpoint, retry=None, verify=verify)
        assert client.get_job("j").status == "SUCCESS"
    client = both(endpoint=endpoint, proxy=secure.endpoint, retry=None)
    with pytest.raises(dcs_sessions.ApiConnectionError, match="certificate verify failed"):
        client.get_job("j")


def test_unknown_authority_is_refused(both: Both, secure: ScriptedServer) -> None:
    with pytest.raises(dcs_sessions.ApiConnectionError, match="certificate verify failed"):
        both(endpoint=secure.endpoint, retry=None).get_job("j")


def test_tls_keys_are_logged_to_sslkeylogfile(
    both: Both,
    secure: ScriptedServer,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    log = tmp_path / "keys.log"
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    both(endpoint=secure.endpoint, retry=None, verify=bundle).get_job("j")
    assert "TRAFFIC_SECRET" in log.read_text()


@pytest.mark.parametrize("verify", ["", b"", b"/no/such/file", 5, None])
def test_verify_that_names_nothing_is_refused(both: Both, verify: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^verify: .* must be True, False, a path, or"):
        both(endpoint="https://x", verify=verify, auth=TokenAuth("t"))


@pytest.mark.parametrize("verify", [Path("/no/such/file"), "/no/such/file"])
def test_missing_certificate_file_is_named(both: Both, verify: object) -> None:
    with pytest.raises(DcsSessionsError, match=r"^verify: /no/such/file: cannot be read"):
        both(endpoint="https://x", verify=verify, auth=TokenAuth("t"))
