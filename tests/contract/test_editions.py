"""Every edition of the contract is valid, and says what openapi.yaml says."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

from dcs_sessions.emulator import Emulator
from support.waiting import wait_until
from tools import editions, spec

if TYPE_CHECKING:
    from tools.spec import Node

API = spec.load()
CLIENTS = editions.clients(API)
NODE: Path = spec.ROOT / "tools" / "node_modules" / ".bin"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("editions")
    editions.make(folder)
    return folder


@pytest.mark.parametrize(
    ("name", "validator"),
    [
        ("openapi.yaml", OpenAPIV31SpecValidator),
        ("openapi.json", OpenAPIV31SpecValidator),
        ("openapi.dereferenced.json", OpenAPIV31SpecValidator),
        ("openapi.clients.yaml", OpenAPIV31SpecValidator),
        ("openapi-3.0.yaml", OpenAPIV30SpecValidator),
    ],
)
def test_edition_is_valid(folder: Path, name: str, validator: Any) -> None:
    validator(spec.load(folder / name)).validate()


@pytest.mark.node
@pytest.mark.parametrize("name", ["openapi.clients.yaml", "openapi-3.0.yaml"])
def test_edition_is_valid_for_a_second_validator(folder: Path, name: str, tmp_path: Path) -> None:
    config = tmp_path / "redocly.yaml"
    config.write_text("extends: [spec]\ntelemetry: 'off'\n")
    run = subprocess.run(
        [str(NODE / "redocly"), "lint", str(folder / name), f"--config={config}"],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.node
def test_types_of_a_request_need_nothing_that_may_be_left_out(folder: Path, tmp_path: Path) -> None:
    types = tmp_path / "dcs.d.ts"
    source = folder / "openapi.clients.yaml"
    command = [NODE / "openapi-typescript", source, "--output", types]
    subprocess.run(list(map(str, command)), capture_output=True, check=True)
    text = types.read_text()
    assert re.search(r"\bclean_cache\?: boolean;", text)
    assert re.search(r"\bkill_all_nodes\?: boolean;", text)


def test_json_and_yaml_are_the_same(folder: Path) -> None:
    assert json.loads((folder / "openapi.json").read_text()) == API
    assert (folder / "openapi.yaml").read_bytes() == spec.SPEC.read_bytes()


def test_dereferenced_edition_has_no_references_and_loses_nothing(folder: Path) -> None:
    whole = spec.load(folder / "openapi.dereferenced.json")
    assert not [p for p, node in spec.walk(whole) if isinstance(node, dict) and "$ref" in node]
    assert spec.at(whole, "ListClients.responses.200.body.properties.clients.items") == spec.at(
        API, "components.schemas.Session"
    )


def test_generated_client_knows_one_header_for_the_token() -> None:
    assert CLIENTS["security"] == [{"token": []}]
    assert CLIENTS["components"]["securitySchemes"].keys() == {"token"}


def test_overlay_is_an_overlay_that_changes_something_everywhere() -> None:
    overlay = spec.load(editions.OVERLAY)
    assert overlay.keys() == {"overlay", "info", "actions"}
    assert overlay["overlay"] == "1.0.0"
    for action in overlay["actions"]:
        assert ("update" in action) != ("remove" in action), action["target"]
        assert editions.overlaid(API, {"actions": [action]}) != API, action["target"]


def test_action_without_effect_is_refused() -> None:
    action = {"target": "$.paths.gone", "remove": True}
    with pytest.raises(ValueError, match=re.escape("nothing at $.paths.gone")):
        editions.overlaid(API, {"actions": [action]})


def test_edition_for_clients_has_the_same_requests_and_answers() -> None:
    assert CLIENTS["paths"].keys() == API["paths"].keys()
    before, after = spec.operations(API), spec.operations(CLIENTS)
    for name, operation in after.items():
        assert [p["name"] for p in operation.parameters] == [
            p["name"] for p in before[name].parameters
        ]
        assert operation.definition["responses"].keys() == (
            before[name].definition["responses"].keys()
        )
    for name, schema in CLIENTS["components"]["schemas"].items():
        original = API["components"]["schemas"][name]
        assert schema["properties"].keys() == original["properties"].keys()
        assert schema.get("required") == original.get("required")


# What generators call parts of every client, or languages have themselves.
TAKEN = [
    "ApiClient",
    "ApiError",
    "ApiException",
    "ApiKeyAuth",
    "ApiResponse",
    "Array",
    "Authentication",
    "Client",
    "Configuration",
    "Date",
    "Error",
    "Exception",
    "Function",
    "Iterator",
    "List",
    "Map",
    "Object",
    "Pair",
    "Promise",
    "Record",
    "Request",
    "RequestArgs",
    "RequestOpts",
    "Response",
    "ResponseError",
    "Result",
    "Security",
    "Server",
    "Set",
    "String",
    "Type",
]


def test_no_type_has_a_name_that_generated_clients_have_already() -> None:
    assert not set(API["components"]["schemas"]) & set(TAKEN)


def schemas(api: Node) -> list[tuple[str, Node]]:
    return list(api["components"]["schemas"].items())


@pytest.mark.parametrize(("name", "schema"), schemas(editions.older(CLIENTS)))
def test_edition_of_openapi_3_0_accepts_null_where_the_contract_does(
    name: str, schema: Node
) -> None:
    for field, definition in schema["properties"].items():
        original = API["components"]["schemas"][name]["properties"][field]
        nullable = "null" in original.get("type", ())
        assert definition.get("nullable", False) == nullable, field
        assert ("example" in definition) == ("examples" in original), field
        assert "examples" not in definition, field


def test_requests_have_the_body_of_the_examples_and_every_operation_has_one() -> None:
    requests = list(editions.requests(API))
    assert {request.operation for request in requests} == spec.operations(API).keys()
    for request in requests:
        body = spec.operations(API)[request.operation].definition.get("requestBody")
        if body:
            schema = {
                **spec.at(API, f"{request.operation}.requestBody.body"),
                "components": API["components"],
            }
            jsonschema.validate(request.body, schema)


def test_collection_and_http_file_have_the_same_requests(folder: Path) -> None:
    collection = json.loads((folder / "dcs.postman_collection.json").read_text())
    text = (folder / "dcs.http").read_text()
    for item in collection["item"]:
        request = item["request"]
        assert f"### {item['name']}\n{request['method']} {request['url']['raw']}\n" in text
        if "body" in request:
            assert request["body"]["raw"] in text
    assert text.count("###") == len(collection["item"])


def test_emulator_accepts_the_requests_of_the_collection(folder: Path) -> None:
    collection = json.loads((folder / "dcs.postman_collection.json").read_text())
    with Emulator() as dcs:
        values = {
            "endpoint": dcs.endpoint,
            "token": dcs.token,
            "project_id": dcs.project_id,
            "instance_id": dcs.instance_id,
            "node_id": dcs.node_ids[0],
        }

        def send(request: Node) -> httpx.Response:
            def fill(text: str) -> str:
                return re.sub(r"{{(\w+)}}", lambda match: values[match[1]], text)

            return httpx.request(
                request["method"],
                fill(request["url"]["raw"]),
                headers={header["key"]: fill(header["value"]) for header in request["header"]},
                content=fill(request["body"]["raw"]) if "body" in request else None,
                trust_env=False,
                timeout=60,
            )

        requests = {item["name"]: item["request"] for item in collection["item"]}
        (job,) = (name for name in requests if name.startswith("ShowJobInfo:"))
        for name, request in sorted(requests.items(), key=lambda item: item[0] == job):
            answer = send(request)
            assert answer.status_code == (204 if name.startswith("HangUpClients:") else 200), name
            if "job_id" in (answer.json() if answer.content else {}):
                values["job_id"] = answer.json()["job_id"]
                wait_until(lambda: send(requests[job]).json()["status"] == "SUCCESS")


def test_no_variable_is_left_without_a_value_and_no_secret_is_shipped(folder: Path) -> None:
    text = (folder / "dcs.http").read_text()
    used = set(re.findall(r"{{(\w+)}}", text))
    assert used == set(editions.VARIABLES)
    collection = json.loads((folder / "dcs.postman_collection.json").read_text())
    values = {variable["key"]: variable["value"] for variable in collection["variable"]}
    assert values["token"] == ""


def test_changes_name_breaks_and_additions() -> None:
    base = spec.load()
    del base["components"]["schemas"]["Session"]["properties"]["omem"]
    del base["paths"]["/v2/{project_id}/instances"]
    base["components"]["schemas"]["Lost"] = {"type": "object", "description": "Gone."}
    text = "\n".join(editions.additions(base, API))
    assert "Operation `ListInstances`: List the instances of a project." in text
    assert "Field `omem` of `Session`: Memory that the output buffer and list take" in text
    # Nothing of what both have.
    assert "Job" not in text


@pytest.mark.node
def test_changes_say_what_breaks() -> None:
    base = spec.load()
    base["components"]["schemas"]["Lost"] = {"type": "object", "description": "Gone."}
    text = editions.changes(base, API)
    assert "- The generated type `Lost` is gone. (all operations)" in text
    assert "## What is new\n\n- Nothing." in text


def test_checksums_are_those_of_every_file(folder: Path) -> None:
    lines = (folder / editions.CHECKSUMS).read_text().splitlines()
    found = {name: digest for digest, name in (line.split("  ") for line in lines)}
    files = [file for file in folder.iterdir() if file.name != editions.CHECKSUMS]
    assert found == {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
