"""The commands of "Take the contract" are run with the tools that this repository has pinned.

Those tools are the same as `npx` would fetch. What only `make clients` installs is run where it is
there; its command line is compared with the one that `make clients` runs everywhere.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import socket
import subprocess
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx
import pytest

from tools import clients, editions, spec

PAGE = spec.ROOT / "docs" / "how-to" / "take-the-contract.md"
LINES = re.findall(r"^npx (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
TOOLS = spec.ROOT / "tools"
EXAMPLES = spec.ROOT / "examples"
HEY_API = clients.OUTPUT / "examples" / "hey-api" / "node_modules" / ".bin" / "openapi-ts"


def command(start: str) -> list[str]:
    """Return the arguments of the one command that starts with this, without it."""
    (line,) = (line for line in LINES if line.startswith(start))
    return shlex.split(line)


def pinned(*manifests: Path) -> dict[str, str]:
    """Return the version of each package that these manifests pin."""
    versions: dict[str, str] = {}
    for manifest in manifests:
        content = json.loads(manifest.read_text(encoding="utf-8"))
        versions |= content.get("dependencies", {}) | content["devDependencies"]
    return versions


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with nothing but the editions."""
    editions.make(tmp_path)
    return tmp_path


def test_every_package_is_pinned_to_the_version_that_is_tested() -> None:
    known = pinned(TOOLS / "package.json", EXAMPLES / "hey-api" / "package.json")
    # The wrapper only fetches the generator.
    known["@openapitools/openapi-generator-cli"] = "2.41.0"
    found = [
        word.rpartition("@")[::2]
        for line in LINES
        for word in shlex.split(line)
        if re.fullmatch(r"@?[a-z][\w/-]*@.+", word)
    ]
    assert len(found) == len(LINES) + 1
    for name, version in found:
        assert known[name] == version, name
    set_version = command("@openapitools/openapi-generator-cli@2.41.0 version-manager")
    assert set_version[1:] == ["version-manager", "set", clients.GENERATOR_VERSION]


@pytest.mark.node
def test_types_are_made(folder: Path) -> None:
    _, *arguments = command("openapi-typescript@")
    tool = TOOLS / "node_modules" / ".bin" / "openapi-typescript"
    subprocess.run([tool, *arguments], cwd=folder, check=True, capture_output=True)
    assert "interface operations" in (folder / "dcs.d.ts").read_text()


@pytest.mark.node
def test_mock_answers_requests_with_a_token_and_with_a_signature(folder: Path) -> None:
    _, *arguments = command("@stoplight/prism-cli@")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    tool = TOOLS / "node_modules" / ".bin" / "prism"
    process = subprocess.Popen(
        [tool, *arguments, "--port", str(port)],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    signature = {"Authorization": "SDK-HMAC-SHA256 any", "X-Sdk-Date": "20260101T000000Z"}
    logins = {200: ({"X-Auth-Token": "any"}, signature), 401: ({},)}
    url = f"http://127.0.0.1:{port}/v2/p/instances"
    try:
        deadline = time.monotonic() + 60
        while True:
            assert process.poll() is None
            assert time.monotonic() < deadline, "the mock did not start within a minute"
            try:
                httpx.get(url, trust_env=False)
                break
            except httpx.TransportError:
                time.sleep(0.1)
        for status, headers in logins.items():
            for header in headers:
                answer = httpx.get(url, headers=header, trust_env=False, timeout=30)
                assert answer.status_code == status
    finally:
        process.terminate()
        process.wait(timeout=30)


def test_client_of_hey_api_is_made(folder: Path) -> None:
    words = command("-p typescript@")
    arguments = words[words.index("openapi-ts") + 1 :]
    script = json.loads((EXAMPLES / "hey-api" / "package.json").read_text())["scripts"]["generate"]
    options = shlex.split(script.replace("../../", ""))[1:]
    # Its client for fetch is the default.
    assert [*arguments, "--client", "@hey-api/client-fetch"] == options
    if HEY_API.exists() and shutil.which("node"):
        subprocess.run([HEY_API, *arguments], cwd=folder, check=True, capture_output=True)
        assert (folder / "dcs" / "sdk.gen.ts").exists()


def test_client_of_openapi_generator_is_made(folder: Path) -> None:
    _, *arguments = command("@openapitools/openapi-generator-cli@2.41.0 generate")
    pom = ET.parse(EXAMPLES / "java" / "pom.xml").getroot()

    def configured(name: str) -> str | None:
        return pom.findtext(f".//{{*}}configuration/{{*}}{name}")

    assert arguments == [
        "generate",
        *("-g", configured("generatorName")),
        *("--library", configured("library")),
        *("-i", Path(configured("inputSpec") or "").name),
        *("-o", "dcs"),
    ]
    if clients.GENERATOR.exists() and shutil.which("java"):
        java = ["java", "-jar", str(clients.GENERATOR), *arguments]
        subprocess.run(java, cwd=folder, check=True, capture_output=True)
        assert (folder / "dcs" / "pom.xml").exists()
