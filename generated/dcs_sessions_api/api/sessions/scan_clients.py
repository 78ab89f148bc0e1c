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
from ...models.scan_request import ScanRequest
from ...models.scan_started import ScanStarted
from ...types import Response


def _get_kwargs(
    project_id: str,
    instance_id: str,
    *,
    body: ScanRequest,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/v2/{project_id}/instances/{instance_id}/clients".format(
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
) -> ErrorBody | GatewayError | ScanStarted | None:
    if response.status_code == 200:
        response_200 = ScanStarted.from_dict(response.json())

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
) -> Response[ErrorBody | GatewayError | ScanStarted]:
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
    body: ScanRequest,
) -> Response[ErrorBody | GatewayError | ScanStarted]:
    """Query the sessions of a node

     Starts a job that queries the client sessions of one node and saves the list. The answer holds only
    the ID of the job; read the list with ListClients once the job has succeeded.

    With `clean_cache` left out or false, a node whose list is already saved is not queried again. While
    a query of the same node is running, a second one may be refused with 400 and DCS.4957: wait for the
    first.

    Needs the permission dcs:clients:list.

    Args:
        project_id (str): ID of the project that the instance is in.
        instance_id (str): ID of the DCS instance, as the details page of the instance on the DCS
            console shows it.
        body (ScanRequest): Which node to query, and whether a saved list will do.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ErrorBody | GatewayError | ScanStarted]
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
    body: ScanRequest,
) -> ErrorBody | GatewayError | ScanStarted | None:
    """Query the sessions of a node

     Starts a job that queries the client sessions of one node and saves the list. The answer holds only
    the ID of the job; read the list with ListClients once the job has succeeded.

    With `clean_cache` left out or false, a node whose list is already saved is not queried again. While
    a query of the same node is running, a second one may be refused with 400 and DCS.4957: wait for the
    first.

    Needs the permission dcs:clients:list.

    Args:
        project_id (str): ID of the project that the instance is in.
        instance_id (str): ID of the DCS instance, as the details page of the instance on the DCS
            console shows it.
        body (ScanRequest): Which node to query, and whether a saved list will do.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ErrorBody | GatewayError | ScanStarted
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
    body: ScanRequest,
) -> Response[ErrorBody | GatewayError | ScanStarted]:
    """Query the sessions of a node

     Starts a job that queries the client sessions of one node and saves the list. The answer holds only
    the ID of the job; read the list with ListClients once the job has succeeded.

    With `clean_cache` left out or false, a node whose list is already saved is not queried again. While
    a query of the same node is running, a second one may be refused with 400 and DCS.4957: wait for the
    first.

    Needs the permission dcs:clients:list.

    Args:
        project_id (str): ID of the project that the instance is in.
        instance_id (str): ID of the DCS instance, as the details page of the instance on the DCS
            console shows it.
        body (ScanRequest): Which node to query, and whether a saved list will do.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ErrorBody | GatewayError | ScanStarted]
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
    body: ScanRequest,
) -> ErrorBody | GatewayError | ScanStarted | None:
    """Query the sessions of a node

     Starts a job that queries the client sessions of one node and saves the list. The answer holds only
    the ID of the job; read the list with ListClients once the job has succeeded.

    With `clean_cache` left out or false, a node whose list is already saved is not queried again. While
    a query of the same node is running, a second one may be refused with 400 and DCS.4957: wait for the
    first.

    Needs the permission dcs:clients:list.

    Args:
        project_id (str): ID of the project that the instance is in.
        instance_id (str): ID of the DCS instance, as the details page of the instance on the DCS
            console shows it.
        body (ScanRequest): Which node to query, and whether a saved list will do.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ErrorBody | GatewayError | ScanStarted
    """

    return (
        await asyncio_detailed(
            project_id=project_id,
            instance_id=instance_id,
            client=client,
            body=body,
        )
    ).parsed
