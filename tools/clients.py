"""Make clients from the contract with the generators of other languages, build them, run them.

    python -m tools.clients [LANGUAGE ...]

The programs in examples/<language>/ are copied to build/examples/, where everything else is made,
and run against the emulator, from whose Valkey they must end a session: once with a token and
once with a signature. A proxy between them adds what the service may add, and sees where secrets
are sent. A language whose tools are not on the machine is left out, an error with CI=true.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import valkey

from dcs_sessions.emulator import Emulator
from tools import editions, recorder, spec
from tools.spec import ROOT

OUTPUT = ROOT / "build"
BIN = Path(sys.executable).parent
GENERATOR_VERSION = "7.25.0"
GENERATOR = OUTPUT / f"openapi-generator-cli-{GENERATOR_VERSION}.jar"


class Client(NamedTuple):
    """How the client of a language is made, built with warnings as errors, and run."""

    needs: tuple[str, ...]
    build: tuple[str, ...]
    run: str
    # Files of other examples that this one uses as well.
    borrows: tuple[str, ...] = ()
    # Whether it uses the vendor's own SDK: it signs, and ends all sessions after the one.
    vendor: bool = False


def openapi_generator(language: str, output: str, *options: str) -> tuple[str, ...]:
    """Commands that make a client with OpenAPI Generator, which comes from Maven's repository."""
    artifact = f"org.openapitools:openapi-generator-cli:{GENERATOR_VERSION}"
    copy = f"mvn -q -B dependency:copy -Dartifact={artifact} -DoutputDirectory={OUTPUT}"
    more = "".join(f",{option}" for option in options)
    source = f"-g {language} -i ../../openapi.clients.yaml -o {output}"
    return (
        f"test -e {GENERATOR} || {copy}",
        f"java -jar {GENERATOR} generate {source} --additional-properties packageName=dcs{more}",
    )


def parse(tool: str, option: str, names: str) -> str:
    """Return the command that lets a language, if installed, parse each file."""
    files = f"find dcs -name '{names}' -print0 | xargs -0 -n 1 -P 4 {tool} {option}"
    return f"! command -v {tool} || (set -o pipefail; {files})"


NPM = Client(
    needs=("node", "npm"),
    build=("npm ci", "npm run generate", "npm run build"),
    run="npm run --silent start",
)
JAVA = ("java", "mvn")
CLIENTS = {
    "typescript": NPM._replace(build=(*NPM.build, "npm test")),
    "hey-api": NPM._replace(borrows=("typescript/sign.ts",)),
    **{
        name: Client(
            needs=(*NPM.needs, *JAVA),
            borrows=("typescript/sign.ts",),
            build=(
                *openapi_generator(name, "dcs", "importFileExtension=.js"),
                "npm ci",
                "npm run build",
            ),
            run=NPM.run,
        )
        for name in ("typescript-axios", "typescript-fetch")
    },
    "go": Client(
        needs=("go",),
        build=("go generate ./...", "go vet ./...", "go build -o main .", "go test ./..."),
        run="./main",
    ),
    "ogen": Client(
        needs=("go",),
        borrows=("go/sign.go",),
        build=("go generate ./...", "go vet ./...", "go build -o main ."),
        run="./main",
    ),
    "java": Client(
        needs=JAVA,
        build=(
            "mvn -q -B compile",
            "mvn -q -B exec:java -Dmain=example.Vectors -Dexec.args=../../signing-vectors.json",
        ),
        run="mvn -q -B exec:java",
    ),
    "rust": Client(
        needs=("cargo", *JAVA),
        build=(
            *openapi_generator("rust", "dcs", "supportMiddleware=true"),
            "RUSTFLAGS='-D warnings' cargo test --quiet",
            "RUSTFLAGS='-D warnings' cargo build --quiet",
        ),
        run="target/debug/dcs-sessions-example",
    ),
    "vendor-go": Client(
        needs=("go",),
        build=("go vet ./...", "go build -o main ."),
        run="./main",
        vendor=True,
    ),
    "vendor-java": Client(
        needs=JAVA, build=("mvn -q -B compile",), run="mvn -q -B exec:java", vendor=True
    ),
    # The edition for readers of OpenAPI 3.0: made and compiled.
    "openapi-3.0": Client(
        needs=("go",),
        borrows=("go/go.mod", "go/go.sum", "go/oapi-codegen.yaml"),
        build=(
            "mkdir -p dcs",
            "go tool oapi-codegen -config oapi-codegen.yaml ../../openapi-3.0.yaml",
            "go vet ./...",
        ),
        run="",
    ),
    # Made, and each file parsed where the language is on the machine.
    **{
        language: Client(
            needs=JAVA,
            build=(*openapi_generator(language, "dcs"), parse(tool, option, f"*.{ending}")),
            run="",
        )
        for language, tool, option, ending in (
            ("php", "php", "-l", "php"),
            ("ruby", "ruby", "-c", "rb"),
        )
    },
    # Only made, not built.
    **{
        language: Client(needs=JAVA, build=openapi_generator(language, "dcs"), run="")
        for language in ("csharp", "kotlin", "swift6")
    },
}
# What a program prints, line by line; the ID at the end is the gateway's.
EXPECTED = (
    "nodes: 1",
    "sessions: 5",
    "ended: ",
    "refused: 400 DCS.3053",
    f"refused: 401 APIGW.0301 {recorder.REQUEST_ID}",
    f"refused: 429 APIGW.0308 {recorder.REQUEST_ID}",
    "refused: 503 ",
)
VENDOR = (*EXPECTED, "left: 4", "ended all")


class FailedError(Exception):
    """A client cannot be made, or does not do what it should; the text says what happened."""


