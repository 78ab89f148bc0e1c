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
from ...models.kill_all_request import KillAllRequest
from ...models.kill_all_started import KillAllStarted
from ...types import Response


def _get_kwargs(
    project_id: str,
    instance_id: str,
    *,
    body: KillAllRequest,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/v2/{project_id}/instances/{instance_id}/clients/kill-all".format(
            project_id=quote(str(project_id), safe=""),
            instance_id=quote(str(instance_id), safe=""),
        ),
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> ErrorBody | GatewayError | KillAllStarted | None:
    if response.status_code == 200:
        response_200 = KillAllStarted.from_dict(response.json())

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
) -> Response[ErrorBody | GatewayError | KillAllStarted]:
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
    body: KillAllRequest,
) -> Response[ErrorBody | GatewayError | KillAllStarted]:
    """End all sessions of a node or of the instance

     Starts a job that disconnects every session of one node, or of every node of the instance when
    `kill_all_nodes` is true. Follow the job with ShowJobInfo. Clients that reconnect by themselves will
    be back.

    Needs the permission dcs:clients:kill.

    Args:
        project_id (str): ID of the project that the instance is in.
        instance_id (str): ID of the DCS instance, as the details page of the instance on the DCS
            console shows it.
        body (KillAllRequest): Which node to end all sessions of. Either `node_id` is given or
            `kill_all_nodes` is true.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ErrorBody | GatewayError | KillAllStarted]
    """

    kwargs = _get_kwargs(
        project_id=project_id,
        instance_id=instance_id,
        body=body,
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
    body: KillAllRequest,
) -> ErrorBody | GatewayError | KillAllStarted | None:
    """End all sessions of a node or of the instance

     Starts a job that disconnects every session of one node, or of every node of the instance when
    `kill_all_nodes` is true. Follow the job with ShowJobInfo. Clients that reconnect by themselves will
    be back.

    Needs the permission dcs:clients:kill.

    Args:
        project_id (str): ID of the project that the instance is in.
        instance_id (str): ID of the DCS instance, as the details page of the instance on the DCS
            console shows it.
        body (KillAllRequest): Which node to end all sessions of. Either `node_id` is given or
            `kill_all_nodes` is true.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ErrorBody | GatewayError | KillAllStarted
    """

    return sync_detailed(
        project_id=project_id,
        instance_id=instance_id,
        client=client,
        body=body,
    ).parsed


async def asyncio_detailed(
    project_id: str,
    instance_id: str,
    *,
    client: AuthenticatedClient | Client,
    body: KillAllRequest,
) -> Response[ErrorBody | GatewayError | KillAllStarted]:
    """End all sessions of a node or of the instance

     Starts a job that disconnects every session of one node, or of every node of the instance when
    `kill_all_nodes` is true. Follow the job with ShowJobInfo. Clients that reconnect by themselves will
    be back.

    Needs the permission dcs:clients:kill.

    Args:
        project_id (str): ID of the project that the instance is in.
        instance_id (str): ID of the DCS instance, as the details page of the instance on the DCS
            console shows it.
        body (KillAllRequest): Which node to end all sessions of. Either `node_id` is given or
            `kill_all_nodes` is true.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ErrorBody | GatewayError | KillAllStarted]
    """

    kwargs = _get_kwargs(
        project_id=project_id,
        instance_id=instance_id,
        body=body,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    project_id: str,
    instance_id: str,
    *,
    client: AuthenticatedClient | Client,
    body: KillAllRequest,
) -> ErrorBody | GatewayError | KillAllStarted | None:
    """End all sessions of a node or of the instance

     Starts a job that disconnects every session of one node, or of every node of the instance when
    `kill_all_nodes` is true. Follow the job with ShowJobInfo. Clients that reconnect by themselves will
    be back.

    Needs the permission dcs:clients:kill.

    Args:
        project_id (str): ID of the project that the instance is in.
        instance_id (str): ID of the DCS instance, as the details page of the instance on the DCS
            console shows it.
        body (KillAllRequest): Which node to end all sessions of. Either `node_id` is given or
            `kill_all_nodes` is true.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ErrorBody | GatewayError | KillAllStarted
    """

    return (
        await asyncio_detailed(
            project_id=project_id,
            instance_id=instance_id,
            client=client,
            body=body,
        )
    ).parsed
