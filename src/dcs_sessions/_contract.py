"""The OpenAPI document of this version, `openapi.yaml`."""

from __future__ import annotations

import functools
import os


def contract_text() -> str:
    """Return the document as YAML.

    It is in the package, or at the root of the repository for an editable install.
    """
    return _read("openapi.yaml", os.path.join("..", "..", "openapi.yaml"))  # noqa: PTH118


def contract_json() -> str:
    """Return the document as JSON, which `make generate` makes: nothing here reads YAML."""
    made = os.path.join("dcs_sessions_api", "openapi.json")  # noqa: PTH118
    return _read(os.path.join("..", made), os.path.join("..", "..", "generated", made))  # noqa: PTH118


def _read(installed: str, in_place: str) -> str:
    folder = os.path.dirname(__file__)  # noqa: PTH120 - pathlib takes longer than all of --version
    path = os.path.join(folder, installed)  # noqa: PTH118
    if not os.path.exists(path):  # noqa: PTH110
        path = os.path.join(folder, in_place)  # noqa: PTH118
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        return file.read()


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
