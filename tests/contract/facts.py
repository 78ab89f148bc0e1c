"""Facts that the contract states, from facts.yaml beside this file, and its text, split into them.

`make facts` brings the rows of facts.yaml in line with the text: it adds sentences that are new,
with the source still to be named, and drops those that are gone. The tests fail until each sentence
has a source.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml

from tools import spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.spec import Node

SOURCE = Path(__file__).with_name("facts.yaml")
TODO = "to be named"

# The texts that people read: descriptions, titles and addresses, but not the values of examples.
_TEXTS = {"description", "summary", "title", "url", "identifier", "x-source-note"}
_CODE = re.compile(r"\bDCS\.\d{4}\b|\bAPIGW\.\d{4}\b|\b111\d{6}\b")

Row: TypeAlias = dict[str, str]


def facts() -> Any:
    """Read the tables of facts.yaml."""
    return yaml.load(SOURCE.read_text(encoding="utf-8"), spec.Loader)


def texts(api: Node) -> Iterator[tuple[str, str]]:
    """Yield every text of a contract, with its place in facts.yaml.

    Texts that must be equal (`checks.texts_stand_once`) count once.
    """
    for place, text in _texts(api, "", api):
        if not re.search(
            r"parameters\.\w+\.schema\.description$", place
        ) and not _is_listed_as_well(api, place):
            yield place, text


def _texts(api: Node, place: str, node: Node) -> Iterator[tuple[str, str]]:
    if isinstance(node, list):
        for position, item in enumerate(node):
            name = item.get("name", position) if isinstance(item, dict) else position
            yield from _texts(api, f"{place}.{name}", item)
    elif isinstance(node, dict):
        named = place.rpartition(".")[2] == "properties"
        for key, value in node.items():
            inner = f"{place}.{key}".removeprefix(".").removeprefix("components.")
            if isinstance(value, dict) and "operationId" in value and "responses" in value:
                inner = value["operationId"]
            if isinstance(value, str) and not named:
                if key in _TEXTS or (key == "name" and place in ("info.contact", "info.license")):
                    yield inner, value
            elif named or not _is_example(key, value):
                yield from _texts(api, inner, value)


def _is_example(key: str, value: Node) -> bool:
    return key in ("value", "example") or (key == "examples" and isinstance(value, list))


def _is_listed_as_well(api: Node, place: str) -> bool:
    found = re.fullmatch(r"schemas\.Instance\.properties\.(\w+)\..*", place)
    return found is not None and found[1] in spec.at(
        api, "components.schemas.ListedInstance.properties"
    )


def sentences(text: str) -> list[str]:
    """Split a description into its sentences."""
    return [
        " ".join(sentence.split())
        for paragraph in re.split(r"\n\s*\n", text)
        for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z`0-9?])", paragraph)
        if sentence.strip()
    ]


def stated(api: Node) -> dict[str, list[str]]:
    """Return the sentences of a contract by their places."""
    return {place: sentences(text) for place, text in texts(api)}


def codes(text: str) -> set[str]:
    """Return the error codes in a description."""
    return set(_CODE.findall(text))


def update(rows: dict[str, list[Row]], api: Node) -> dict[str, list[Row]]:
    """Return the rows for the current text, with the sources of the rows that existed."""
    known = {row["says"]: row["source"] for place in rows.values() for row in place}
    return {
        place: [{"says": says, "source": known.get(says, TODO)} for says in found]
        for place, found in stated(api).items()
    }


def main() -> None:
    """Bring facts.yaml in line with openapi.yaml."""
    before = SOURCE.read_text(encoding="utf-8")
    head, _, _ = before.partition("\ntext:\n")
    rows = update(facts()["text"], spec.load())
    text = yaml.safe_dump({"text": rows}, sort_keys=False, allow_unicode=True, width=95)
    SOURCE.write_text(f"{head}\n{text}", encoding="utf-8")
    unnamed = sum(row["source"] == TODO for place in rows.values() for row in place)
    print(f"{sum(map(len, rows.values()))} sentences, {unnamed} of them without a source.")


if __name__ == "__main__":
    main()
