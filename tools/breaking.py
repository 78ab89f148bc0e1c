"""Compare openapi.yaml with the last release, and check that its version allows the breaks.

The last release is the last tag `v*`, not counting one of the commit itself; before the first, it
is the commit that brought the first operation. Most of the comparison is Redocly's. It overlooks
changes of defaults, of the names of path parameters, of types and of servers, of the order of
arguments, and fields that requests lose, so those are looked for here. The changes that must be
found are in tests/mutation/contract_faults.yaml.
"""

from __future__ import annotations

import argparse
import html
import itertools
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tools import spec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tools.spec import Node

REDOCLY = spec.ROOT / "tools" / "node_modules" / ".bin" / "redocly"
CONFIG = spec.ROOT / "tools" / "redocly.yaml"
ALL = "all operations"


class NoBaseError(Exception):
    """The description to compare with cannot be read."""


class Break(NamedTuple):
    """A break: of the callers of an operation, or of the readers of its responses."""

    what: str
    who: str
    operation: str


def breaks(base: Node, new: Node) -> list[Break]:
    """Return the breaks between two versions of the contract."""
    return sorted({*redocly(*differing(flat(base), flat(new))), *others(base, new)})


def others(base: Node, new: Node) -> list[Break]:
    """Return the breaks that `redocly diff` does not find."""
    named = [*renamed(base, new), *reordered(base, new)]
    return [*named, *overlooked(flat(base), flat(new))]


def renamed(base: Node, new: Node) -> Iterator[Break]:
    """Yield the generated types that were removed, which a comparison of messages does not see."""
    schemas = base.get("components", {}).get("schemas", {})
    sent = {
        name
        for operation in base["paths"].values()
        for method in operation.values()
        if "requestBody" in method
        for name in references(base, method["requestBody"])
    }
    for name in schemas.keys() - new.get("components", {}).get("schemas", {}).keys():
        who = "callers" if name in sent else "readers"
        yield Break(f"The generated type `{name}` is gone.", who, ALL)


def references(api: Node, node: Node) -> Iterator[str]:
    """Return the names of the components that a part refers to, on every level."""
    seen: set[str] = set()
    stack = [node]
    while stack:
        for _, each in spec.walk(stack.pop()):
            target = each.get("$ref") if isinstance(each, dict) else None
            if isinstance(target, str) and target not in seen:
                seen.add(target)
                stack.append(spec.resolve(api, each))
                yield target.rpartition("/")[2]


def reordered(base: Node, new: Node) -> Iterator[Break]:
    """Yield the operations whose arguments have changed their order.

    Most generators for languages without keyword arguments put the parameters of the operation
    before those of its path item.
    """
    after = {place(operation): operation for operation in spec.operations(new).values()}
    for name, old in spec.operations(base).items():
        now = after.get(place(old))
        if now is None:
            continue
        before, then = arguments(base, old), arguments(new, now)
        common = set(before) & set(then)
        before, then = [[a for a in each if a in common] for each in (before, then)]
        if before != then:
            moved = f"`{', '.join(before)}` are now `{', '.join(then)}`"
            yield Break(f"The order of the arguments changed: {moved}.", "callers", name)


def arguments(api: Node, operation: spec.Operation) -> list[str]:
    """Return the names of an operation's parameters in the order of most generators."""
    own = operation.definition.get("parameters", [])
    shared = api["paths"][operation.path].get("parameters", [])
    return [spec.resolve(api, parameter)["name"] for parameter in (*own, *shared)]


def flat(api: Node) -> Node:
    """Return a description without references, to find the operations that a change affects."""

    def follow(node: Node, parents: tuple[int, ...] = ()) -> Node:
        node = spec.resolve(api, node)
        if id(node) in parents:
            return {}  # A schema within itself: what changes in it is seen on the first level.
        parents = (*parents, id(node))
        if isinstance(node, dict):
            return {key: follow(value, parents) for key, value in node.items()}
        if isinstance(node, list):
            return [follow(item, parents) for item in node]
        return node

    paths: Node = {}
    for operation in spec.operations(api).values():
        own = {**operation.definition, "parameters": operation.parameters}
        paths.setdefault(operation.path, {})[operation.method] = follow(own)
    schemes = {"securitySchemes": api.get("components", {}).get("securitySchemes", {})}
    return {**api, "paths": paths, "components": schemes}


