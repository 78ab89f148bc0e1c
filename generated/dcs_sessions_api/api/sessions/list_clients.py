from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient, Client
from ... import errors
from ...models.error_body import ErrorBody
from ...models.gateway_error import GatewayError
from ...models.list_clients_order import ListClientsOrder
from ...models.session_page import SessionPage
from ...types import UNSET, Response, Unset


def _get_kwargs(
    project_id: str,
    instance_id: str,
    *,
    node_id: str,
    offset: int | Unset = 0,
    limit: int | Unset = 10,
    addr: str | Unset = UNSET,
    sort: str | Unset = UNSET,
    order: ListClientsOrder | Unset = "desc",
) -> dict[str, Any]:

    params: dict[str, Any] = {}

    params["node_id"] = node_id

    params["offset"] = offset

    params["limit"] = limit

    params["addr"] = addr

    params["sort"] = sort

    json_order: str | Unset = UNSET
    if not isinstance(order, Unset):
        json_order = order

    params["order"] = json_order

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/v2/{project_id}/instances/{instance_id}/clients".format(
            project_id=quote(str(project_id), safe=""),
            instance_id=quote(str(instance_id), safe=""),
        ),
        "params": params,
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> ErrorBody | GatewayError | SessionPage | None:
    if response.status_code == 200:
        response_200 = SessionPage.from_dict(response.json())

        return response_200

    if response.status_code == 400:
        response_400 = ErrorBody.from_dict(response.json())

        return response_400

    if response.status_code == 401:
        response_401 = ErrorBody.from_dict(response.json())

        return response_401

    if response.status_code == 403:
        response_403 = ErrorBody.from_dict(response.json())

        return response_403

    if response.status_code == 404:
        response_404 = ErrorBody.from_dict(response.json())

        return response_404

    if response.status_code == 429:
        response_429 = GatewayError.from_dict(response.json())

        return response_429

    if response.status_code == 500:
        response_500 = ErrorBody.from_dict(response.json())

        return response_500

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[ErrorBody | GatewayError | SessionPage]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    project_id: str,
    instance_id: str,
    *,
    client: AuthenticatedClient | Client,
    node_id: str,
    offset: int | Unset = 0,
    limit: int | Unset = 10,
    addr: str | Unset = UNSET,
    sort: str | Unset = UNSET,
    order: ListClientsOrder | Unset = "desc",
) -> Response[ErrorBody | GatewayError | SessionPage]:
    """List the sessions of a node

     Reads the saved list of sessions of one node, page by page. `count` is the total number of sessions,
    not the number on the page, and `time` is when the list was made: these are not live data. Sessions
    of the Web CLI of the console are not listed.

    Call ScanClients first. A node that has never been queried answers 500; a node whose first query is
    still running may answer 400 with DCS.4957.

    Needs the permission dcs:clients:list.

    Args:
        project_id (str): ID of the project that the instance is in.
        instance_id (str): ID of the DCS instance, as the details page of the instance on the DCS
            console shows it.
        node_id (str): ID of the node whose list is read: a proxy node of a Proxy Cluster or
            read/write splitting instance, a data node of any other.
        offset (int | Unset): How many sessions of the list to skip. Default: 0.
        limit (int | Unset): Maximum number of sessions to return. Default: 10.
        addr (str | Unset): Only sessions with this client address. The vendor does not say
            whether the whole address must match or a part; a full `ip:port` is the safe form.
        sort (str | Unset): Name of the session field to sort by. The vendor publishes neither a
            list of accepted names nor a default.
        order (ListClientsOrder | Unset): Direction to sort in, descending unless asked for
            otherwise. Default: 'desc'.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ErrorBody | GatewayError | SessionPage]
    """

    kwargs = _get_kwargs(
        project_id=project_id,
        instance_id=instance_id,
        node_id=node_id,
        offset=offset,
        limit=limit,
        addr=addr,
        sort=sort,
        order=order,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    project_id: str,
    instance_id: str,
    *,
    client: AuthenticatedClient | Client,
    node_id: str,
    offset: int | Unset = 0,
    limit: int | Unset = 10,
    addr: str | Unset = UNSET,
    sort: str | Unset = UNSET,
    order: ListClientsOrder | Unset = "desc",
) -> ErrorBody | GatewayError | SessionPage | None:
    """List the sessions of a node

     Reads the saved list of sessions of one node, page by page. `count` is the total number of sessions,
    not the number on the page, and `time` is when the list was made: these are not live data. Sessions
    of the Web CLI of the console are not listed.

    Call ScanClients first. A node that has never been queried answers 500; a node whose first query is
    still running may answer 400 with DCS.4957.

    Needs the permission dcs:clients:list.

    Args:
        project_id (str): ID of the project that the instance is in.
        instance_id (str): ID of the DCS instance, as the details page of the instance on the DCS
            console shows it.
        node_id (str): ID of the node whose list is read: a proxy node of a Proxy Cluster or
            read/write splitting instance, a data node of any other.
        offset (int | Unset): How many sessions of the list to skip. Default: 0.
        limit (int | Unset): Maximum number of sessions to return. Default: 10.
        addr (str | Unset): Only sessions with this client address. The vendor does not say
            whether the whole address must match or a part; a full `ip:port` is the safe form.
        sort (str | Unset): Name of the session field to sort by. The vendor publishes neither a
            list of accepted names nor a default.
        order (ListClientsOrder | Unset): Direction to sort in, descending unless asked for
            otherwise. Default: 'desc'.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ErrorBody | GatewayError | SessionPage
    """

    return sync_detailed(
        project_id=project_id,
        instance_id=instance_id,
        client=client,
        node_id=node_id,
        offset=offset,
        limit=limit,
        addr=addr,
        sort=sort,
        order=order,
    ).parsed


