"""Make clients from openapi.yaml with the generators of other languages, build them, run them.

    python -m tools.clients [LANGUAGE ...]

The programs in examples/<language>/ are copied to build/examples/, where everything else is made,
and run against the emulator, from whose Valkey they have to end a session. A language whose tools
are not on the machine is left out, which is an error with CI=true.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import valkey

from dcs_sessions.emulator import Emulator
from tools.spec import ROOT, SPEC

OUTPUT = ROOT / "build"
BIN = Path(sys.executable).parent
GENERATOR_VERSION = "7.25.0"
GENERATOR = OUTPUT / f"openapi-generator-cli-{GENERATOR_VERSION}.jar"


class Client(NamedTuple):
    """How the client of a language is made, built with warnings as errors, and run."""

    needs: tuple[str, ...]
    build: tuple[str, ...]
    run: str


def openapi_generator(language: str, output: str) -> tuple[str, ...]:
    """Commands that make a client with OpenAPI Generator, which comes from Maven's repository."""
    artifact = f"org.openapitools:openapi-generator-cli:{GENERATOR_VERSION}"
    copy = f"mvn -q -B dependency:copy -Dartifact={artifact} -DoutputDirectory={OUTPUT}"
    # Its own validation takes the bodies of links for text, which no version of OpenAPI says.
    options = "--skip-validate-spec --additional-properties packageName=dcs"
    return (
        f"test -e {GENERATOR} || {copy}",
        f"java -jar {GENERATOR} generate -g {language} -i ../../openapi.yaml -o {output} {options}",
    )


NPM = Client(
    needs=("node", "npm"),
    build=("npm ci", "npm run generate", "npm run build"),
    run="npm run --silent start",
)
CLIENTS = {
    "typescript": NPM._replace(build=(*NPM.build, "npm test")),
    "hey-api": NPM,
    "go": Client(
        needs=("go",),
        build=("go generate ./...", "go vet ./...", "go build -o main .", "go test ./..."),
        run="./main",
    ),
    "java": Client(
        needs=("java", "mvn"),
        build=("mvn -q -B compile",),
        run="mvn -q -B exec:java",
    ),
    "rust": Client(
        needs=("cargo", "java", "mvn"),
        build=(*openapi_generator("rust", "dcs"), "RUSTFLAGS='-D warnings' cargo build --quiet"),
        run="target/debug/dcs-sessions-example",
    ),
    # Only made: no machine here has .NET.
    "csharp": Client(
        needs=("java", "mvn"),
        build=openapi_generator("csharp", "dcs"),
        run="",
    ),
}


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
    # The examples find the contract where they find it in this repository.
    shutil.copy(SPEC, OUTPUT / SPEC.name)
    for command in client.build:
        sh(command, folder)
    if client.run:
        with Emulator() as dcs:
            run(client.run, folder, dcs)


def run(command: str, folder: Path, dcs: Emulator) -> None:
    """Run a program that has to end the session called worker, and to be refused once."""
    pool = valkey.ConnectionPool.from_url(dcs.redis_urls[0], client_name="worker")
    worker = pool.get_connection("PING")
    environment = {
        "DCS_ENDPOINT": dcs.endpoint,
        "DCS_TOKEN": dcs.token,
        "DCS_PROJECT_ID": dcs.project_id,
        "DCS_INSTANCE_ID": dcs.instance_id,
    }
    output = sh(command, folder, environment)
    try:
        worker.send_command("PING")
        worker.read_response()
    except valkey.ConnectionError:
        pass
    else:
        raise FailedError(f"the session was not ended:\n{output}")
    finally:
        pool.disconnect()
    for line in ("nodes: 1", "sessions: 1", "ended: ", "refused: 400 DCS.3053"):
        if line not in output:
            raise FailedError(f"{line!r} is missing in:\n{output}")


def sh(command: str, folder: Path, environment: dict[str, str] | None = None) -> str:
    """Run a command in a folder, and give what it prints."""
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
