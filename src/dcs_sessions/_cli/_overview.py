"""The overview of all commands. It imports nothing, so that it is shown at once."""

from __future__ import annotations

# Section -> command -> module, and summary.
SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "Look": {
        "instances": ("instances:instances", "List the instances of the project."),
        "query": ("query:query", "List the sessions of an instance."),
        "summary": ("summary:summary", "Count sessions by host, user, name, and so on."),
    },
    "End": {
        "kill": ("kill:kill", "End sessions, by address or by the filters of query."),
        "kill-all": ("kill_all:kill_all", "End every session of a node or an instance."),
    },
    "Single operations of the API": {
        "nodes": ("nodes:nodes", "List the nodes of an instance."),
        "scan": ("scan:scan", "Start a query of a node's sessions."),
        "list": ("list:list_", "Read one page of a node's saved list."),
        "job": ("job:job", "Show a job, or wait for it."),
    },
    "Set up": {
        "help": ("help:help_", "Show the help of a command."),
        "version": ("help:version", "Show the version."),
        "check": ("check:check", "Check the connection and the credentials."),
        "completion": ("completion:completion", "Print the completion script of a shell."),
        "emulator": ("emulator:emulator", "Run a local DCS on a real Valkey."),
        "spec": ("spec:spec", "Print the OpenAPI document of this version."),
    },
}
COMMANDS = {name: place for found in SECTIONS.values() for name, (place, _) in found.items()}

_HEAD = """\
Usage: dcs-sessions COMMAND ...

See and end the client sessions of a managed Redis on Huawei Cloud DCS.
"""
_TAIL = """\
Options, which every command has as well:
  -q, --quiet   Print only errors on stderr.
  --debug       Show requests, and the traceback of an error, on stderr.
  --version     Show the version.
  -h, --help    Show this overview, or the help of a command.

INSTANCE is an ID or an exact name; the default is DCS_SESSIONS_INSTANCE.

Exit codes:
  0 done              3 not authorised     6 partly done: some nodes or
  1 refused, failed   4 not found            sessions failed
  2 usage error       5 timed out          130 interrupted

Example:
  dcs-sessions query --region cn-north-4 checkout-prod --min-idle 1h"""


def overview() -> str:
    """Return the text of `--help`."""
    lines = [_HEAD]
    for section, commands in SECTIONS.items():
        lines.append(f"{section}:")
        lines += [f"  {name:<12}  {what}" for name, (_, what) in commands.items()]
        lines.append("")
    return "\n".join([*lines, _TAIL])


def version() -> str:
    """Return the text of `--version`."""
    from dcs_sessions import _contract

    return f"dcs-sessions, version {_contract.version()}"
