"""The operations of the contract, each returning the whole response.

Edited in `_async/_raw.py`; `_sync/_raw.py` is made from it by `make generate`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from dcs_sessions import _operations
from dcs_sessions._operations import checked_ids

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Unpack

    from dcs_sessions._async._sending import AsyncSender
    from dcs_sessions._options import (
        CallOptions,
        InstanceListOptions,
        KillAllOptions,
        ListOptions,
        ScanOptions,
    )
    from dcs_sessions._results import Response
    from dcs_sessions_api.models import (
        ConfigurationList,
        Instance,
        InstanceList,
        Job,
        KillAllStarted,
        NodeList,
        ScanStarted,
        SessionPage,
    )


@attrs.frozen
class AsyncRawClient:
    """The operations, each returning status, headers, request ID and body as well.

    It is the `raw` attribute of a client. Names, arguments and errors are those of its methods.
    """

    _sender: AsyncSender = attrs.field(repr=False)

    async def list_instances(
        self, **options: Unpack[InstanceListOptions]
    ) -> Response[InstanceList]:
        """Read one page of the instances of the project: ListInstances."""
        return await self._sender.send(_operations.list_instances, **options)

    async def get_instance(
        self, instance_id: str, **options: Unpack[CallOptions]
    ) -> Response[Instance]:
        """Show an instance: ShowInstance."""
        return await self._sender.send(_operations.get_instance, instance_id, **options)

    async def list_configurations(
        self, instance_id: str, **options: Unpack[CallOptions]
    ) -> Response[ConfigurationList]:
        """List the configuration parameters of an instance: ListConfigurations."""
        return await self._sender.send(_operations.list_configurations, instance_id, **options)

    async def list_nodes(
        self, instance_id: str, **options: Unpack[CallOptions]
    ) -> Response[NodeList]:
        """List the nodes of an instance: ShowNodesInformation."""
        return await self._sender.send(_operations.list_nodes, instance_id, **options)

    async def get_job(self, job_id: str, **options: Unpack[CallOptions]) -> Response[Job]:
        """Show the state of a job: ShowJobInfo."""
        return await self._sender.send(_operations.get_job, job_id, **options)

    async def scan_sessions(
        self, instance_id: str, node_id: str, **options: Unpack[ScanOptions]
    ) -> Response[ScanStarted]:
        """Start a job that queries the sessions of a node: ScanClients."""
        return await self._sender.send(_operations.scan_sessions, instance_id, node_id, **options)

    async def list_sessions(
        self, instance_id: str, node_id: str, **options: Unpack[ListOptions]
    ) -> Response[SessionPage]:
        """Read one page of the saved list of a node: ListClients."""
        return await self._sender.send(_operations.list_sessions, instance_id, node_id, **options)

    async def kill_sessions(
        self,
        instance_id: str,
        node_id: str,
        addresses: Iterable[str],
        **options: Unpack[CallOptions],
    ) -> Response[None]:
        """End chosen sessions of a node: HangUpClients."""
        named = checked_ids("addresses", addresses)
        return await self._sender.send(
            _operations.kill_sessions, instance_id, node_id, named, **options
        )

    async def kill_all_sessions(
        self, instance_id: str, node_id: str | None = None, **options: Unpack[KillAllOptions]
    ) -> Response[KillAllStarted]:
        """Start a job that ends all sessions of a node or an instance: HangUpKillAllClients."""
        return await self._sender.send(
            _operations.kill_all_sessions, instance_id, node_id, **options
        )
