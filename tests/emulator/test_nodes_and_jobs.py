"""Nodes in the API, and how long jobs are remembered."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dcs_sessions.emulator._jobs import REMEMBERED, Jobs
from dcs_sessions.emulator._nodes import NodeError

if TYPE_CHECKING:
    from dcs_sessions.emulator import Emulator
    from emulator.conftest import Api


def test_nodes_are_listed_with_their_addresses_and_roles(shared: Api, dcs: Emulator) -> None:
    shown = shared.nodes().json()
    assert (shown["instance_id"], shown["total"]) == (dcs.instance_id, 2)
    for node, node_id, url in zip(shown["nodes"], dcs.node_ids, dcs.redis_urls, strict=True):
        assert node["node_id"] == node_id
        assert re.fullmatch("[0-9a-f]{32}", node_id)
        assert node["logical_node_id"] != node_id
        assert (node["node_ip"], node["node_port"]) == ("127.0.0.1", str(urlsplit(url).port))
        assert (node["status"], node["node_type"]) == ("Active", "master")
        assert node["node_role"] == "redis-server"
        assert node["name"] == "(master)127.0.0.1"
        assert node["replication_id"] is None
        assert [d["name"] for d in node["dimensions"]] == [
            *("dcs_instance_id", "dcs_cluster_redis_node")
        ]


def test_jobs_end_as_their_work_does_and_old_ones_are_forgotten() -> None:
    async def work(error: Exception | None = None) -> None:
        if error is not None:
            raise error

    async def main() -> None:
        jobs = Jobs()
        good = jobs.start("t", work())
        assert good.describe() == {
            "job_id": good.job_id,
            "job_type": "t",
            "status": "INIT",
            "begin_time": good.begin_time,
            "fail_reason": None,
        }
        bad, worse = jobs.start("t", work(NodeError("why"))), jobs.start("t", work(ValueError("x")))
        await asyncio.sleep(0)
        assert (good.status, good.fail_reason) == ("SUCCESS", None)
        assert (bad.status, bad.fail_reason) == ("FAIL", "why")
        assert (worse.status, worse.fail_reason) == ("FAIL", "Internal service error.")
        for _ in range(REMEMBERED):
            jobs.start("t", work())
        assert jobs.find(good.job_id) is None
        assert len(jobs._jobs) == REMEMBERED
        await jobs.close()
        assert not jobs._running

    asyncio.run(main())


def test_thousands_of_jobs_are_remembered() -> None:
    async def main() -> None:
        async def work() -> None:
            pass

        jobs = Jobs()
        started = [jobs.start("t", work()) for _ in range(4_000)]
        await jobs.close()
        assert all(jobs.find(job.job_id) is job for job in started)

    asyncio.run(main())
