"""Add the addresses of the project, and a README that an index can show, to the metadata.

hatchling runs it, also for a wheel that is built from the sdist, so it imports nothing of the
project.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

README = "README.md"
# Fenced and inline code.
CODE = re.compile(r"(^ *(?:`{3}|~{3}).*?^ *(?:`{3}|~{3}) *$|`[^`\n]+`)", re.MULTILINE | re.DOTALL)
# A link or an image, the definition of one below, and those in HTML.
TARGET = re.compile(
    r"""(?P<before>\]\(\s*<?|^ {0,3}\[[^\]\n]+\]:\s*<?|\b(?:href|src|srcset)=["'])"""
    r"""(?P<target>[^)\s>"']+)""",
    re.MULTILINE,
)
ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")
SHOWN = re.compile(r"\.(?:png|svg|gif|jpe?g|webp|avif)$", re.IGNORECASE)


class MetadataHook(MetadataHookInterface):
    """Fills in what `dynamic` of pyproject.toml names."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the addresses and the README."""
        root = Path(self.root)
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
        source, documentation = addresses(project)
        text = (root / README).read_text(encoding="utf-8")
        if source:
            text = absolute(text, source, metadata["version"])
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        metadata["urls"] = urls(source, documentation, metadata["version"])


def addresses(project: dict[str, Any]) -> tuple[str, str]:
    """Return the addresses of the source and the documentation, empty by default."""
    table = project["tool"]["dcs-sessions"]
    return table["source"].rstrip("/"), table["documentation"].rstrip("/")


def urls(source: str, documentation: str, version: str) -> dict[str, str]:
    """Return the links that an index shows."""
    found = {"Documentation": documentation} if documentation else {}
    if source:
        changelog = f"{source}/blob/v{version}/CHANGELOG.md"
        found |= {"Source": source, "Issues": f"{source}/issues", "Changelog": changelog}
    return found


def absolute(text: str, source: str, version: str) -> str:
    """Return a README whose links lead to the files of its version, wherever it is shown."""

    def follow(link: re.Match[str]) -> str:
        target = link["target"]
        if ABSOLUTE.match(target):
            return link[0]
        path, mark, fragment = target.removeprefix("./").partition("#")
        view = "raw" if SHOWN.search(path) else "blob"
        return f"{link['before']}{source}/{view}/v{version}/{path or README}{mark}{fragment}"

    # Every second part is code, in which nothing is a link.
    parts = CODE.split(text)
    return "".join(part if at % 2 else TARGET.sub(follow, part) for at, part in enumerate(parts))
