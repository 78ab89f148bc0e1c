"""`dcs-sessions spec`."""

from __future__ import annotations

import sys

import click

from dcs_sessions._cli._connection import Command
from dcs_sessions._cli._console import output_options, reader_may_leave
from dcs_sessions._contract import contract_json, contract_text


@click.command("spec", cls=Command)
@click.option(
    "--format",
    "form",
    type=click.Choice(["yaml", "json"]),
    default="yaml",
    show_default=True,
    help="YAML with comments, or JSON.",
)
@output_options
def spec(form: str) -> None:
    """Print the OpenAPI document that this version was made from.

    \b
    Example:
      dcs-sessions spec --format json > openapi.json
    """  # noqa: D301 - click wants the character
    text = contract_json() if form == "json" else contract_text()
    with reader_may_leave():
        sys.stdout.write(text)
