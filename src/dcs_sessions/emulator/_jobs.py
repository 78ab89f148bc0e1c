"""Tasks that go on after their request has been answered."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dcs_sessions.emulator._nodes import NodeError

if TYPE_CHECKING:
    from collections.abc import Coroutine

_log = logging.getLogger(__name__)

# The oldest are forgotten, so that an emulator that runs for weeks stays as small as it was.
REMEMBERED = 4096


def _now() -> str:
    return str(time.time_ns() // 1_000_000)


@dataclass(slots=True)
class Job:
    """A task as ShowJobInfo shows it; times are milliseconds since 1970 as text.

    Source: https://support.huaweicloud.com/intl/en-us/api-dcs/ShowJobInfo.html.
    """

    job_type: str
    job_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    status: str = "INIT"
    begin_time: str = field(default_factory=_now)
    end_time: str | None = None
    fail_reason: str | None = None

    def describe(self) -> dict[str, str | None]:
        """The answer of ShowJobInfo; without ``end_time`` while there is none."""
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
    """The tasks of the emulator."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._running: set[asyncio.Task[None]] = set()

    def start(self, job_type: str, work: Coroutine[None, None, None]) -> Job:
        """Start a task; it succeeds when the coroutine returns and fails when it raises."""
        job = Job(job_type)
        self._jobs[job.job_id] = job
        while len(self._jobs) > REMEMBERED:
            del self._jobs[next(iter(self._jobs))]
        task = asyncio.create_task(self._run(job, work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return job

    def find(self, job_id: str) -> Job | None:
        """The task of an id, if there is one."""
        return self._jobs.get(job_id)

    async def close(self) -> None:
        """End what still runs."""
        await asyncio.sleep(0)  # a task that never began would leave its coroutine behind
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self._running.clear()  # each would leave by itself, but only in the next turn of the loop

    async def reset(self) -> None:
        """End what still runs, and forget all tasks."""
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
