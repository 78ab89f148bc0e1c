"""`dcs-sessions job`."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import click

from dcs_sessions._cli import _console, _failures
from dcs_sessions._cli._connection import command
from dcs_sessions._cli._output import format_option, print_rows
from dcs_sessions._cli._records import JOB_COLUMNS, job_row, print_raw, raw_option
from dcs_sessions._errors import JobFailedError

if TYPE_CHECKING:
    from dcs_sessions._cli._connection import Connection


@command("job")
@click.argument("job_id", metavar="JOB")
@click.option("--wait", is_flag=True, help="Wait until the job has ended.")
@format_option()
@raw_option
def job(connection: Connection, job_id: str, form: str, *, wait: bool, raw: bool) -> None:
    """Show the state of a JOB: ShowJobInfo.

    The exit code is 1 if the job failed.

    \b
    Example:
      dcs-sessions job --wait 8abf6e1e824e204401824e3e621b0042
    """  # noqa: D301 - click wants the character
    with connection.client() as client:
        if wait:
            # A failed job is printed like any other.
            with _console.progress(f"Waiting for job {job_id}"), suppress(JobFailedError):
                client.wait_for_job(job_id, timeout=connection.wait_seconds)
        found = print_raw(lambda: client.raw.get_job(job_id)) if raw else client.get_job(job_id)
    if not raw:
        print_rows([job_row(found)], form, JOB_COLUMNS)
    if found.status == "FAIL":
        raise click.exceptions.Exit(_failures.REFUSED)
