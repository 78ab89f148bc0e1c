"""Options of every command for the service to connect to."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import click

from dcs_sessions._cli import _completion
from dcs_sessions._cli._console import CommonOption, Seconds, output_options
from dcs_sessions._cli._instance import InstanceArgument
from dcs_sessions._defaults import CALL_SECONDS, WAIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dcs_sessions import Auth, Client
    from dcs_sessions._credentials import FoundCredentials

F = TypeVar("F", bound="Callable[..., Any]")


@attrs.frozen
class Connection:
    """The service to connect to, and the credentials to use.

    Attributes:
        endpoint: URL of the service, or None for the region's.
        region: ID of the region, or None.
        project_id: ID of the project, or None.
        ask_token: Whether to prompt for a token.
        ask_password: Whether to prompt for a password.
        ca_bundle: File of CA certificates to trust, or None.
        allow_http: Whether credentials may be sent over plain HTTP.
        timeout: Seconds, or None.
    """

    endpoint: str | None
    region: str | None
    project_id: str | None
    ask_token: bool
    ask_password: bool
    ca_bundle: str | None
    allow_http: bool
    timeout: float | None

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Connection:
        """Return the connection that the parameters of a command describe."""
        values: dict[str, Any] = {name.name: params.get(name.name) for name in attrs.fields(cls)}
        return cls(**values)

    @property
    def wait_seconds(self) -> float:
        """Seconds that a command waits for a job."""
        return self.timeout or WAIT_SECONDS

    def client(self, *, retry: bool = True, found: FoundCredentials | None = None) -> Client:
        """Return a client.

        Args:
            retry: Whether failed calls are retried.
            found: Credentials, if they are known already.
        """
        from dcs_sessions import Client, ConfigurationError, Retry

        if self.endpoint is None and self.region is None:
            raise ConfigurationError("no service: set --region or --endpoint")
        found = found or self.credentials()
        project_id = self.project_id or found.project_id
        if self.region is None and project_id is None:
            raise ConfigurationError("no project: set --project-id, or --region to look it up")
        return Client(
            endpoint=self.endpoint,
            region=self.region,
            project_id=project_id,
            auth=found.auth,
            timeout=min(self.timeout or CALL_SECONDS, CALL_SECONDS),
            retry=Retry() if retry else None,
            verify=self.ca_bundle or True,
            allow_http=self.allow_http,
        )

    def credentials(self) -> FoundCredentials:
        """Return the credentials: from a prompt if asked for, else from where they are found."""
        from dcs_sessions._credentials import FoundCredentials, find_credentials

        if self.ask_token and self.ask_password:
            raise click.UsageError("--ask-token and --ask-password cannot be used together")
        if self.ask_password:
            return FoundCredentials(_asked_password(), "the prompt", None, None)
        if self.ask_token:
            return FoundCredentials(_asked_token(), "the prompt", None, None)
        return find_credentials()


def _asked_token() -> Auth:
    from dcs_sessions import TokenAuth
    from dcs_sessions._cli._masking import remember

    token = click.prompt("Token", hide_input=True, err=True).strip()
    remember(token)
    return TokenAuth(token)


def _asked_password() -> Auth:
    """Prompt for a password, and for the account and user that the environment does not set."""
    from dcs_sessions import PasswordAuth
    from dcs_sessions._cli._masking import remember
    from dcs_sessions._credentials import PASSWORD_VARIABLES, env

    given = [env(name) for name in PASSWORD_VARIABLES[:2]]
    domain, user = (
        value or click.prompt(title, err=True).strip()
        for value, title in zip(given, ("Account", "User"), strict=True)
    )
    password = click.prompt("Password", hide_input=True, err=True)
    remember(password)
    return PasswordAuth(domain, user, password)


class Command(click.Command):
    """A command whose help lists its own options before those of every command.

    INSTANCE may be left out if the environment sets a default.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments. If INSTANCE is missing, insert the default from the environment."""
        default = os.environ.get("DCS_SESSIONS_INSTANCE", "").strip()
        arguments = [param for param in self.params if isinstance(param, click.Argument)]
        if default and arguments and isinstance(arguments[0], InstanceArgument):
            options = [param for param in self.params if not isinstance(param, click.Argument)]
            # A command without arguments leaves all positional values in `args`.
            reader = click.Command(self.name, params=options, add_help_option=False)
            found = reader.make_context(
                "",
                list(args),
                resilient_parsing=True,
                allow_extra_args=True,
                ignore_unknown_options=True,
            ).args
            needed = sum(param.nargs == 1 and param.required for param in arguments)
            # An address is neither a name nor an ID.
            if len(found) < max(needed, 1) or found[0] == "-" or ":" in found[0]:
                args = [default, *args]
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options in two sections: own and common."""
        own: list[tuple[str, str]] = []
        common: list[tuple[str, str]] = []
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):
                is_common = isinstance(param, CommonOption) or "--help" in param.opts
                (common if is_common else own).append(record)
        for title, rows in (("Options", own), ("Options of every command", common)):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def command(name: str) -> Callable[[Callable[..., Any]], Command]:
    """Return a decorator that makes a command of a function taking a `Connection` first."""

    def decorate(function: Callable[..., Any]) -> Command:
        made = connection_options(output_options(function))
        return click.command(name, cls=Command)(made)

    return decorate


def connection_options(function: F) -> F:
    """Add the connection options, passed to the command as a `Connection`.

    No option takes a secret: secrets come from the environment, a credentials file or a prompt.
    """

    @functools.wraps(function)
    def run(*args: Any, **rest: Any) -> Any:
        connection = Connection.of(rest)
        for field in attrs.fields(Connection):
            del rest[field.name]
        return function(connection, *args, **rest)

    for option in reversed(OPTIONS):
        run = option(run)
    return run  # type: ignore[return-value]  # the same command, without its first argument


def _option(*names: str, **settings: Any) -> Callable[[Any], Any]:
    return click.option(*names, cls=CommonOption, **settings)


OPTIONS = (
    _option(
        "--region",
        metavar="ID",
        envvar="DCS_SESSIONS_REGION",
        show_envvar=True,
        shell_complete=_completion.regions,
        help="Region of the instance, such as cn-north-4.",
    ),
    _option(
        "--endpoint",
        metavar="URL",
        envvar="DCS_SESSIONS_ENDPOINT",
        show_envvar=True,
        help="URL of the service, if not the region's.",
    ),
    _option(
        "--project-id",
        metavar="ID",
        envvar="HUAWEICLOUD_SDK_PROJECT_ID",
        show_envvar=True,
        help="Project of the instance. Default: the region's project, looked up.",
    ),
    _option(
        "--ask-token",
        is_flag=True,
        help="Ask for a token. Credentials are taken from DCS_SESSIONS_TOKEN otherwise, or "
        "HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK, or ~/.huaweicloud/credentials, or the server's "
        "agency.",
    ),
    _option(
        "--ask-password",
        is_flag=True,
        help="Ask for the password of an IAM user, and for the account and the user unless "
        "DCS_SESSIONS_DOMAIN and DCS_SESSIONS_USER name them.",
    ),
    _option(
        "--ca-bundle",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False),
        help="Authorities to trust, instead of the usual ones.",
    ),
    _option(
        "--allow-http",
        is_flag=True,
        help="Let credentials go over plain HTTP to another machine.",
    ),
    _option(
        "--timeout",
        metavar="SECONDS",
        type=Seconds(0, 86400, min_open=True),
        help=f"How long to wait for the service.  [default: {CALL_SECONDS:g} for a call, "
        f"{WAIT_SECONDS:g} for a job]",
    ),
)
