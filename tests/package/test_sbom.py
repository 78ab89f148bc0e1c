"""Contents of the SBOM, and licences of bundled packages."""

from __future__ import annotations

import copy
import importlib.metadata
import json
import re
from typing import Any

import pytest

from tools import page, sbom, spec

pytestmark = pytest.mark.node


@pytest.fixture
def bom() -> dict[str, Any]:
    """The completed SBOM of a small environment."""
    attrs = {
        "bom-ref": "attrs==26.1.0",
        "name": "attrs",
        "purl": "pkg:pypi/attrs@26.1.0",
        "type": "library",
        "version": "26.1.0",
    }
    root = {"bom-ref": "root-component", "name": "dcs-sessions", "type": "application"}
    return sbom.completed(
        {
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "version": 1,
            "metadata": {"component": root},
            "components": [attrs],
            "dependencies": [
                {"ref": "attrs==26.1.0"},
                {"ref": "root-component", "dependsOn": ["attrs==26.1.0"]},
            ],
        }
    )


def test_root_has_a_version_and_a_purl(bom: dict[str, Any]) -> None:
    root = bom["metadata"]["component"]
    version = spec.load()["info"]["version"]
    assert (root["version"], root["purl"]) == (version, f"pkg:pypi/dcs-sessions@{version}")


def test_bundled_package_is_listed(bom: dict[str, Any]) -> None:
    lock = json.loads((spec.ROOT / "tools" / "package-lock.json").read_text(encoding="utf-8"))
    version = lock["packages"]["node_modules/swagger-ui-dist"]["version"]
    (found,) = (each for each in bom["components"] if each["name"] == "swagger-ui-dist")
    assert found["purl"] == f"pkg:npm/swagger-ui-dist@{version}"
    (root,) = (each for each in bom["dependencies"] if each["ref"] == "root-component")
    assert found["bom-ref"] in root["dependsOn"]


@pytest.mark.parametrize("name", ["version", "purl"])
@pytest.mark.parametrize("where", ["root", "component"])
def test_missing_facts_are_found(name: str, where: str, bom: dict[str, Any]) -> None:
    broken = copy.deepcopy(bom)
    part = broken["metadata"]["component"] if where == "root" else broken["components"][-1]
    del part[name]
    assert sbom.check(broken) == f"{part['name']} has no {name}"


def test_unknown_properties_are_found(bom: dict[str, Any]) -> None:
    broken = {**copy.deepcopy(bom), "unknown": 1}
    assert "unknown" in sbom.check(broken)


def test_licences_of_the_page_are_kept_whole() -> None:
    text = page.licenses()
    assert re.search(r"swagger-ui-dist [\d.]+, with these licences", text)
    kept = [each for each in page.SWAGGER_UI.iterdir() if "LICENSE" in each.name]
    bundles = {"swagger-ui-bundle.js.LICENSE.txt", "LICENSE"}
    for file in (*(each for each in kept if each.name in bundles), page.SWAGGER_UI / "NOTICE"):
        assert file.read_text(encoding="utf-8").strip() in text
    # Each licence that these texts name is in the licence of the package.
    expression = importlib.metadata.metadata("dcs-sessions")["License-Expression"]
    for named, identifier in (("Apache License", "Apache-2.0"), ("MIT", "MIT"), ("BSD-3", "BSD-3")):
        assert named in text
        assert identifier in expression
