"""The gates of `make lint` let openapi.yaml through, and nothing that breaks their rules."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from mutation.contract import Mutant
from tools import spec

if TYPE_CHECKING:
    from pathlib import Path

TOOLS = spec.ROOT / "tools"
BIN = TOOLS / "node_modules" / ".bin"
SPECTRAL = ("spectral", "lint", "--ruleset", TOOLS / "spectral.yaml", "--fail-severity", "hint")
REDOCLY = ("redocly", "lint", "--config", TOOLS / "redocly.yaml")
PRETTIER = ("prettier", "--config", TOOLS / "prettier.yaml", "--check")

ERROR = "components.responses.NotFound.content.application/json.schema.$ref"
THROTTLED = "components.responses.Throttled.content.application/json.schema.$ref"
# One fault for each of our own rules.
OURS = {
    "dcs-server-https": Mutant("", set={"servers.0.url": "http://dcs.{region}.myhuaweicloud.com"}),
    "dcs-operation-id": Mutant("", set={"ShowJobInfo.operationId": "show_job_info"}),
    "dcs-operation-docs": Mutant("", remove=["ScanClients.externalDocs"]),
    "dcs-error-statuses": Mutant("", remove=["ScanClients.responses.404"]),
    "dcs-error-shared": Mutant("", set={"ListClients.responses.404": {"description": "No."}}),
    "dcs-error-schema": Mutant("", set={ERROR: "#/components/schemas/GatewayError"}),
    "dcs-throttled-schema": Mutant("", set={THROTTLED: "#/components/schemas/ErrorBody"}),
    "dcs-response-example": Mutant(
        "", remove=["ScanClients.responses.200.content.application/json.examples"]
    ),
    "dcs-parameter-name": Mutant("", set={"ListClients.parameters.sort.name": "sortBy"}),
    "dcs-property-name": Mutant(
        "", rename={"components.schemas.Session.properties.qbuf_free": "qbuf-free"}
    ),
}


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    tool, *arguments = command
    return subprocess.run(
        [BIN / tool, *arguments], cwd=spec.ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.node
@pytest.mark.parametrize("command", [REDOCLY, SPECTRAL, PRETTIER], ids=lambda c: c[0])
def test_openapi_yaml_passes(command: tuple[str | Path, ...]) -> None:
    result = run(*command, spec.SPEC)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.node
def test_each_own_rule_finds_its_fault(tmp_path: Path) -> None:
    api = spec.load()
    # In the other order an operation that has lost its name could not be found.
    for fault in reversed(OURS.values()):
        api = fault.apply(api)
    faulty = tmp_path / "openapi.json"
    faulty.write_text(json.dumps(api), encoding="utf-8")
    result = run(*SPECTRAL, "--format", "json", "--quiet", faulty)
    assert result.returncode == 1, result.stderr
    assert set(OURS) <= {finding["code"] for finding in json.loads(result.stdout)}


def test_each_own_rule_has_a_fault() -> None:
    text = (TOOLS / "spectral.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"(?m)^  (dcs-[\w-]+):", text)) == set(OURS)


@pytest.mark.node
@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("operation-operationId-unique", {"ShowJobInfo.operationId": "ScanClients"}),
        ("no-unused-components", {"components.schemas.Spare": {"type": "string"}}),
        ("no-enum-type-mismatch", {"ListClients.parameters.order.schema.enum": ["asc", 1]}),
    ],
)
def test_redocly_finds_its_faults(rule: str, fault: dict[str, spec.Node], tmp_path: Path) -> None:
    faulty = tmp_path / "openapi.json"
    faulty.write_text(json.dumps(Mutant("", set=fault).apply(spec.load())), encoding="utf-8")
    result = run(*REDOCLY, faulty)
    assert result.returncode == 1
    assert rule in result.stdout + result.stderr


@pytest.mark.node
def test_other_format_is_refused(tmp_path: Path) -> None:
    crooked = tmp_path / "openapi.yaml"
    crooked.write_text(
        spec.SPEC.read_text(encoding="utf-8").replace("  title: DCS", "  title:   DCS"),
        encoding="utf-8",
    )
    assert run(*PRETTIER, crooked).returncode == 1


@pytest.mark.parametrize("rules", ["spectral.yaml", "redocly.yaml"])
def test_rule_that_is_off_has_its_reason(rules: str) -> None:
    previous = ""
    for line in (TOOLS / rules).read_text(encoding="utf-8").splitlines():
        if re.search(r": off$", line):
            assert re.search(r"^\s*#|: off$", previous), line
        previous = line


def test_tools_are_pinned_and_their_lock_names_no_address() -> None:
    package = json.loads((TOOLS / "package.json").read_text(encoding="utf-8"))
    assert all(re.fullmatch(r"[\d.]+", version) for version in package["devDependencies"].values())
    lock = (TOOLS / "package-lock.json").read_text(encoding="utf-8")
    # Where npm has written some: delete the keys "resolved" and "funding".
    assert "://" not in lock
