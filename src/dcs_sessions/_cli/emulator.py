"""`dcs-sessions emulator`."""

from __future__ import annotations

import ipaddress
import json
import re
import signal
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import attrs
import click

from dcs_sessions._cli._console import Seconds, debug_option

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from dcs_sessions.emulator import Credentials, Emulator, Instance

_CHECK_SECONDS = 0.5


def _rate_limit(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[int, int] | None:
    if value is None:
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,8})", value, re.ASCII)
    if match is None:
        raise click.BadParameter("must be two integers, such as 5/60", ctx, param)
    return int(match[1]), int(match[2])


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8635,
    show_default=True,
    help="Port to listen on; 0 picks a free one.",
)
@click.option(
    "--nodes",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Number of nodes, each an embedded Valkey server.",
)
@click.option(
    "--redis",
    multiple=True,
    metavar="URL",
    envvar="DCS_SESSIONS_EMULATOR_REDIS",
    show_envvar=True,
    help="A Redis (6.2+) or Valkey of your own as a node, instead of embedded ones; may be given "
    "more than once. Put URLs with a password into the environment variable, separated by spaces.",
)
@click.option("--project-id", help="Project of the instances.  [default: a constant]")
@click.option("--instance-id", help="ID of the first instance.  [default: a constant]")
@click.option(
    "--instance-name", help="Name of the first instance.  [default: a constant]", metavar="NAME"
)
@click.option(
    "--type",
    "cache_mode",
    type=click.Choice(["single", "ha", "ha_rw_split", "cluster", "proxy"]),
    help="Type of the first instance.  [default: single with one node, else cluster]",
)
@click.option(
    "--pass-through/--no-pass-through",
    "transparent_client_ip",
    default=True,
    help="Show the addresses of clients as they are, or as internal ones: 198.19.x.x.",
)
@click.option(
    "--instance",
    "instances",
    multiple=True,
    metavar="NAME[,KEY=VALUE]...",
    help="A further instance, such as billing-prod,type=proxy,nodes=2,pass-through=off. Keys: id, "
    "type, nodes, pass-through, status, description. Repeatable.",
)
@click.option(
    "--node-id",
    "node_ids",
    multiple=True,
    help="Id of a node; once for each, in order.  [default: constants]",
)
@click.option(
    "--credentials",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON file with other credentials: token, readonly_token, noaccess_token, expired_token, "
    "other_project_token, ak, sk, temporary_ak, temporary_sk, security_token; those left out keep "
    "their constants.",
)
@click.option(
    "--scan-delay",
    type=Seconds(0, 3600),
    default=0.0,
    metavar="SECONDS",
    help="Minimum duration of a scan in seconds.  [default: 0]",
)
@click.option(
    "--rate-limit",
    metavar="N/SECONDS",
    callback=_rate_limit,
    help="Requests that each caller may make within a number of seconds.  [default: no limit]",
)
@click.option(
    "--key-lock",
    type=Seconds(0, 3600),
    default=0.0,
    metavar="SECONDS",
    help="How long an access key is locked after more than five refused signatures in a row; the "
    "service has 300.  [default: 0]",
)
@click.option(
    "--allowed-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="Host name that requests may be for, besides localhost and loopback addresses, while it "
    "listens on loopback. Repeatable.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="FAULT",
    help="Inject a fault: latency=SECONDS, status=503, truncate (the answer), drop=before "
    "or drop=after (the request is carried out). Add operation=ListClients for one operation, "
    "probability=0.1 for a part of the requests, with commas. Repeatable.",
)
@click.option(
    "--seed",
    type=int,
    help="Seed of the faults with a probability, to repeat a run.",
)
@click.option(
    "--ready-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write addresses, ids and logins to this JSON file once it serves; it is removed in the "
    "end.",
)
@debug_option("Show on stderr what was to be signed, for each refused signature.")
def emulator(
    credentials: Path | None,
    ready_file: Path | None,
    faults: tuple[str, ...],
    instances: tuple[str, ...],
    **options: Any,
) -> None:
    """Run a local DCS on a real Valkey or Redis, until it is interrupted.

    \b
    Examples:
      dcs-sessions emulator --nodes 2 --ready-file ready.json
      dcs-sessions emulator --fault status=503,operation=ListClients,probability=0.2
    """  # noqa: D301 - click wants the character
    try:
        from dcs_sessions.emulator import Emulator, EmulatorError, Fault
    except ModuleNotFoundError as error:
        raise click.ClickException(str(error)) from None

    # From here on, everything that has been started is stopped as well.
    stop = threading.Event()

    def on_signal(*_: object) -> None:
        stop.set()

    # Windows has no SIGHUP, and nohup ignores it.
    signals = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    for number in signals:
        signal.signal(number, on_signal)

    try:
        options["faults"] = [Fault.parse(text) for text in faults]
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--fault") from None
    try:
        options["instances"] = tuple(_instance(text) for text in instances)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--instance") from None
    # Options that are not set keep the defaults of the emulator.
    given = {name: value for name, value in options.items() if value not in (None, ())}
    try:
        # An old ready file could be read as this one's.
        _remove(ready_file)
        with Emulator(**given, credentials=_credentials(credentials)) as dcs:
            if ready_file is not None:
                with _naming(ready_file):
                    dcs.write_ready_file(ready_file)
            _describe(dcs, host=options["host"])
            for text in faults:
                click.echo(f"{'Fault:':<14}{text}")
            if faults:
                click.echo(f"{'Seed:':<14}{dcs.seed}")
            click.echo("Ctrl-C ends it.")
            # A wait without a timeout would block signals.
            while not stop.wait(_CHECK_SECONDS):
                if dcs.wait(0):
                    raise click.ClickException("the server ended by itself")
    except EmulatorError as error:
        names = {
            "node_ids": "node-id",
            "faults": "fault",
            "allowed_hosts": "allowed-host",
            "cache_mode": "type",
            "instances": "instance",
        }
        name = names.get(error.argument, error.argument.replace("_", "-"))
        raise click.ClickException(f"--{name}: {error.reason}") from None
    _remove(ready_file)


