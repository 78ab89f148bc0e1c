"""Plant a fault in the emulator: as a plugin of pytest, or as a command that starts it.

    pytest -p mutation.server ...                with DCS_SESSIONS_FAULT=<name of the fault>
    python -m mutation.server emulator ...       with the same

The code of the emulator knows nothing of this: a module is changed on its way from the file into
the interpreter.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, ModuleType

SOURCE = Path(__file__).with_name("server_faults.yaml")
EMULATOR = Path(__file__).parents[2] / "src" / "dcs_sessions" / "emulator"
PACKAGE = "dcs_sessions.emulator"


@dataclass(frozen=True)
class Fault:
    """One fault; server_faults.yaml says what its fields mean."""

    name: str
    file: str
    old: str
    new: str
    tests: list[str]

    def apply(self) -> str:
        """Return the source of the file with the fault in it.

        Raises:
            ValueError: If what it replaces does not stand there, once.
        """
        text = (EMULATOR / self.file).read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: not once in {self.file}: {self.old}")
        return text.replace(self.old, self.new)


def faults() -> list[Fault]:
    """Return the faults that must be found."""
    return [Fault(**fault) for fault in yaml.safe_load(SOURCE.read_text(encoding="utf-8"))]


class _Loader(SourceFileLoader):
    """Compiles changed source instead of the file's."""

    def __init__(self, name: str, path: str, text: str) -> None:
        super().__init__(name, path)
        self._text = text

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._text, self.path, "exec", dont_inherit=True)


class Finder:
    """Finds the module that has the fault, and leaves all others to Python."""

    def __init__(self, fault: Fault) -> None:
        self._name = f"{PACKAGE}.{Path(fault.file).stem}"
        self._text = fault.apply()

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != self._name:
            return None
        found = PathFinder.find_spec(name, path, target)
        assert found is not None
        assert found.origin is not None
        found.loader = _Loader(name, found.origin, self._text)
        return found


def plant(name: str) -> None:
    """Plant the named fault, before the emulator is imported."""
    assert PACKAGE not in sys.modules
    (fault,) = [fault for fault in faults() if fault.name == name]
    sys.meta_path.insert(0, Finder(fault))


if os.environ.get("DCS_SESSIONS_FAULT"):
    plant(os.environ["DCS_SESSIONS_FAULT"])

if __name__ == "__main__":
    from dcs_sessions.__main__ import main

    main()
