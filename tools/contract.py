"""Test a server against openapi.yaml, and check that it returns every documented status.

    python -m tools.contract [--live] [...]

By default, the server is the emulator, in a process of its own. Schemathesis runs with the settings
of schemathesis.toml; this module then provokes the statuses that it cannot reach. Every documented
status of every operation must be seen, and no other.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import schemathesis
from rich.console import Console
from rich.table import Table
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure, FailureGroup

from dcs_sessions import Auth, TokenAuth
from dcs_sessions._endpoints import service_endpoint
from dcs_sessions._errors import ConfigurationError
from tools import spec
from tools.contract_login import logins

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

EMULATOR = shlex.join([sys.executable, "-m", "dcs_sessions", "emulator"])
REPORTS = spec.ROOT / "reports" / "contract"
KILLS = ("HangUpClients", "HangUpKillAllClients")
# What the emulator answers without asking a node.
STORED = ("ListInstances", "ShowInstance", "ShowJobInfo", "ShowNodesInformation")
EXAMPLES = 1000
LIVE_RATE = "2/s"
LIVE_EXAMPLES = 5

FOUND = "schemathesis has found faults, see above"

_START_SECONDS = 60.0
_END_SECONDS = 10.0
_POLL_SECONDS = 0.5
_CROWD = 3
_TOO_LARGE = 1024 * 1024 + 1

Facts = dict[str, Any]
Seen = Counter[tuple[str, str]]


class Answer(NamedTuple):
    """An answer that schemathesis has seen, with the credentials and the ID of its request."""

    operation: str
    status: str
    login: str
    request_id: str


class ContractError(Exception):
    """The test cannot be run; the message is one line with the reason."""


@contextmanager
def emulator(command: str, *options: str) -> Iterator[Facts]:
    """Run an emulator in a process of its own; yield the content of its ready file."""
    with tempfile.TemporaryDirectory() as folder:
        ready, errors = Path(folder, "ready.json"), Path(folder, "errors")
        line = [*shlex.split(command), "--port", "0", "--ready-file", str(ready), *options]
        with errors.open("w") as stderr:
            process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=stderr)
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not ready.exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    why = errors.read_text().strip().splitlines() or ["no reason given"]
                    raise ContractError(f"the emulator does not start: {why[-1]}")
                time.sleep(0.02)
            yield json.loads(ready.read_text())
        finally:
            process.terminate()
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def crowd(urls: Sequence[str]) -> Iterator[None]:
    """Keep sessions open on each server, which reconnect when they are ended."""
    leaving = threading.Event()

    def visit(url: str) -> None:
        address = urlsplit(url)
        while not leaving.is_set():
            try:
                server = (address.hostname or "", address.port or 6379)
                with socket.create_connection(server, 5) as visitor:
                    visitor.settimeout(0.2)
                    visitor.sendall(b"CLIENT SETNAME visitor\r\n")
                    while not leaving.is_set():
                        try:
                            if not visitor.recv(64):
                                break
                        except TimeoutError:
                            continue
            except OSError:
                leaving.wait(0.2)

    visitors = [threading.Thread(target=visit, args=(url,)) for url in urls for _ in range(_CROWD)]
    for visitor in visitors:
        visitor.start()
    try:
        yield
    finally:
        leaving.set()
        for visitor in visitors:
            visitor.join()


class Call(NamedTuple):
    """A valid request of an operation."""

    ids: dict[str, str]
    auth: Auth | None
    query: dict[str, str]
    body: Any = None
    content: bytes | None = None


class Api:
    """Calls operations of a server, and checks the answers against the contract."""

    def __init__(self, facts: Facts, seen: Seen, auth: Auth | None = None) -> None:
        self._operations = spec.operations(spec.load())
        # Without schemathesis.toml, whose variables are those of another process.
        self._schema = schemathesis.openapi.from_path(spec.SPEC, config=SchemathesisConfig())
        self._http = httpx.Client(base_url=facts["endpoint"], trust_env=False, timeout=60)
        self._facts = facts
        self._auth = auth or TokenAuth(facts["token"])
        self._seen = seen
        self._ids: set[str] = set()

    def valid(self, name: str, job_id: str = "0" * 32) -> Call:
        """Return a valid call on the first node: the example and the required parameters."""
        definition = self._operations[name].definition
        node = {"node_id": self._facts["node_ids"][0]}
        body = None
        if "requestBody" in definition:
            examples = definition["requestBody"]["content"]["application/json"]["examples"]
            body = {**next(iter(examples.values()))["value"], **node}
        required = [p for p in self._operations[name].parameters if p.get("required")]
        return Call(
            {
                "project_id": self._facts["project_id"],
                "instance_id": self._facts["instance_id"],
                "job_id": job_id,
            },
            self._auth,
            {p["name"]: node[p["name"]] for p in required if p["in"] == "query"},
            body,
        )

    def spoiled(self, name: str) -> Call:
        """Return a call that must be answered with 400."""
        call, parameters = self.valid(name), self._operations[name].parameters
        if call.body is not None:
            return call._replace(body={})
        if call.query:
            return call._replace(query={})
        if any("minimum" in parameter["schema"] for parameter in parameters):
            return call._replace(query={"limit": "0"})
        if any(parameter["name"] == "job_id" for parameter in parameters):
            return call._replace(ids={**call.ids, "job_id": "x"})
        # It has nothing that could be wrong, so that only the gateway can find fault with it.
        return call._replace(content=b"x" * _TOO_LARGE)

    def names_nothing(self, name: str) -> bool:
        """Return whether the path of an operation names neither an instance nor a job."""
        return "{instance_id}" not in (path := self._operations[name].path) and (
            "{job_id}" not in path
        )

    def send(self, name: str, call: Call) -> httpx.Response:
        """Send a request, count the status, and check the answer against the contract."""
        operation = self._operations[name]
        response = self._http.request(
            operation.method,
            operation.path.format_map(call.ids),
            params=call.query,
            auth=call.auth,
            json=call.body,
            content=call.content,
        )
        status = str(response.status_code)
        self._seen[name, status] += 1
        request_id = response.headers.get("X-Request-Id", "")
        if not request_id or request_id in self._ids:
            raise ContractError(f"{name} answers {status} with the request ID {request_id!r}")
        self._ids.add(request_id)
        if status in operation.definition["responses"]:
            try:
                self._schema[operation.path][operation.method.upper()].validate_response(response)
            except (Failure, FailureGroup) as error:
                failures = error.exceptions if isinstance(error, FailureGroup) else (error,)
                reasons = "; ".join(sorted({failure.title for failure in failures}))
                raise ContractError(f"{name} answers {status}, but: {reasons}") from None
        return response

    def expect(self, name: str, status: int, call: Call) -> httpx.Response:
        """Send a request that must be answered with this status."""
        response = self.send(name, call)
        if response.status_code != status:
            raise ContractError(
                f"{name} answers {response.status_code} where {status} is due: {response.text[:60]}"
            )
        return response


def prepare(api: Api) -> str | None:
    """Store a list, so that it can be read, and return the ID of a job that has ended.

    Return None if the server does not know the jobs of scans: no public source shows that the
    service does.
    """
    job_id: str = api.expect("ScanClients", 200, api.valid("ScanClients")).json()["job_id"]
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        response = api.send("ShowJobInfo", api.valid("ShowJobInfo", job_id))
        known = response.status_code == 200
        if known and response.json()["status"] == "SUCCESS":
            return job_id
        if known and response.json()["status"] == "FAIL":
            break
        listed = api.send("ListClients", api.valid("ListClients"))
        if not known and listed.status_code == 200:
            return None
        time.sleep(_POLL_SECONDS)
    raise ContractError(f"the first scan does not succeed within {_START_SECONDS:.0f} seconds")


def provoke_refusals(api: Api, facts: Facts) -> None:
    """Provoke 400, 401, 403 and 404 of every operation.

    Where a path names nothing that could be missing, `against_emulator` does it instead.
    """
    for name in spec.operations(spec.load()):
        call = api.valid(name)
        api.expect(name, 400, api.spoiled(name))
        api.expect(name, 401, call._replace(auth=None))
        api.expect(name, 403, call._replace(auth=TokenAuth(facts["noaccess_token"])))
        nowhere = {**call.ids, "instance_id": "00000000-0000-4000-8000-000000000000"}
        if not api.names_nothing(name):
            api.expect(name, 404, call._replace(ids=nowhere))
    for name in KILLS:
        api.expect(name, 403, api.valid(name)._replace(auth=TokenAuth(facts["readonly_token"])))


def provoke_throttling(api: Api) -> None:
    """Provoke 429 of every operation, from an emulator that accepts one request."""
    api.send("ShowNodesInformation", api.valid("ShowNodesInformation"))
    for name in spec.operations(spec.load()):
        api.expect(name, 429, api.valid(name))


def provoke_failures(api: Api, facts: Facts) -> None:
    """Provoke 500 of every operation, from an emulator whose Valkey is down.

    ListClients has no list to return. The operations of `STORED` never ask a node, so the emulator
    has faults for them.
    """
    address = urlsplit(facts["redis_urls"][0])
    with socket.create_connection((address.hostname or "", address.port or 6379), 5) as server:
        server.sendall(b"SHUTDOWN NOSAVE\r\n")
        while server.recv(64):
            pass
    for name in spec.operations(spec.load()):
        api.expect(name, 500, api.valid(name))


def environment(facts: Mapping[str, str], seen: Path, *, may_kill: bool) -> dict[str, str]:
    """Return the variables of schemathesis.toml and the hooks."""
    return {
        **os.environ,
        **facts,
        "DCS_SESSIONS_SEEN": str(seen),
        "DCS_SESSIONS_ALLOW_KILL": "1" if may_kill else "0",
    }


def schemathesis_run(
    endpoint: str,
    variables: Mapping[str, str],
    reports: Path,
    *options: str,
    config: Path = spec.ROOT / "schemathesis.toml",
) -> bool:
    """Run schemathesis, and return whether it has found nothing."""
    reports.mkdir(parents=True, exist_ok=True)
    line = [
        str(Path(sys.executable).with_name("schemathesis")),
        *("--config-file", str(config)),
        *("run", str(spec.SPEC), "--url", endpoint, "--no-color"),
        *("--report", "junit,html", "--report-junit-path", str(reports / "junit.xml")),
        *("--report-html-path", str(reports / "html")),
        *options,
    ]
    return subprocess.run(line, cwd=spec.ROOT, env=dict(variables), check=False).returncode == 0


def read(path: Path) -> list[Answer]:
    """Return the answers that schemathesis has seen."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [Answer(*line.split()) for line in lines]


