"""Make faults in the contract with generic operators, and check which of them are found.

    python -m mutation.document [--sample N] [--seed N]

The operators walk openapi.yaml and change every keyword of every schema, parameter, answer, header,
link, example, security requirement, server and text, one at a time. A fault is judged by the rules
of contract/checks.py in this process; those that survive need a reason in
document_survivors.yaml.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import random
import re
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml
from rich.console import Console
from rich.table import Table

from contract import checks, facts, test_owner_document
from tools import spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tools.spec import Node

SURVIVORS = Path(__file__).with_name("document_survivors.yaml")
# Minimum percentage of faults that must be found.
GOALS = {"structure": 95.0, "text": 80.0}

TEXTS = {"description", "summary", "title", "x-source-note", "url", "identifier"}
_MISSING = object()

Path_ = tuple[Any, ...]


class Mutant(NamedTuple):
    """A fault: its place, the change, its kind, and the new value, if any.

    A value that is missing is taken out; a key that is not there yet is put in.
    """

    where: Path_
    change: str
    kind: str
    value: Any

    def __str__(self) -> str:
        return f"{'/'.join(map(str, self.where))}: {self.change}"

    def apply(self, api: Node) -> Node:
        """Return a copy of a contract with the fault in it."""
        api = copy.deepcopy(api)
        *steps, last = self.where
        parent = api
        for step in steps:
            parent = parent[step]
        before = parent[last] if isinstance(parent, list) else parent.get(last)
        places = [(parent, last)]
        # The text of a parameter stands in its schema as well: one line of the file has both.
        if last == "description" and isinstance(parent, dict) and "in" in parent:
            schema = parent.get("schema", {})
            if schema.get("description") == before:
                places.append((schema, last))
        for container, key in places:
            if self.value is _MISSING:
                del container[key]
            else:
                container[key] = copy.deepcopy(self.value)
        return api


def mutants(api: Node) -> list[Mutant]:
    """Return every fault that the operators make of a contract."""
    found: dict[str, Mutant] = {}
    vocabulary = _Vocabulary(api)
    for path, node in _walk(api, ()):
        for mutant in _of(api, path, node, vocabulary):
            if mutant.value is _MISSING or not _same(mutant.value, _at(api, path, mutant.where)):
                found.setdefault(str(mutant), mutant)
    return list(found.values())


def _same(left: Any, right: Any) -> bool:
    return repr(left) == repr(right)


def _at(api: Node, path: Path_, where: Path_) -> Any:
    node = api
    for step in where:
        if isinstance(node, dict) and step not in node:
            return _MISSING
        node = node[step]
    return node


def _walk(node: Node, path: Path_) -> Iterator[tuple[Path_, Node]]:
    yield path, node
    items: Any = ()
    if isinstance(node, dict):
        items = node.items()
    elif isinstance(node, list):
        items = enumerate(node)
    for key, value in items:
        yield from _walk(value, (*path, key))


class _Vocabulary:
    """The names of a contract that can be confused with one another."""

    def __init__(self, api: Node) -> None:
        operations = spec.operations(api)
        self.operations = list(operations)
        self.fields = sorted(
            {
                name
                for _, node in _walk(api, ())
                if isinstance(node, dict) and isinstance(node.get("properties"), dict)
                for name in node["properties"]
            }
        )
        self.tags = [tag["name"] for tag in api["tags"]]
        text = "\n".join(text for _, text in facts.texts(api))
        self.permissions = sorted(set(re.findall(r"dcs:\w+:\w+", text)))
        self.codes = sorted(set(re.findall(r"DCS\.\d{4}|APIGW\.\d{4}", str(api))))
        self.refs = sorted(
            {
                node["$ref"]
                for _, node in _walk(api, ())
                if isinstance(node, dict) and "$ref" in node
            }
        )
        self.titles = [o.definition["externalDocs"]["description"] for o in operations.values()]


def _next(values: Sequence[str], value: str) -> str:
    return values[(values.index(value) + 1) % len(values)] if value in values else values[0]


# Operators


def _of(api: Node, path: Path_, node: Node, known: _Vocabulary) -> Iterator[Mutant]:
    if not path:
        return
    key = path[-1]
    if isinstance(node, str) and key in TEXTS and not _in_example(path):
        yield from _texts(path, node, known)
    elif isinstance(node, (str, int, float, bool)) or node is None:
        yield from _scalars(path, node, known)
    elif isinstance(node, list):
        yield from _lists(path, node)
    else:
        yield from _objects(api, path, node)
    if not isinstance(path[-1], int) and key not in TEXTS:
        yield Mutant(path, "is gone", "structure", _MISSING)
    elif key in TEXTS and not _in_example(path):
        yield Mutant(path, "is gone", "text", _MISSING)


def _in_example(path: Path_) -> bool:
    return "value" in path or any(
        step == "examples" and position + 1 < len(path) and isinstance(path[position + 1], int)
        for position, step in enumerate(path)
    )


_TURNS = (
    (r"\bnot\b ?", ""), (r"\bno\b", "every"), (r"\bnever\b", "always"), (r"\bonly\b ?", ""),
    (r"\ball\b", "some"), (r"\bevery\b", "no"), (r"\btrue\b", "false"), (r"\bfalse\b", "true"),
    (r"\bTrue\b", "False"), (r"\bfirst\b", "last"), (r"\blast\b", "first"), (r"\bone\b", "each"),
    (r"\bmay be\b", "is"), (r"\bmay\b", "must"), (r"\bmust\b", "may"),
    (r"\bWithout\b", "With"), (r"\bwithout\b", "with"), (r"\bwith\b", "without"),
    (r"\bMaximum\b", "Minimum"), (r"\bbelow\b", "above"), (r"\blater\b", "earlier"),
    (r"\bnode\b", "instance"), (r"\binstance\b", "node"), (r"\bproxy\b", "data"),
    (r"\bdata\b", "proxy"), (r"\bsession\b", "node"), (r"\bsessions\b", "nodes"),
    (r"\bseconds\b", "milliseconds"), (r"\bmilliseconds\b", "seconds"), (r"\bminutes\b", "hours"),
    (r"\bhours\b", "days"), (r"\bbytes\b", "kilobytes"), (r"\bGB\b", "MB"), (r"\bMB\b", "GB"),
    (r"\bis\b", "is not"), (r"\bare\b", "are not"), (r"\bWhether\b", "Whether not"),
    (r"\band\b", "or"), (r"\bor\b", "and"), (r"\bfive\b", "six"), (r"\btwo\b", "three"),
    (r"\bsix\b", "seven"), (r"\bnine\b", "ten"), (r"\bUTC\b", "local time"),
    (r"\bpage\b", "whole list"), (r"\bread\b", "write"), (r"\bchannels\b", "patterns"),
    (r"\bpatterns\b", "channels"), (r"\bquery\b", "output"), (r"\boutput\b", "query"),
    (r"\bhttps:", "http:"), (r"\bintl/en-us\b", "intl/zh-cn"), (r"\.html\b", ".htm"),
    (r"huaweicloud", "huaweicloud2"), (r"\bsigned\b", "unsigned"), (r"\bdefault\b", "example"),
)  # fmt: skip


def _texts(path: Path_, text: str, known: _Vocabulary) -> Iterator[Mutant]:
    def changed(start: int, end: int, new: str, what: str) -> Mutant:
        return Mutant(path, what, "text", text[:start] + new + text[end:])

    for found in re.finditer(r"\d+", text):
        for step in (1, -1):
            new = str(max(int(found[0]) + step, 0)).zfill(len(found[0]))
            yield changed(*found.span(), new, f"{found[0]} at {found.start()} is {new}")
    for pattern, new in _TURNS:
        for found in re.finditer(pattern, text):
            yield changed(*found.span(), new, f"{found[0]!r} at {found.start()} is {new!r}")
    for pattern, names in (
        (r"\b(?:List|Show|Scan|HangUp)[A-Z]\w+", known.operations),
        (r"(?<=`)[a-z_]+(?=`)", known.fields),
        (r"dcs:\w+:\w+", known.permissions),
        (r"(?:DCS|APIGW)\.\d{4}", known.codes),
    ):
        for found in re.finditer(pattern, text):
            new = _next(names, found[0])
            yield changed(*found.span(), new, f"{found[0]} at {found.start()} is {new}")
    parts = facts.sentences(text)
    for part in parts if len(parts) > 1 else ():
        yield Mutant(path, f"without {part[:40]!r}", "text", text.replace(part, "").strip())
    if text in known.titles:
        yield Mutant(path, "title of another", "text", _next(known.titles, text))
    yield Mutant(path, "a fact more", "text", f"{text} It is deprecated.")


_WORDS = {
    "type": ["string", "integer", "number", "boolean", "array", "object"],
    "format": ["int32", "int64", "uuid", "date-time"],
    "in": ["query", "header", "path", "cookie"],
}


def _scalars(path: Path_, value: Any, known: _Vocabulary) -> Iterator[Mutant]:
    key, where = path[-1], "structure"
    if isinstance(value, bool):
        yield Mutant(path, f"{value} is {not value}", where, not value)
        yield Mutant(path, "a string", where, str(value).lower())
    elif isinstance(value, (int, float)):
        for number in (value + 1, value - 1, value * 10):
            yield Mutant(path, f"{value} is {number}", where, number)
        yield Mutant(path, "a string", where, str(value))
    elif value is None:
        yield Mutant(path, "null is text", where, "null")
    elif key == "$ref":
        folder = value.rpartition("/")[0]
        same = [ref for ref in known.refs if ref.rpartition("/")[0] == folder]
        for new in [ref for ref in same if ref != value][:4]:
            yield Mutant(path, f"refers to {new}", where, new)
    elif key == "operationId":
        yield Mutant(path, "another operation", where, _next(known.operations, value))
        yield Mutant(path, "renamed", where, f"{value}2")
    elif key in _WORDS and value in _WORDS[key] and not _in_example(path):
        for new in _WORDS[key]:
            if new != value:
                yield Mutant(path, f"{value} is {new}", where, new)
    elif value in known.tags and "tags" in path:
        yield Mutant(path, "another tag", where, _next(known.tags, value))
    elif value.startswith("$"):
        for new in (
            value.replace("request", "response", 1) if "body" in value else f"{value}_2",
            re.sub(r"/(\d+)/", lambda m: f"/{int(m[1]) + 1}/", value),
            re.sub(r"\w+$", lambda m: _next(known.fields, m[0]), value),
            "$request.path.instance_id",
            "$request.path.project_id",
        ):
            yield Mutant(path, f"is {new}", where, new)
    else:
        yield Mutant(path, "another word", where, f"{value}x")
        if any(c.isdigit() for c in value):
            last = max(i for i, c in enumerate(value) if c.isdigit())
            new = value[:last] + str((int(value[last]) + 1) % 10) + value[last + 1 :]
            yield Mutant(path, f"{value[:20]} is {new[:20]}", where, new)
            yield Mutant(path, "a digit less", where, value[:last] + value[last + 1 :])
        if value.lower() != value:
            yield Mutant(path, "in small letters", where, value.lower())
        for names in (known.codes, known.permissions):
            for name in names:
                if name in value:
                    new = value.replace(name, _next(names, name))
                    yield Mutant(path, f"{name} is {_next(names, name)}", where, new)


def _lists(path: Path_, items: list[Any]) -> Iterator[Mutant]:
    for position, item in enumerate(items):
        label = item if isinstance(item, str) else position
        rest = items[:position] + items[position + 1 :]
        yield Mutant(path, f"without {label}", "structure", rest)
    if items and path[-1] != "parameters":
        more = f"{items[0]}2" if isinstance(items[0], str) else copy.deepcopy(items[0])
        yield Mutant(path, f"{items[0]!r} more"[:60], "structure", [*items, more])
    if path[-1] in ("tags", "enum", "servers", "security", "parameters"):
        yield Mutant(path, "in another order", "structure", items[::-1])


def _objects(api: Node, path: Path_, node: dict[str, Any]) -> Iterator[Mutant]:
    def more(key: str, value: Any, *, inside: Path_ = ()) -> Mutant:
        what = f"{key}: {value}"[:60]
        return Mutant((*path, *inside, key), what, "structure", value)

    if _in_example(path):
        yield more("added", 1)
        return
    if "responses" in node and "operationId" in node:
        yield more("deprecated", True)
        yield more("security", [])
        yield more("security", [{"token": []}])
        for status in ("201", "202", "409", "503", "default"):
            yield more(status, {"description": "Another."}, inside=("responses",))
        yield Mutant(
            (*path, "parameters"),
            "a header more",
            "structure",
            [
                *node["parameters"],
                {"name": "X-Project-Id", "in": "header", "required": True, "description": "ID.",
                 "schema": {"type": "string", "description": "ID."}},
            ],
        )  # fmt: skip
    elif "in" in node and "schema" in node:
        yield more("deprecated", True)
        yield more("allowEmptyValue", True)
        yield more("style", "form")
        yield more("explode", False)
        if "required" not in node:
            yield more("required", True)
    elif path[-1] in ("schema", "items") or path[-2:-1] in (("properties",), ("schemas",)):
        yield from _schema(path, node, more)
    elif path[-1] == "headers" or path[-2:-1] == ("headers",):
        yield more("deprecated", True)
    elif path[-1] == "links":
        name, link = next(iter(node.items()))
        yield Mutant((*path, f"{name}2"), "a link more", "structure", link)
    elif path[-1] == "parameters" and "links" in path:
        yield more("query.limit", "$request.query.limit")
    # Neighbours are swapped.
    if path[-1] in ("properties", "responses", "links", "parameters", "examples"):
        names = list(node)
        for left, right in itertools.pairwise(names):
            swapped = {**node, left: node[right], right: node[left]}
            if not _same(node[left], node[right]):
                yield Mutant(path, f"{left} and {right} swapped", "structure", swapped)
        for name in names:
            renamed = {(f"{k}_2" if k == name else k): v for k, v in node.items()}
            yield Mutant(path, f"{name} renamed", "structure", renamed)


def _schema(path: Path_, node: dict[str, Any], more: Callable[..., Mutant]) -> Iterator[Mutant]:
    if "$ref" in node:
        yield more("description", "Another.")
        return
    kind = node.get("type")
    yield more("deprecated", True)
    yield more("readOnly", True)
    yield more("writeOnly", True)
    if kind == "object":
        yield more("additionalProperties", False)
        yield more("minProperties", 1)
        yield more("extra", {"type": "string", "description": "More."}, inside=("properties",))
        for name in node.get("properties", {}):
            if name not in node.get("required", []):
                yield Mutant(
                    (*path, "required"),
                    f"{name} required",
                    "structure",
                    [*node.get("required", []), name],
                )
        return
    yield more("enum", node.get("examples") or [True])
    if "default" not in node:
        yield more("default", (node.get("examples") or [True])[0])
    if isinstance(kind, str):
        yield Mutant((*path, "type"), "or null", "structure", [kind, "null"])
    for key, value in _LIMITS.get(kind if isinstance(kind, str) else "", {}).items():
        if key not in node:
            yield more(key, value)


_LIMITS: dict[str, dict[str, Any]] = {
    "string": {"minLength": 1, "maxLength": 1024, "pattern": "^.+$", "format": "uuid"},
    "integer": {"minimum": -1, "maximum": 2**31 - 1, "multipleOf": 1},
    "array": {"minItems": 0, "maxItems": 100, "uniqueItems": True},
}


# Judging


def judges() -> list[tuple[str, Callable[[Node], None]]]:
    """Return the rules that judge a contract, fastest first."""

    def owner_document(api: Node) -> None:
        for fact in test_owner_document.FACTS:
            test_owner_document.states(api, fact)

    named = [(rule.__name__, rule) for rule in checks.ALL]
    # Slow, and seldom the only one.
    named.sort(key=lambda each: each[0] == "is_valid_openapi")
    return [*named, ("owner_document", owner_document)]


def judge(api: Node) -> str | None:
    """Return the first rule that finds a fault, or None."""
    for name, rule in judges():
        try:
            rule(api)
        except Exception:  # noqa: BLE001 - a test that ends in any error has failed
            return name
    return None


def survivors() -> dict[str, str]:
    """Return the faults that may survive, each with its reason."""
    rows = yaml.safe_load(SURVIVORS.read_text(encoding="utf-8"))
    return {row["fault"]: row["reason"] for row in rows}


class Verdict(NamedTuple):
    """The number of faults found, by kind, and the faults that survive."""

    found: Counter[str]
    made: Counter[str]
    by: Counter[str]
    alive: list[str]

    def amiss(self, *, whole: bool) -> list[str]:
        """Return the problems to fix."""
        reasons = survivors()
        amiss = [f"survives: {name}" for name in self.alive if name not in reasons]
        if whole:
            amiss += [f"does not survive: {name}" for name in reasons.keys() - set(self.alive)]
            for kind, goal in GOALS.items():
                share = 100 * self.found[kind] / self.made[kind]
                if share < goal:
                    amiss.append(f"{kind}: {share:.1f} % found, {goal} % wanted")
        return amiss


def run(faults: Sequence[Mutant]) -> Verdict:
    """Judge faults, one after the other."""
    verdict = Verdict(Counter(), Counter(), Counter(), [])
    api = spec.load()
    for fault in faults:
        verdict.made[fault.kind] += 1
        rule = judge(fault.apply(api))
        if rule is None:
            verdict.alive.append(str(fault))
        else:
            verdict.found[fault.kind] += 1
            verdict.by[rule] += 1
    return verdict


def sample(size: int, seed: int) -> list[Mutant]:
    """Return a sample of the faults, determined by the seed."""
    everything = mutants(spec.load())
    return random.Random(seed).sample(everything, min(size, len(everything)))


def main() -> int:
    """Run the command line; the result is the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sample", type=int, default=0, help="judge at most N of the faults")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    arguments = parser.parse_args()
    if (rule := judge(spec.load())) is not None:
        print(f"Without any fault, {rule} fails already.", file=sys.stderr)
        return 2
    start = time.monotonic()
    size = arguments.sample or sys.maxsize
    faults = sample(size, arguments.seed)
    verdict = run(faults)
    table = Table("rule", "faults", title="Found by (the first rule)")
    for rule, count in verdict.by.most_common():
        table.add_row(rule, str(count))
    Console(width=100).print(table)
    for kind, made in verdict.made.items():
        found = verdict.found[kind]
        print(f"{kind}: {found} of {made} found, {100 * found / made:.1f} %")
    seconds = time.monotonic() - start
    print(f"{len(faults) / seconds * 60:.0f} faults a minute, {len(verdict.alive)} survive.")
    amiss = verdict.amiss(whole=not arguments.sample)
    print(*amiss, sep="\n")
    return 1 if amiss else 0


if __name__ == "__main__":
    sys.exit(main())