# Key of --instance -> argument of an instance, and how it is read.
_KEYS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "id": ("instance_id", str),
    "type": ("cache_mode", str),
    "nodes": ("nodes", int),
    "pass-through": ("transparent_client_ip", {"on": True, "off": False}.__getitem__),
    "status": ("status", str),
    "description": ("description", str),
}


def _instance(text: str) -> Instance:
    """Return the instance that --instance describes.

    Raises:
        ValueError: The value describes no instance; the message says why.
    """
    from dcs_sessions.emulator import Instance

    name, *parts = text.split(",")
    values: dict[str, Any] = {}
    for part in parts:
        key, _, value = part.strip().partition("=")
        if key not in _KEYS:
            raise ValueError(f"{key!r} must be one of {', '.join(_KEYS)}")
        argument, read = _KEYS[key]
        try:
            values[argument] = read(value)
        except (KeyError, ValueError):
            raise ValueError(
                f"{key}: {'on or off' if key == 'pass-through' else 'a number'} is needed"
            ) from None
    return Instance(name=name.strip(), **values)


def _credentials(path: Path | None) -> Credentials:
    from dcs_sessions.emulator import Credentials

    if path is None:
        return Credentials()
    hint = "--credentials"
    try:
        values: Any = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        # The error's own text could quote the file.
        raise click.BadParameter(f"{path}: {type(error).__name__}", param_hint=hint) from None
    known = {field.name for field in attrs.fields(Credentials)}
    if not isinstance(values, dict) or not known.issuperset(cast("dict[str, Any]", values)):
        raise click.BadParameter(
            f"{path}: an object with no other names than {', '.join(sorted(known))} is needed",
            param_hint=hint,
        )
    texts = cast("dict[str, Any]", values)
    if not all(isinstance(value, str) and value for value in texts.values()):
        raise click.BadParameter(f"{path}: all values must be strings", param_hint=hint)
    if path.stat().st_mode & 0o077:
        click.echo(f"Warning: {path} can be read by others: chmod 600 {path}", err=True)
    return Credentials(**texts)


@contextmanager
def _naming(ready_file: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise click.ClickException(f"--ready-file: {ready_file}: {error.strerror}") from None


def _remove(ready_file: Path | None) -> None:
    if ready_file is not None:
        with _naming(ready_file):
            ready_file.unlink(missing_ok=True)


def _describe(dcs: Emulator, *, host: str) -> None:
    from dcs_sessions.emulator import ACCESS_KEY, SECRET_KEY, TOKEN
    from dcs_sessions.emulator._nodes import masked

    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        click.echo(f"Warning: anyone who can reach {host} can end sessions here.", err=True)

    lines = [
        ("Endpoint", dcs.endpoint),
        ("Project", dcs.project_id),
    ]
    for instance in dcs.instances:
        lines.append(("Instance", f"{instance['instance_id']}  {instance['name']}"))
        urls = map(masked, instance["redis_urls"])
        for node_id, url in zip(instance["node_ids"], urls, strict=True):
            lines.append(("Node", f"{node_id}  {url}"))
    # The default credentials are public; others are not printed.
    if dcs.token == TOKEN:
        lines.append(("X-Auth-Token", dcs.token))
    if (dcs.ak, dcs.sk) == (ACCESS_KEY, SECRET_KEY):
        lines.append(("AK, SK", f"{dcs.ak}  {dcs.sk}"))
    for name, value in lines:
        click.echo(f"{name + ':':<14}{value}")