def redocly(base: Node, new: Node) -> Iterator[Break]:
    """Return the breaks that `redocly diff` finds between descriptions without references."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("base.json", "new.json")]
        for file, api in zip(files, (base, new), strict=True):
            file.write_text(json.dumps(api), encoding="utf-8")
        run = subprocess.run(
            [REDOCLY, "diff", *files, f"--config={CONFIG}", "--format=json", "--fail-on=none"],
            capture_output=True,
            text=True,
            check=False,
        )
    if run.returncode:
        raise RuntimeError(run.stderr)
    for change in json.loads(run.stdout)["changes"]:
        for verdict in change["verdicts"]:
            if verdict["impact"] == "major":
                yield from located(base, new, change, verdict["message"])


def differing(base: Node, new: Node) -> tuple[Node, Node]:
    """Return both descriptions without the operations that are the same, to compare them faster."""

    def without(api: Node, other: Node) -> Node:
        paths: Node = {}
        for path, item in api["paths"].items():
            same = other["paths"].get(path, {})
            found = {method: each for method, each in item.items() if each != same.get(method)}
            if found:
                paths[path] = found
        return {**api, "paths": paths}

    return without(base, new), without(new, base)


def located(base: Node, new: Node, change: Node, message: str) -> Iterator[Break]:
    """Return whom a change found by Redocly breaks, and its place in the operation."""
    top, *steps = (s.replace("~1", "/").replace("~0", "~") for s in change["path"].split("/")[1:])
    if top != "paths" or not steps:
        yield Break(message, "callers", ALL)
        return
    path, method, *place = [*steps, None] if len(steps) == 1 else steps
    who = "callers"
    if place[:1] == ["parameters"] and len(place) > 1:
        side = base if change["kind"] == "removed" else new
        place[1] = side["paths"][path][method]["parameters"][int(place[1])]["name"]
    elif place[:1] == ["responses"]:
        who = "readers"
        # The status is left out, so that a change of all errors is reported once.
        del place[:2]
    what = f"{message} ({' '.join(place)})" if place else message
    operations = {**new["paths"].get(path, {}), **base["paths"].get(path, {})}
    for each in [method] if method else operations:
        yield Break(what, who, operations[each]["operationId"])


def overlooked(base: Node, new: Node) -> Iterator[Break]:
    """Yield the breaks that `redocly diff` overlooks."""
    after = {place(operation): operation for operation in spec.operations(new).values()}
    for name, old in spec.operations(base).items():
        now = after.get(place(old))
        if now is None:
            continue
        if old.path != now.path:
            yield Break(
                f"Arguments of the generated function changed: {old.path} is now {now.path}.",
                "callers",
                name,
            )
        inputs = dict(requests(now))
        for where, schema in requests(old):
            if where not in inputs:
                # Redocly sees a parameter that is gone, but no field that is.
                if where.startswith("body"):
                    yield Break(f"`{where}` is gone.", "callers", name)
            elif "default" in schema and inputs[where].get("default") != schema["default"]:
                yield Break(
                    f"Default of `{where}` changed from `{schema['default']}` "
                    f"to `{inputs[where].get('default', 'none')}`.",
                    "callers",
                    name,
                )
    for server in set(servers(base)) - set(servers(new)):
        yield Break(f"Server `{server}` is gone.", "callers", ALL)


def place(operation: spec.Operation) -> tuple[str, str]:
    """Return the method and path of an operation, without the names of its path parameters."""
    return operation.method, re.sub(r"{\w+}", "{}", operation.path)


def requests(operation: spec.Operation) -> Iterator[tuple[str, Node]]:
    """Return the parts of a request by name, with their schemas."""
    for parameter in operation.parameters:
        yield f"{parameter['in']} {parameter['name']}", parameter["schema"]
    for media in operation.definition.get("requestBody", {}).get("content", {}).values():
        yield from fields("body", media["schema"])


def fields(where: str, schema: Node) -> Iterator[tuple[str, Node]]:
    """Yield a schema and all schemas in it."""
    yield where, schema
    for name, field in schema.get("properties", {}).items():
        yield from fields(f"{where}.{name}", field)
    if "items" in schema:
        yield from fields(f"{where}[]", schema["items"])


def servers(api: Node) -> Iterator[str]:
    """Return the addresses of the servers, for each listed value of a variable."""
    for server in api["servers"]:
        yield server["url"]
        for name, variable in server.get("variables", {}).items():
            for value in variable.get("enum", ()):
                yield server["url"].replace(f"{{{name}}}", value)


def git(*arguments: str) -> str | None:
    """Return the output of git, or None if it fails."""
    try:
        run = subprocess.run(
            ["git", *arguments],  # noqa: S607
            cwd=spec.ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return None
    return run.stdout.strip() if run.returncode == 0 else None


def last_release() -> str:
    """Return the revision of the last release, or of the first description."""
    here = git("describe", "--tags", "--exact-match", "--match=v[0-9]*")
    tag = git("describe", "--tags", "--abbrev=0", "--match=v[0-9]*", "HEAD^" if here else "HEAD")
    if tag:
        return tag
    if git("rev-parse", "--is-shallow-repository") == "true":
        raise NoBaseError(
            "this clone has no tag v* and not the whole history (git fetch --unshallow)"
        )
    brought = ("log", "--format=%h", "-SoperationId: ScanClients", "--", spec.SPEC.name)
    first = (git(*brought) or "").split()
    if not first:
        raise NoBaseError("this is no clone that has a tag v* or the history of openapi.yaml")
    return first[-1]


def read_base(base: str) -> Node:
    """Return the description in a file, or in a revision."""
    if Path(base).is_file():
        return spec.load(Path(base))
    text = git("show", f"{base}:{spec.SPEC.name}")
    if text is None:
        raise NoBaseError(f"{base} is no file, and no revision that has {spec.SPEC.name}")
    return spec.parse(text)


def version(api: Node) -> tuple[int, ...]:
    """Return the numbers of a version, without a suffix."""
    return tuple(int(number) for number in re.findall(r"\d+", api["info"]["version"])[:3])


def next_version(old: tuple[int, ...]) -> tuple[int, ...]:
    """Return the next version that may break things: the next major, or minor below 1.0."""
    return (old[0] + 1, 0, 0) if old[0] else (0, old[1] + 1, 0)


def main() -> int:
    """Run the command line; the result is the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--base", default="", help="tag, commit or file to compare with")
    parser.add_argument("--spec", type=Path, default=spec.SPEC, help="description to judge")
    parser.add_argument("--summary", type=Path, help="file to add it to in Markdown, for a comment")
    arguments = parser.parse_args()
    new = spec.load(arguments.spec)
    try:
        name = arguments.base or last_release()
        base = read_base(name)
    except NoBaseError as error:
        print(f"Nothing to compare with: {error}.", file=sys.stderr)
        print("Name a base: make breaking BASE=<tag, commit or file>", file=sys.stderr)
        return 2
    found = breaks(base, new)
    # The breaks are in order, so that those of one kind stand together.
    groups = [
        (what, who, ", ".join(each.operation for each in group))
        for (what, who), group in itertools.groupby(found, key=lambda each: (each.what, each.who))
    ]
    for what, who, operations in groups:
        print(f"breaks {who} of {operations}: {what}")
    old, now = version(base), version(new)
    changes = f"{len(found) or 'No'} breaking change{'' if len(found) < 2 else 's'}"
    versions = base["info"]["version"], new["info"]["version"]
    print(f"{changes} from {name} ({versions[0]}) to {versions[1]}.")
    needed = next_version(old) if found else old
    verdict = ""
    if now < needed:
        verdict = f"info.version must be {'.'.join(map(str, needed))} or higher for that."
        print(verdict, file=sys.stderr)
    if arguments.summary:
        with arguments.summary.open("a", encoding="utf-8") as file:
            file.write(markdown(f"{changes} from {versions[0]} to {versions[1]}", groups, verdict))
    return 1 if verdict else 0


def markdown(title: str, groups: Iterable[tuple[str, str, str]], verdict: str) -> str:
    """Return the breaks as Markdown, for a comment."""
    lines = [f"### {title}", ""]
    # Descriptions are other people's text, in which a bar would end a cell.
    rows = [
        "| " + " | ".join(html.escape(cell).replace("|", "&#124;") for cell in row) + " |"
        for row in groups
    ]
    if rows:
        lines += ["| what | breaks | of |", "|---|---|---|", *rows, ""]
    if verdict:
        lines += [f"**{verdict}**", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