async def asyncio_detailed(
    project_id: str,
    instance_id: str,
    *,
    client: AuthenticatedClient | Client,
    node_id: str,
    offset: int | Unset = 0,
    limit: int | Unset = 10,
    addr: str | Unset = UNSET,
    sort: str | Unset = UNSET,
    order: ListClientsOrder | Unset = "desc",
) -> Response[ErrorBody | GatewayError | SessionPage]:
    """List the sessions of a node

     Reads the saved list of sessions of one node, page by page. `count` is the total number of sessions,
    not the number on the page, and `time` is when the list was made: these are not live data. Sessions
    of the Web CLI of the console are not listed.

    Call ScanClients first. A node that has never been queried answers 500; a node whose first query is
    still running may answer 400 with DCS.4957.

    Needs the permission dcs:clients:list.

    Args:
        project_id (str): ID of the project that the instance is in.
        instance_id (str): ID of the DCS instance, as the details page of the instance on the DCS
            console shows it.
        node_id (str): ID of the node whose list is read: a proxy node of a Proxy Cluster or
            read/write splitting instance, a data node of any other.
        offset (int | Unset): How many sessions of the list to skip. Default: 0.
        limit (int | Unset): Maximum number of sessions to return. Default: 10.
        addr (str | Unset): Only sessions with this client address. The vendor does not say
            whether the whole address must match or a part; a full `ip:port` is the safe form.
        sort (str | Unset): Name of the session field to sort by. The vendor publishes neither a
            list of accepted names nor a default.
        order (ListClientsOrder | Unset): Direction to sort in, descending unless asked for
            otherwise. Default: 'desc'.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ErrorBody | GatewayError | SessionPage]
    """

    kwargs = _get_kwargs(
        project_id=project_id,
        instance_id=instance_id,
        node_id=node_id,
        offset=offset,
        limit=limit,
        addr=addr,
        sort=sort,
        order=order,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    project_id: str,
    instance_id: str,
    *,
    client: AuthenticatedClient | Client,
    node_id: str,
    offset: int | Unset = 0,
    limit: int | Unset = 10,
    addr: str | Unset = UNSET,
    sort: str | Unset = UNSET,
    order: ListClientsOrder | Unset = "desc",
) -> ErrorBody | GatewayError | SessionPage | None:
    """List the sessions of a node

     Reads the saved list of sessions of one node, page by page. `count` is the total number of sessions,
    not the number on the page, and `time` is when the list was made: these are not live data. Sessions
    of the Web CLI of the console are not listed.

    Call ScanClients first. A node that has never been queried answers 500; a node whose first query is
    still running may answer 400 with DCS.4957.

    Needs the permission dcs:clients:list.

    Args:
        project_id (str): ID of the project that the instance is in.
        instance_id (str): ID of the DCS instance, as the details page of the instance on the DCS
            console shows it.
        node_id (str): ID of the node whose list is read: a proxy node of a Proxy Cluster or
            read/write splitting instance, a data node of any other.
        offset (int | Unset): How many sessions of the list to skip. Default: 0.
        limit (int | Unset): Maximum number of sessions to return. Default: 10.
        addr (str | Unset): Only sessions with this client address. The vendor does not say
            whether the whole address must match or a part; a full `ip:port` is the safe form.
        sort (str | Unset): Name of the session field to sort by. The vendor publishes neither a
            list of accepted names nor a default.
        order (ListClientsOrder | Unset): Direction to sort in, descending unless asked for
            otherwise. Default: 'desc'.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ErrorBody | GatewayError | SessionPage
    """

    return (
        await asyncio_detailed(
            project_id=project_id,
            instance_id=instance_id,
            client=client,
            node_id=node_id,
            offset=offset,
            limit=limit,
            addr=addr,
            sort=sort,
            order=order,
        )
    ).parsed
