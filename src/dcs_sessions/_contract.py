"""The OpenAPI document that this version was made from, `openapi.yaml`."""

from __future__ import annotations

import functools
import os


def contract_text() -> str:
    """Give the document.

    It lies in the package, or at the root of the repository where that is installed in place.
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
    """Give its version, which is that of the package. Looking there is what takes no time."""
    for line in contract_text().splitlines():
        if line.startswith("  version: "):
            return line.removeprefix("  version: ").strip()
    raise AssertionError  # the package cannot be built without one
