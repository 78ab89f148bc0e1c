"""Print constraints for pip: of each dependency, the lowest version that pyproject.toml allows."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from tools.spec import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator


def lowest() -> Iterator[str]:
    """One line for each dependency of users; the tools of development are not held back."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for line in [*project["dependencies"], *project["optional-dependencies"]["emulator"]]:
        requirement = Requirement(line)
        (version,) = (each.version for each in requirement.specifier if each.operator == ">=")
        yield f"{requirement.name}=={version}"


if __name__ == "__main__":
    print("\n".join(lowest()))
