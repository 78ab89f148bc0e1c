"""Write the SBOM of a release: the package, its dependencies, and bundled packages.

    python -m tools.sbom build/sbom build/release/sbom.cdx.json

The first argument is an environment in which the wheel is installed with all extras. cyclonedx-py
lists what is there; it does not know the version of the package, which pyproject.toml does not
have, nor what the emulator's page is made of.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tools import page, spec


def completed(bom: dict[str, Any]) -> dict[str, Any]:
    """Return an SBOM with the version of the package and what is bundled.

    Raises:
        ValueError: If the result is not valid by the schema of CycloneDX.
    """
    root = bom["metadata"]["component"]
    version = spec.load()["info"]["version"]
    root |= {"version": version, "purl": f"pkg:pypi/{root['name']}@{version}"}
    package = page.bundled()
    bundled: dict[str, Any] = {
        "bom-ref": f"{package['name']}@{package['version']}",
        "type": "library",
        "name": package["name"],
        "version": package["version"],
        "description": "Bundled in the page of the emulator.",
        "licenses": [{"license": {"id": package["license"]}}],
        "purl": f"pkg:npm/{package['name']}@{package['version']}",
    }
    bom["components"].append(bundled)
    for each in bom["dependencies"]:
        if each["ref"] == root["bom-ref"]:
            each["dependsOn"].append(bundled["bom-ref"])
    bom["dependencies"].append({"ref": bundled["bom-ref"]})
    if error := check(bom):
        raise ValueError(error)
    return bom


def check(bom: dict[str, Any]) -> str:
    """Return what is wrong with an SBOM, or nothing."""
    schema = SchemaVersion.from_version(bom["specVersion"])
    error = JsonStrictValidator(schema).validate_str(json.dumps(bom))
    if error is not None:
        # The rest of its text is the whole schema.
        return str(error).partition("\n")[0]
    for each in (bom["metadata"]["component"], *bom["components"]):
        for name in ("version", "purl"):
            if not each.get(name):
                return f"{each['name']} has no {name}"
        if each["version"] not in each["purl"]:
            return f"{each['name']}: the purl {each['purl']} has another version"
    return ""


def main() -> None:
    """Run the command line."""
    environment, output = map(Path, sys.argv[1:])
    command = ("environment", environment, "--pyproject", spec.ROOT / "pyproject.toml")
    run = subprocess.run(
        [Path(sys.executable).with_name("cyclonedx-py"), *command, "--output-reproducible"],
        check=True,
        capture_output=True,
        text=True,
    )
    text = json.dumps(completed(json.loads(run.stdout)), indent=2, sort_keys=True)
    output.write_text(f"{text}\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
