"""Every kind of break of the Python API is found, planted in the whole API at once."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.clone import Clone
from tools import breaking_python, spec

Function = (ast.FunctionDef, ast.AsyncFunctionDef)
NO_NAMES = {"self", "cls"}


@pytest.fixture(scope="module")
def surface() -> dict[str, Any]:
    return breaking_python.surface(spec.ROOT)


def tree(root: Path) -> Path:
    for folder in breaking_python.FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__", "*.html")
        shutil.copytree(spec.ROOT / folder, root / folder, ignore=ignored)
    shutil.copy2(spec.ROOT / "pyproject.toml", root)
    return root


def planted(surface: dict[str, Any], root: Path, change: Callable[[ast.AST], None]) -> set[str]:
    """Return the breaks found after a change of each node of all sources."""
    tree(root)
    for file in root.rglob("*.py"):
        module = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(module):
            change(node)
        file.write_text(ast.unparse(ast.fix_missing_locations(module)), encoding="utf-8")
    return breaking_python.compare(surface, breaking_python.surface(root))


def written(surface: dict[str, Any]) -> dict[str, Any]:
    """Return the functions in the sources, without those that a dataclass generates."""
    return {
        name: each
        for name, each in surface.items()
        if each.is_function and not (each.name == "__init__" and "dataclass" in each.parent.labels)
    }


def parameters(surface: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, each in written(surface).items():
        for parameter in each.parameters:
            if parameter.name not in NO_NAMES and not parameter.kind.value.startswith("variadic"):
                yield f"{name}({parameter.name})", parameter


def fields(surface: dict[str, Any]) -> set[str]:
    """Return the fields with a default."""
    return {
        name
        for name, each in surface.items()
        if each.is_attribute
        and each.value is not None
        and each.labels & {"class-attribute", "module-attribute"}
        and not breaking_python.is_type(each)
    }


def test_same_sources_break_nothing(surface: dict[str, Any], tmp_path: Path) -> None:
    assert planted(surface, tmp_path, lambda node: None) == set()


def test_surface_has_what_users_reach(surface: dict[str, Any]) -> None:
    assert {
        "dcs_sessions.Client.__init__",
        "dcs_sessions.AsyncClient.query_sessions",
        "dcs_sessions.Session.to_dict",
        "dcs_sessions.DcsSessionsError",
        "dcs_sessions.emulator.Emulator.start",
        "dcs_sessions.emulator.TOKEN",
        # These are not exported, but annotations name them.
        "RawClient.scan_sessions",
        "CallOptions.timeout",
    } <= surface.keys()
    assert not any(part.startswith("dcs_sessions._") for part in surface)


@pytest.mark.parametrize("kinds", [(ast.ClassDef,), Function])
def test_renamed_names_are_found(
    kinds: tuple[type[Any], ...], surface: dict[str, Any], tmp_path: Path
) -> None:
    def rename(node: ast.AST) -> None:
        # The names that Python itself gives stay, and `raw`, which leads to more names.
        if isinstance(node, kinds) and not node.name.startswith("__") and node.name != "raw":
            node.name += "_renamed"

    found = planted(surface, tmp_path, rename)
    names = {
        name
        for name, each in surface.items()
        if (each.is_class if kinds == (ast.ClassDef,) else each.is_function)
        and not each.name.startswith("__")
        and each.name != "raw"
    }
    assert len(names) > 30
    assert {f"{name} is gone" for name in names} <= found


def test_names_that_are_not_exported_any_more_are_found(
    surface: dict[str, Any], tmp_path: Path
) -> None:
    def forget(node: ast.AST) -> None:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == "__all__"
            and isinstance(node.value, ast.List)
        ):
            node.value.elts = [ast.Constant("nothing")]

    found = planted(surface, tmp_path, forget)
    without_a_list = ("dcs_sessions.pytest_plugin.",)
    exported = {
        name
        for name in surface
        if name.startswith("dcs_sessions.") and not name.startswith(without_a_list)
    }
    assert {f"{name} is gone" for name in exported} <= found


@pytest.mark.parametrize("how", ["rename", "require", "default"])
def test_changed_parameters_are_found(how: str, surface: dict[str, Any], tmp_path: Path) -> None:
    def change(node: ast.AST) -> None:
        if not isinstance(node, Function):
            return
        arguments = node.args
        if how == "rename":
            for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
                if each.arg not in NO_NAMES:
                    each.arg += "_renamed"
        elif how == "require":
            arguments.defaults = []
            arguments.kw_defaults = [None for _ in arguments.kw_defaults]
        else:
            new = ast.Constant("another")
            arguments.defaults = [new for _ in arguments.defaults]
            arguments.kw_defaults = [each and new for each in arguments.kw_defaults]

    found = planted(surface, tmp_path, change)
    expected = {name for name, each in parameters(surface) if how == "rename" or not each.required}
    missed = {name for name in expected if not any(what.startswith(name) for what in found)}
    assert len(expected) > 30
    assert missed == set()


def test_new_required_parameters_are_found(surface: dict[str, Any], tmp_path: Path) -> None:
    def add(node: ast.AST) -> None:
        if isinstance(node, Function):
            node.args.kwonlyargs.append(ast.arg("new_one"))
            node.args.kw_defaults.append(None)

    found = planted(surface, tmp_path, add)
    assert {
        f"{name}(new_one): Parameter was added as required" for name in written(surface)
    } <= found


def test_functions_that_are_called_in_another_way_are_found(
    surface: dict[str, Any], tmp_path: Path
) -> None:
    def switch(node: ast.AST) -> None:
        for name in ("body", "orelse"):
            body = getattr(node, name, None)
            if isinstance(body, list):
                body[:] = [
                    ast.AsyncFunctionDef(**vars(each))
                    if isinstance(each, ast.FunctionDef) and not each.decorator_list
                    else each
                    for each in body
                ]

    found = planted(surface, tmp_path, switch)
    sync = {
        name
        for name, each in written(surface).items()
        if "async" not in each.labels and not each.decorators
    }
    assert {f"{name} is async in one version only" for name in sync} <= found


@pytest.mark.parametrize("how", ["another", "none"])
def test_changed_defaults_and_constants_are_found(
    how: str, surface: dict[str, Any], tmp_path: Path
) -> None:
    new = ast.Constant("another")

    def change(node: ast.AST) -> None:
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            node.value = new if how == "another" else None
        elif isinstance(node, ast.ClassDef | ast.Module):
            for each in node.body:
                if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) != "__all__":
                    each.value = new

    found = planted(surface, tmp_path, change)
    missed = {
        name for name in fields(surface) if not any(what.startswith(f"{name} ") for what in found)
    }
    assert missed == set()


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (
            "def f(x: int | str) -> int: ...",
            "def f(x: int) -> int: ...",
            "f(x): no longer takes str",
        ),
        ("def f() -> int: ...", "def f() -> int | None: ...", "f() may return None"),
        ("def f() -> int: ...", "def f(): ...", "f(): Return types are incompatible"),
        ("x: int", "x: int | None", "x may be None"),
        ("class f(ValueError): ...", "class f(Exception): ...", "f is no ValueError any more"),
        ("def f(): ...", "f = 1", "f is attribute instead of function"),
        (
            "import attrs\n@attrs.define\nclass f:\n    x: int",
            "import attrs\n@attrs.define\nclass f:\n    x: int\n    y: int",
            "f takes y, which has no default",
        ),
        (
            "class f:\n    @classmethod\n    def g(cls): ...",
            "class f:\n    def g(cls): ...",
            "f.g is classmethod in one version only",
        ),
        (
            "class f:\n    def g(self): ...",
            "class f:\n    @property\n    def g(self): ...",
            "f.g is attribute instead of function",
        ),
        ("class _B:\n    def g(self): ...\nclass f(_B): ...", "class f: ...", "f.g is gone"),
        ("def f(a, b): ...", "def f(b, a): ...", "f(a): Positional parameter was moved"),
        ("def f(a): ...", "def f(*, a): ...", "f(a): Parameter kind was changed"),
    ],
)
def test_break_is_found(old: str, new: str, what: str, tmp_path: Path) -> None:
    assert f"dcs_sessions.{what}" in compared(old, new, tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("def f(x: int) -> int | None: ...", "def f(x: int | str) -> int: ..."),
        ("def f(): ...", "def f(x=1): ..."),
        ("def f(): ...", "def f():\n    'Return nothing.'\ndef g(): ..."),
        ("def _f(): ...\nx = 1", "def _g(): ...\nx = 1"),
        ("class f(Exception): ...", "class _B(Exception): ...\nclass f(_B): ..."),
        ("class f:\n    def g(self): ...", "class _B:\n    def g(self): ...\nclass f(_B): ..."),
        (
            "class f:\n    def __init__(self):\n        self.x = 1",
            "class f:\n    def __init__(self):\n        self.x = 2",
        ),
        ("from typing import Any\ndef f() -> Any: ...", "def f() -> int: ..."),
    ],
)
def test_harmless_changes_are_accepted(old: str, new: str, tmp_path: Path) -> None:
    assert compared(old, new, tmp_path) == []


def compared(old: str, new: str, root: Path) -> list[str]:
    for name, text in (("old", old), ("new", new)):
        folder = root / name
        (folder / "src" / "dcs_sessions").mkdir(parents=True)
        (folder / "generated").mkdir()
        (folder / "src" / "dcs_sessions" / "__init__.py").write_text(text)
        shutil.copy2(spec.ROOT / "pyproject.toml", folder)
    return breaking_python.breaks(root / "old", root / "new")


def test_extras_commands_and_versions_of_python_that_are_gone_are_found(tmp_path: Path) -> None:
    tree(tmp_path)
    file = tmp_path / "pyproject.toml"
    text = file.read_text(encoding="utf-8")
    for old, new in (
        ("\nemulator = [", "\nlocal = ["),
        ('\ndcs-sessions = "', '\ndcs = "'),
        ('requires-python = ">=3.11"', 'requires-python = ">=3.12"'),
    ):
        assert old in text
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
    assert breaking_python.breaks(spec.ROOT, tmp_path) == [
        "Python >=3.12 is needed instead of >=3.11",
        "the command dcs-sessions is gone",
        "the extra emulator is gone",
    ]


@pytest.mark.parametrize(
    ("old", "new", "allowed"),
    [
        ("0.1.0", "0.1.1", False),
        ("0.1.0", "0.2.0", True),
        ("1.0.0", "1.1.0", False),
        ("1.0.0", "2.0.0", True),
    ],
)
def test_break_needs_a_version_that_allows_it(
    old: str, new: str, allowed: bool, clone: Clone
) -> None:
    clone.prepare(old)
    clone.git("tag", f"v{old}")
    for name in ("_async", "_sync"):
        clone.edit(f"src/dcs_sessions/{name}/_client.py", "def refresh_sessions(", "def renew(")
    clone.prepare(new)
    run = clone.python("-m", "tools.breaking_python")
    assert "dcs_sessions.Client.refresh_sessions is gone" in run.stdout, run.stderr
    assert run.returncode == (0 if allowed else 1)
    major, minor = ("0", "2") if old.startswith("0") else ("2", "0")
    needed = f"info.version must be {major}.{minor}.0 or higher for that.\n"
    assert run.stderr == ("" if allowed else needed)


def test_nothing_was_promised_before_there_was_a_library(clone: Clone) -> None:
    shutil.rmtree(clone.root / "src")
    clone.commit("Nothing yet")
    run = clone.python("-m", "tools.breaking_python", "--base", "HEAD")
    assert (run.returncode, run.stdout) == (
        0,
        "No Python API to compare with: HEAD has no Python package.\n",
    )
