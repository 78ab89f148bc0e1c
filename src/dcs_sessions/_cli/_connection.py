"""The options that say which service to talk to, the same for every command."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable


F = TypeVar("F", bound="Callable[..., Any]")


def connection_options(command: F) -> F:
    """Add the options, and hand the command a client made of them as its first argument.

    Secrets are not among them: they come from the environment or the credentials file.
    """

    @functools.wraps(command)
    def run(
        *args: Any, endpoint: str | None, region: str | None, project_id: str | None, **rest: Any
    ) -> Any:
        from dcs_sessions import Client

        with Client.from_env(endpoint=endpoint, region=region, project_id=project_id) as client:
            return command(client, *args, **rest)

    options = (
        click.option(
            "--endpoint",
            metavar="URL",
            envvar="DCS_SESSIONS_ENDPOINT",
            show_envvar=True,
            help="Address of the service, if not that of the region.",
        ),
        click.option(
            "--region",
            metavar="ID",
            envvar="DCS_SESSIONS_REGION",
            show_envvar=True,
            help="Region of the instance, such as cn-north-4.",
        ),
        click.option(
            "--project-id",
            metavar="ID",
            envvar="HUAWEICLOUD_SDK_PROJECT_ID",
            show_envvar=True,
            help="Project of the instance. Looked up by the region if it is not given.",
        ),
    )
    for option in reversed(options):
        run = option(run)
    return run  # type: ignore[return-value]  # the same command, without its first argument
