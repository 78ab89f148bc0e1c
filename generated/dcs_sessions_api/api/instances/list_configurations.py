from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    import httpx

    from ...client import AuthenticatedClient, Client
from ... import errors
from ...models.configuration_list import ConfigurationList
from ...models.error_body import ErrorBody
from ...models.gateway_error import GatewayError
from ...types import Response


def _get_kwargs(
    project_id: str,
    instance_id: str,
) -> dict[str, Any]:

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/v2/{project_id}/instances/{instance_id}/configs".format(
            project_id=quote(str(project_id), safe=""),
            instance_id=quote(str(instance_id), safe=""),
        ),
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> ConfigurationList | ErrorBody | GatewayError | None:
    if response.status_code == 200:
        response_200 = ConfigurationList.from_dict(response.json())

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
) -> Response[ConfigurationList | ErrorBody | GatewayError]:
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
) -> Response[ConfigurationList | ErrorBody | GatewayError]:
    """List the configuration parameters of an instance

     Returns the configuration parameters of an instance. `maxclients` is the maximum number of
    connections of one node: of the instance itself for the types single and ha, of each shard for
    cluster. Instances with read/write splitting do not have it.

    Needs the permission dcs:instance:getConfiguration.

    Args:
        project_id (str): ID of the project that the instance is in.
        instance_id (str): ID of the DCS instance, as the details page of the instance on the DCS
            console shows it.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ConfigurationList | ErrorBody | GatewayError]
    """

    kwargs = _get_kwargs(
        project_id=project_id,
        instance_id=instance_id,
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
) -> ConfigurationList | ErrorBody | GatewayError | None:
    """List the configuration parameters of an instance

     Returns the configuration parameters of an instance. `maxclients` is the maximum number of
    connections of one node: of the instance itself for the types single and ha, of each shard for
    cluster. Instances with read/write splitting do not have it.

    Needs the permission dcs:instance:getConfiguration.

    Args:
        project_id (str): ID of the project that the instance is in.
        instance_id (str): ID of the DCS instance, as the details page of the instance on the DCS
            console shows it.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ConfigurationList | ErrorBody | GatewayError
    """

    return sync_detailed(
        project_id=project_id,
        instance_id=instance_id,
        client=client,
    ).parsed


async def asyncio_detailed(
    project_id: str,
    instance_id: str,
    *,
    client: AuthenticatedClient | Client,
) -> Response[ConfigurationList | ErrorBody | GatewayError]:
    """List the configuration parameters of an instance

     Returns the configuration parameters of an instance. `maxclients` is the maximum number of
    connections of one node: of the instance itself for the types single and ha, of each shard for
    cluster. Instances with read/write splitting do not have it.

    Needs the permission dcs:instance:getConfiguration.

    Args:
        project_id (str): ID of the project that the instance is in.
        instance_id (str): ID of the DCS instance, as the details page of the instance on the DCS
            console shows it.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ConfigurationList | ErrorBody | GatewayError]
    """

    kwargs = _get_kwargs(
        project_id=project_id,
        instance_id=instance_id,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    project_id: str,
    instance_id: str,
    *,
    client: AuthenticatedClient | Client,
) -> ConfigurationList | ErrorBody | GatewayError | None:
    """List the configuration parameters of an instance

     Returns the configuration parameters of an instance. `maxclients` is the maximum number of
    connections of one node: of the instance itself for the types single and ha, of each shard for
    cluster. Instances with read/write splitting do not have it.

    Needs the permission dcs:instance:getConfiguration.

    Args:
        project_id (str): ID of the project that the instance is in.
        instance_id (str): ID of the DCS instance, as the details page of the instance on the DCS
            console shows it.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ConfigurationList | ErrorBody | GatewayError
    """

    return (
        await asyncio_detailed(
            project_id=project_id,
            instance_id=instance_id,
            client=client,
        )
    ).parsed
