"""Compare the Python API with the last release, and check that the version allows the breaks.

The API is what `dcs_sessions` and its public modules export, every class that an annotation of it
names, and the extras and commands of pyproject.toml. Most of the comparison is griffe's. It
overlooks defaults of attrs classes, values of constants, functions that become async, bases that
are replaced, and types, so those are compared here.
"""

from __future__ import annotations

import argparse
import io
import logging
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import griffe

from tools import breaking, spec

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = "dcs_sessions"
FOLDERS = ("src", "generated")
# Where a function is called from decides how: each of these is another call.
CALLED = {"async", "classmethod", "staticmethod", "property"}


def breaks(old: Path, new: Path) -> list[str]:
    """Return what breaks users of one source tree in another."""
    return sorted([*compare(surface(old), surface(new)), *packaging(old, new)])


def compare(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """Return what breaks users of one surface in another."""
    # A name that leads nowhere cannot be imported, and would be compared with nothing.
    gone = {name for name in before if after.get(name) is None or before[name] is None}
    found = {f"{name} is gone" for name in gone}
    for name in before.keys() - gone:
        found.update(f"{name}{what}" for what in changed(before[name], after[name]))
    return found


def surface(root: Path) -> dict[str, Any]:
    """Return the public objects of a source tree by the name that users know.

    A name that leads to nothing has None.
    """
    loader = griffe.GriffeLoader(
        search_paths=[root / folder for folder in FOLDERS], allow_inspection=False
    )
    package = loader.load(PACKAGE)
    loader.resolve_aliases(implicit=True, external=True)
    found: dict[str, Any] = {}
    modules = [package]
    while modules:
        module: Any = modules.pop()
        for name, member in module.members.items():
            if not member.is_public or name.startswith("__"):
                continue
            if member.is_alias and leads_nowhere(member):
                found[f"{module.path}.{name}"] = None
            elif not known(member):
                continue
            elif member.is_module and not member.is_alias:
                modules.append(member)
            else:
                collect(found, f"{module.path}.{name}", member)
    # A class that is not exported is part of the API where a public annotation names it.
    waiting = [each for each in found.values() if each is not None]
    seen: set[str] = {each.canonical_path for each in waiting}
    while waiting:
        for path in named(waiting.pop()):
            try:
                target: Any = loader.modules_collection[path]
            except KeyError:
                continue
            if not known(target) or not target.is_class or target.canonical_path in seen:
                continue
            seen.add(target.canonical_path)
            own: dict[str, Any] = {}
            collect(own, target.name, target)
            found |= own
            waiting += own.values()
    return found


def known(member: Any) -> bool:
    """Return whether a name leads to something of this project."""
    try:
        return bool(member.canonical_path.startswith(PACKAGE))
    except griffe.AliasResolutionError:
        return False  # to another project's


def leads_nowhere(alias: griffe.Alias) -> bool:
    """Return whether a name leads to something of this project that is not there."""
    try:
        return alias.final_target is None
    except griffe.AliasResolutionError as error:
        return error.alias.target_path.startswith(PACKAGE)


def collect(found: dict[str, Any], name: str, member: Any) -> None:
    """Add an object, and the public members of a class, inherited ones included."""
    final = member.final_target if member.is_alias else member
    found[name] = final
    if final.is_class:
        for inner, each in final.all_members.items():
            if each.is_public and inner not in {"__slots__", "__match_args__"} and known(each):
                collect(found, f"{name}.{inner}", each)


def named(member: Any) -> Iterator[str]:
    """Return the paths of what the annotations of an object name."""
    expressions = [getattr(member, "annotation", None)]
    if member.is_function:
        expressions += [member.returns, *(parameter.annotation for parameter in member.parameters)]
    if member.is_attribute and member.annotation is None:
        expressions.append(member.value)  # an alias of types
    for expression in expressions:
        if isinstance(expression, griffe.Expr):
            for part in expression.iterate(flat=True):
                if isinstance(part, griffe.ExprName):
                    yield part.canonical_path


def changed(old: Any, new: Any) -> Iterator[str]:
    """Return what breaks in an object, to be put behind its name."""
    if old.kind is not new.kind:
        yield f" is {new.kind.value} instead of {old.kind.value}"
        return
    for label in sorted(CALLED & (old.labels ^ new.labels)):
        yield f" is {label} in one version only"
    if old.is_class:
        ancestors = {last(base) for each in (new, *new.mro()) for base in each.bases}
        for base in old.bases:
            if last(base) not in ancestors:
                yield f" is no {base} any more"
        yield from added(old, new)
    elif old.is_function:
        yield from signature(old, new)
    elif old.is_attribute:
        # What is assigned to `self` is no promise.
        fixed = old.value is not None and old.labels != {"instance-attribute"}
        same = new.value is not None and str(old.value) == str(new.value)
        if fixed and not same and not is_type(old):
            yield f" was {old.value} and is {'nothing' if new.value is None else new.value}"
        for what in sorted(union(new.annotation) - union(old.annotation)):
            if "Any" not in union(old.annotation) and old.annotation is not None:
                yield f" may be {what}"


def last(base: Any) -> str:
    """Return the name of a base class without where it comes from and what it is of."""
    return str(base).partition("[")[0].rpartition(".")[2]


def is_type(attribute: Any) -> bool:
    """Return whether an attribute is an alias of types, whose text says nothing certain."""
    return isinstance(attribute.value, griffe.ExprBinOp | griffe.ExprSubscript) and (
        attribute.annotation is None or str(attribute.annotation).endswith("TypeAlias")
    )


def added(old: Any, new: Any) -> Iterator[str]:
    """Return the fields without a default that a class made by its fields has in addition."""
    decorators = " ".join(str(each.value) for each in new.decorators)
    if not any(word in decorators for word in ("define", "frozen", "attr")):
        return
    for name in new.members.keys() - old.members.keys():
        member = new.members[name]
        if member.is_attribute and "property" not in member.labels and member.value is None:
            yield f" takes {name}, which has no default"


def signature(old: Any, new: Any) -> Iterator[str]:
    """Return what breaks the callers of a function, and those who read what it returns."""
    # griffe compares members: a module of one function each.
    pair = []
    for function in (old, new):
        module = griffe.Module("m")
        copy = griffe.Function(
            "f", parameters=function.parameters, returns=function.returns, parent=module
        )
        module.members["f"] = copy
        pair.append(module)
    for breakage in griffe.find_breaking_changes(*pair):
        parameter = breakage.old_value or breakage.new_value
        name = f"({parameter.name})" if isinstance(parameter, griffe.Parameter) else "()"
        yield f"{name}: {breakage.kind.value}"
    if old.returns is not None and union(old.returns).isdisjoint({"Any", "None"}):
        for what in sorted(union(new.returns) - union(old.returns)):
            yield f"() may return {what}"
    parameters = {each.name: each for each in new.parameters}
    for parameter in old.parameters:
        if parameter.name not in parameters and not parameter.kind.value.startswith("variadic"):
            # Also where `**options` would take it, which is for what its type names.
            yield f"({parameter.name}): Parameter was removed"
        before = union(parameter.annotation)
        after = union(getattr(parameters.get(parameter.name), "annotation", None))
        # Where something else came instead, only a reader can say whether it is wider.
        if after and after < before:
            yield f"({parameter.name}): no longer takes {', '.join(sorted(before - after))}"


def union(annotation: Any) -> set[str]:
    """Return the alternatives of an annotation."""
    if isinstance(annotation, griffe.ExprBinOp) and annotation.operator == "|":
        return union(annotation.left) | union(annotation.right)
    return set() if annotation is None else {str(annotation).strip("'\"")}


def packaging(old: Path, new: Path) -> Iterator[str]:
    """Return what can no longer be installed or run."""
    before, after = (
        tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        for root in (old, new)
    )
    for table, what in (("optional-dependencies", "extra"), ("scripts", "command")):
        for name in before.get(table, {}).keys() - after.get(table, {}).keys():
            yield f"the {what} {name} is gone"
    if before["requires-python"] != after["requires-python"]:
        yield f"Python {after['requires-python']} is needed instead of {before['requires-python']}"


def checkout(revision: str, folder: Path) -> None:
    """Write the sources of a revision to a folder."""
    run = subprocess.run(
        ["git", "archive", revision, "--", *FOLDERS, "pyproject.toml"],  # noqa: S607
        cwd=spec.ROOT,
        capture_output=True,
        check=False,
    )
    if run.returncode:
        raise breaking.NoBaseError(f"{revision} has no Python package")
    with tarfile.open(fileobj=io.BytesIO(run.stdout)) as archive:
        archive.extractall(folder, filter="data")
    if not (folder / "src" / PACKAGE / "__init__.py").is_file():
        raise breaking.NoBaseError(f"{revision} has no Python package")


def main() -> int:
    """Run the command line; the result is the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--base", default="", help="tag or commit to compare with")
    arguments = parser.parse_args()
    logging.disable(logging.ERROR)  # of griffe's remarks on docstrings
    with tempfile.TemporaryDirectory() as folder:
        try:
            name = arguments.base or breaking.last_release()
            base = breaking.read_base(name)
        except breaking.NoBaseError as error:
            print(f"Nothing to compare with: {error}.", file=sys.stderr)
            return 2
        try:
            checkout(name, Path(folder))
        except breaking.NoBaseError as error:
            # Also a file, or a commit of before the library: neither has promised anything.
            print(f"No Python API to compare with: {error}.")
            return 0
        found = breaks(Path(folder), spec.ROOT)
    for what in found:
        print(f"breaks Python programs: {what}")
    new = spec.load()
    old, now = breaking.version(base), breaking.version(new)
    changes = f"{len(found) or 'No'} breaking change{'' if len(found) < 2 else 's'}"
    print(f"{changes} of the Python API from {name} to {new['info']['version']}.")
    needed = breaking.next_version(old) if found else old
    if now < needed:
        text = ".".join(map(str, needed))
        print(f"info.version must be {text} or higher for that.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