def make(language: str) -> None:
    """Make the client of a language and run its program; FailedError if anything is amiss."""
    client = CLIENTS[language]
    folder = OUTPUT / "examples" / language
    # What was installed and built before stays; what is written by hand is new.
    example = ROOT / "examples" / language
    folder.mkdir(parents=True, exist_ok=True)
    if example.exists():
        ignored = shutil.ignore_patterns("node_modules", "target")
        shutil.copytree(example, folder, dirs_exist_ok=True, ignore=ignored)
    for name in client.borrows:
        shutil.copy(ROOT / "examples" / name, folder)
    # The examples find what a release carries two folders above.
    edition = editions.clients(spec.load())
    for name, api in (
        ("openapi.clients.yaml", edition),
        ("openapi-3.0.yaml", editions.older(edition)),
    ):
        (OUTPUT / name).write_text(editions.dump(api, "openapi.yaml"), encoding="utf-8")
    shutil.copy(editions.DATA / "signing-vectors.json", OUTPUT)
    for command in client.build:
        sh(command, folder)
    if client.run:
        # A DCS for each, for a node whose sessions are saved is not queried again without asking.
        with Emulator() as dcs:
            key = {"DCS_ACCESS_KEY": dcs.ak, "DCS_SECRET_KEY": dcs.sk}
            run(client, folder, dcs, key, {dcs.ak: "Authorization", dcs.sk: ""})
        if client.vendor:  # its SDK takes no tokens
            return
        with Emulator() as dcs:
            run(client, folder, dcs, {"DCS_TOKEN": dcs.token}, {dcs.token: "X-Auth-Token"})


def run(
    client: Client, folder: Path, dcs: Emulator, login: dict[str, str], secrets: dict[str, str]
) -> None:
    """Run a program that must end the session called worker, and be refused.

    Args:
        client: The client with the program.
        folder: Where to run it.
        dcs: The emulator.
        login: Variables with the credentials.
        secrets: The credentials, each with the header that may carry it.

    Raises:
        FailedError: If it does not do that, or sends a secret to where it must not be.
    """
    names = ("worker", "a", "b", "c", "d")
    url = dcs.redis_urls[0]
    pools = [valkey.ConnectionPool.from_url(url, client_name=name) for name in names]
    with recorder.recording(dcs.endpoint) as proxy:
        try:
            worker, *others = [pool.get_connection("PING") for pool in pools]
            environment = {
                "DCS_ENDPOINT": proxy.endpoint,
                "DCS_PROJECT_ID": dcs.project_id,
                "DCS_INSTANCE_ID": dcs.instance_id,
                **login,
            }
            output = sh(client.run, folder, environment)
            if answers(worker) or any(answers(other) == client.vendor for other in others):
                raise FailedError(f"not the right sessions were ended:\n{output}")
        finally:
            for pool in pools:
                pool.disconnect()
    for line in VENDOR if client.vendor else EXPECTED:
        if line not in f"{output}\n".replace("\n", " \n"):
            raise FailedError(f"{line!r} is missing in:\n{output}")
    found = recorder.leaks(proxy.requests, secrets)
    found += misauthenticated(proxy.requests, login)
    if not client.vendor:
        found += misuse(proxy.requests)
    if found:
        raise FailedError("\n".join(found))


def answers(connection: valkey.Connection) -> bool:
    """Return whether a session is still there."""
    try:
        connection.send_command("PING")
        connection.read_response()
    except valkey.ConnectionError:
        return False
    return True


def misauthenticated(requests: list[recorder.Recorded], login: dict[str, str]) -> list[str]:
    """Return which requests of a program are not authenticated by the one header of its login."""
    found = []
    header = "x-auth-token" if "DCS_TOKEN" in login else "authorization"
    for request in requests:
        sent = [name.lower() for name, _ in request.headers]
        if [name for name in sent if name in ("x-auth-token", "authorization")] != [header]:
            found.append(f"{request.line}: not authenticated by {header} alone")
    return found


def misuse(requests: list[recorder.Recorded]) -> list[str]:
    """Return what is missing from the requests of a program."""
    found = []
    pages = [r for r in requests if r.method == "GET" and "/clients?" in r.target]
    if len(pages) != 3:
        found.append(f"{len(pages)} pages were read, and not 3")
    scans = [
        json.loads(r.body) for r in requests if r.method == "POST" and r.line.endswith("/clients")
    ]
    if [scan.keys() for scan in scans] != [{"node_id"}] * 2:
        found.append("a scan was not asked for by its node alone")
    return found


def sh(command: str, folder: Path, environment: dict[str, str] | None = None) -> str:
    """Run a command in a folder, and return its output."""
    done = subprocess.run(
        ["bash", "-c", command],  # noqa: S607
        cwd=folder,
        # The tests among the examples start `dcs-sessions` by its name.
        env={**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise FailedError(f"{command}\n{done.stdout[-4000:]}")
    return done.stdout


def main() -> int:
    """Run the command line; the result is the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("languages", nargs="*", metavar="LANGUAGE", help=", ".join(CLIENTS))
    languages = parser.parse_args().languages or list(CLIENTS)
    if unknown := sorted(set(languages) - set(CLIENTS)):
        parser.error(f"there is no example for {', '.join(unknown)}")
    failed = False
    for language in languages:
        missing = [name for name in CLIENTS[language].needs if shutil.which(name) is None]
        if missing:
            print(f"{language}: left out, for this machine has no {' and no '.join(missing)}")
            failed |= os.environ.get("CI") == "true"
            continue
        started = time.monotonic()
        try:
            make(language)
        except FailedError as error:
            print(f"{language}: {error}", file=sys.stderr)
            failed = True
        else:
            done = "made, built and run" if CLIENTS[language].run else "made"
            print(f"{language}: {done} in {time.monotonic() - started:.0f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