def counted(answers: Sequence[Answer]) -> Seen:
    """Return how often each operation has answered with each status."""
    return Counter((answer.operation, answer.status) for answer in answers)


def unidentified(answers: Sequence[Answer]) -> list[str]:
    """Return the answers without a request ID, or with that of another."""
    ids = Counter(answer.request_id for answer in answers)
    return [
        f"{answer.operation} answered {answer.status} with the request ID {answer.request_id}"
        for answer in answers
        if answer.request_id == "-" or ids[answer.request_id] > 1
    ]


def untried(answers: Sequence[Answer]) -> list[str]:
    """Return the operations that never succeeded with a token, or with a signature."""
    done = {(answer.operation, answer.login) for answer in answers if answer.status < "300"}
    return [
        f"{name} never succeeded with a {login}"
        for name in spec.operations(spec.load())
        for login in ("token", "signature")
        if (name, login) not in done
    ]


def verdict(seen: Seen, *, live: bool = False) -> list[str]:
    """Print a table of documented and seen statuses, and return the faults."""
    documented = {
        name: set(operation.definition["responses"])
        for name, operation in spec.operations(spec.load()).items()
    }
    statuses = sorted({s for each in documented.values() for s in each} | {s for _, s in seen})
    table = Table("operation", *statuses, title="Answers by status; - is not documented")
    amiss: list[str] = []
    for name, known in documented.items():
        row = [name]
        for status in statuses:
            count = seen[name, status]
            if status in known:
                row.append(str(count) if count else ("" if live else "MISSING"))
                if not count and not live:
                    amiss.append(f"{name} never answered {status}")
            else:
                row.append(f"{count}: UNDOCUMENTED" if count else "-")
                if count:
                    amiss.append(f"{name} answered {status}, which is not documented")
        table.add_row(*row)
    Console(width=100).print(table)
    return amiss


