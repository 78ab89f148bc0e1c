"""Print constraints for pip: the lowest allowed version of each dependency of users.

What the tests need beside those is held to constraints.txt; what the dependencies themselves need
is left to pip.
"""

from __future__ import annotations

import importlib.metadata
import tomllib
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.spec import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator


def lowest() -> Iterator[str]:
    """Return a line for each package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    of_users: set[str] = set()
    extras = project["optional-dependencies"].values()
    for line in [*project["dependencies"], *(line for extra in extras for line in extra)]:
        requirement = Requirement(line)
        if requirement.name == project["name"]:
            continue  # an extra that includes another one
        (version,) = (each.version for each in requirement.specifier if each.operator == ">=")
        of_users |= needed(requirement)
        yield f"{requirement.name}=={version}"
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if "==" in line and canonicalize_name(line.partition("==")[0]) not in of_users:
            yield line


def needed(requirement: Requirement, found: frozenset[str] = frozenset()) -> set[str]:
    """Return the names of a package and of its installed dependencies."""
    name = canonicalize_name(requirement.name)
    names: set[str] = {name}
    for line in importlib.metadata.requires(name) or []:
        of = Requirement(line)
        if name not in found and (of.marker is None or of.marker.evaluate({"extra": ""})):
            names |= needed(of, found | {name})
    return names


if __name__ == "__main__":
    print("\n".join(lowest()))
