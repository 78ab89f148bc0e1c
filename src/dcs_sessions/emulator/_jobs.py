"""Jobs that continue after the response to their request."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from typing import TYPE_CHECKING

import attrs

from dcs_sessions.emulator._nodes import NodeError

if TYPE_CHECKING:
    from collections.abc import Coroutine

_log = logging.getLogger(__name__)

# The oldest are removed, so that memory does not grow.
REMEMBERED = 4096


def _now() -> str:
    return str(time.time_ns() // 1_000_000)


@attrs.define
class Job:
    """A job as in ShowJobInfo. Times are milliseconds since 1970, as strings.

    Source: https://support.huaweicloud.com/intl/en-us/api-dcs/ShowJobInfo.html.
    """

    job_type: str
    job_id: str = attrs.field(factory=lambda: uuid.uuid4().hex)
    status: str = "INIT"
    begin_time: str = attrs.field(factory=_now)
    end_time: str | None = None
    fail_reason: str | None = None

    def describe(self) -> dict[str, str | None]:
        """Return the response of ShowJobInfo, without `end_time` while the job runs."""
        shown: dict[str, str | None] = {
            "job_id": self.job_id,
            "job_type": self.job_type,
            "status": self.status,
            "begin_time": self.begin_time,
            "fail_reason": self.fail_reason,
        }
        if self.end_time is not None:
            shown["end_time"] = self.end_time
        return shown


class Jobs:
    """The jobs of the emulator."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._running: set[asyncio.Task[None]] = set()

    def start(self, job_type: str, work: Coroutine[None, None, None]) -> Job:
        """Start a job. It succeeds when the coroutine returns, and fails when it raises."""
        job = Job(job_type)
        self._jobs[job.job_id] = job
        while len(self._jobs) > REMEMBERED:
            del self._jobs[next(iter(self._jobs))]
        task = asyncio.create_task(self._run(job, work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return job

    def find(self, job_id: str) -> Job | None:
        """Return the job with an ID, or None."""
        return self._jobs.get(job_id)

    async def close(self) -> None:
        """Cancel running jobs."""
        await asyncio.sleep(0)  # the coroutine of a job that never started must be closed
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self._running.clear()  # each would remove itself, but only in the next turn of the loop

    async def reset(self) -> None:
        """Cancel running jobs, and remove all jobs."""
        await self.close()
        self._jobs.clear()

    @staticmethod
    async def _run(job: Job, work: Coroutine[None, None, None]) -> None:
        job.status = "RUNNING"
        try:
            await work
        except NodeError as error:
            job.fail_reason = str(error)
        except Exception:  # noqa: BLE001 - a fault of the emulator fails the task, too
            _log.exception("job %s failed", job.job_id)
            job.fail_reason = "Internal service error."
        job.end_time = _now()
        job.status = "SUCCESS" if job.fail_reason is None else "FAIL"