def against_emulator(arguments: argparse.Namespace) -> list[str]:
    """Test the emulator, and return the faults."""
    amiss: list[str] = []
    seen: Seen = Counter()
    with ExitStack() as stack:
        facts = stack.enter_context(emulator(arguments.emulator, "--nodes", "2"))
        stack.enter_context(crowd(facts["redis_urls"]))
        noted = Path(stack.enter_context(tempfile.TemporaryDirectory()), "seen")
        api = Api(facts, seen)
        job_id = prepare(api)
        if job_id is None:
            raise ContractError("ShowJobInfo does not know the job of a scan")
        variables = environment(
            {
                "HUAWEICLOUD_SDK_PROJECT_ID": facts["project_id"],
                "DCS_SESSIONS_INSTANCE": facts["instance_id"],
                "DCS_SESSIONS_NODE": facts["node_ids"][0],
                "DCS_SESSIONS_TOKEN": facts["token"],
                "HUAWEICLOUD_SDK_AK": facts["ak"],
                "HUAWEICLOUD_SDK_SK": facts["sk"],
                "HUAWEICLOUD_SDK_SECURITY_TOKEN": "",
                "DCS_SESSIONS_JOB": job_id,
            },
            noted,
            may_kill=True,
        )
        if arguments.seconds:
            # Not `st fuzz`: that of 4.32.5 breaks off where ignored_auth sends requests of its own.
            # The seed is another one each time: schemathesis names it in the end.
            seed = str(time.time_ns() % 2**32)
            bound: tuple[str, ...] = ("--max-time", str(arguments.seconds), "--seed", seed)
        else:
            bound = ("--max-examples", str(arguments.max_examples))
        options = (*bound, *arguments.options)
        if not schemathesis_run(facts["endpoint"], variables, arguments.reports, *options):
            amiss.append(FOUND)
        answers = read(noted)
        amiss += unidentified(answers) + untried(answers)
        seen += counted(answers)
        try:
            provoke_refusals(api, facts)
            with emulator(arguments.emulator, "--rate-limit", "1/3600") as throttled:
                provoke_throttling(Api(throttled, seen))
            faults = [f"--fault=status=500,operation={name}" for name in STORED]
            with emulator(arguments.emulator, *faults) as broken:
                provoke_failures(Api(broken, seen), broken)
            with emulator(arguments.emulator, "--fault=status=404") as lost:
                away = Api(lost, seen)
                for name in filter(away.names_nothing, spec.operations(spec.load())):
                    away.expect(name, 404, away.valid(name))
        except ContractError as error:
            amiss.append(str(error))
    return amiss + verdict(seen)


