"""The OpenAPI document of this version, `openapi.yaml`."""

from __future__ import annotations

import functools
import os


def contract_text() -> str:
    """Return the document as YAML.

    It is in the package, or at the root of the repository for an editable install.
    """
    folder = os.path.dirname(__file__)  # noqa: PTH120 - pathlib takes longer than all of --version
    inside = os.path.join(folder, "openapi.yaml")  # noqa: PTH118
    if not os.path.exists(inside):  # noqa: PTH110
        inside = os.path.join(folder, "..", "..", "openapi.yaml")  # noqa: PTH118
    with open(inside, encoding="utf-8") as file:  # noqa: PTH123
        return file.read()


@functools.cache
def contract_json() -> str:
    """Return the document as JSON. A second file would be kept in step by nothing."""
    import json

    import yaml

    return json.dumps(yaml.safe_load(contract_text()), indent=2, ensure_ascii=False) + "\n"


def regions() -> list[str]:
    """Return the IDs of the regions that have the service, in the order of the document."""
    lines = iter(contract_text().splitlines())
    for line in lines:
        if line == "      region:":
            break
    found: list[str] = []
    for line in lines:
        if line.startswith("          - "):
            found.append(line.removeprefix("          - ").strip())
        elif found:
            break
    return found


@functools.cache
def version() -> str:
    """Return the version of the document, which is that of the package and faster to read there."""
    for line in contract_text().splitlines():
        if line.startswith("  version: "):
            return line.removeprefix("  version: ").strip()
    raise AssertionError  # a package without a version cannot be built