def live_settings(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of `make contract-live` from the environment.

    Raises:
        ContractError: If something is missing.
    """
    endpoint = variables.get("DCS_SESSIONS_ENDPOINT", "").strip().rstrip("/")
    region = variables.get("DCS_SESSIONS_REGION", "").strip()
    needed = ["HUAWEICLOUD_SDK_PROJECT_ID", "DCS_SESSIONS_INSTANCE", "DCS_SESSIONS_NODE"]
    missing = [name for name in needed if not variables.get(name)]
    if not endpoint and not region:
        missing.insert(0, "DCS_SESSIONS_ENDPOINT (or DCS_SESSIONS_REGION)")
    keys = ("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK")
    if not variables.get("DCS_SESSIONS_TOKEN") and not all(map(variables.get, keys)):
        missing.append("DCS_SESSIONS_TOKEN (or HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK)")
    if missing:
        raise ContractError(f"missing in the environment: {', '.join(missing)}")
    try:
        endpoint = endpoint or service_endpoint(region)
    except ConfigurationError as error:
        raise ContractError(str(error)) from None
    return {"endpoint": endpoint, **{name: variables[name] for name in needed}}


def against_live(arguments: argparse.Namespace) -> list[str]:
    """Test the server that the environment names, and return the faults."""
    settings = live_settings(os.environ)
    endpoint = settings.pop("endpoint")
    may_kill = os.environ.get("DCS_SESSIONS_ALLOW_KILL") == "1"
    try:
        httpx.get(endpoint, timeout=10)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ContractError(f"{endpoint} does not answer: {error}") from None
    if may_kill:
        print(f"DCS_SESSIONS_ALLOW_KILL=1: sessions at {endpoint} WILL BE ENDED.", flush=True)
        left_out: list[str] = []
    else:
        print(
            f"Only reads and scans go to {endpoint}; no session is ended. (To test that as well, "
            "on an instance that nobody needs, set DCS_SESSIONS_ALLOW_KILL=1.)",
            flush=True,
        )
        left_out = [*KILLS]
    facts = {
        "endpoint": endpoint,
        "project_id": settings["HUAWEICLOUD_SDK_PROJECT_ID"],
        "instance_id": settings["DCS_SESSIONS_INSTANCE"],
        "node_ids": [settings["DCS_SESSIONS_NODE"]],
    }
    seen: Seen = Counter()
    if os.environ.get("DCS_SESSIONS_TOKEN"):
        settings["HUAWEICLOUD_SDK_AK"] = ""  # the token goes first
    settings["DCS_SESSIONS_JOB"] = prepare(Api(facts, seen, logins(os.environ)[0])) or ""
    if not settings["DCS_SESSIONS_JOB"]:
        print("ShowJobInfo does not know the jobs of scans here, and is left out.", flush=True)
        left_out.append("ShowJobInfo")
    excluded = [word for name in left_out for word in ("--exclude-operation-id", name)]
    with tempfile.TemporaryDirectory() as folder:
        noted = Path(folder, "seen")
        # The vendor's gateway answers a method that a path does not have. No document says that
        # the answer is 405.
        clean = schemathesis_run(
            endpoint,
            environment(settings, noted, may_kill=may_kill),
            arguments.reports,
            *("--max-examples", str(arguments.max_examples), "--rate-limit", arguments.rate),
            *("--exclude-checks", "unsupported_method", *excluded, *arguments.options),
        )
        answers = read(noted)
        amiss = [*([] if clean else [FOUND]), *unidentified(answers)]
        return amiss + verdict(seen + counted(answers), live=True)


def main() -> int:
    """Run the command line; the result is the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--live", action="store_true", help="test the server of the environment")
    parser.add_argument("--max-examples", type=int, help="random requests per operation and phase")
    parser.add_argument("--seconds", type=int, help="duration of random requests")
    parser.add_argument("--rate", default=LIVE_RATE, help="requests in a time, with --live")
    parser.add_argument("--reports", type=Path, default=REPORTS, help="folder of the reports")
    parser.add_argument("--emulator", default=EMULATOR, help="command that starts the emulator")
    parser.add_argument("options", nargs="*", help="further options of schemathesis, after --")
    arguments = parser.parse_args()
    if arguments.max_examples is None:
        arguments.max_examples = LIVE_EXAMPLES if arguments.live else EXAMPLES
    try:
        amiss = against_live(arguments) if arguments.live else against_emulator(arguments)
    except ContractError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    for line in amiss:
        print(f"FAULT: {line}")
    if not amiss:
        print("The contract holds.")
    return 1 if amiss else 0


if __name__ == "__main__":
    sys.exit(main())
