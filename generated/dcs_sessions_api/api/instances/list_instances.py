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
from ...models.instance_list import InstanceList
from ...types import UNSET, Response, Unset


def _get_kwargs(
    project_id: str,
    *,
    instance_id: str | Unset = UNSET,
    name: str | Unset = UNSET,
    name_equal: str | Unset = UNSET,
    status: str | Unset = UNSET,
    ip: str | Unset = UNSET,
    tags: str | Unset = UNSET,
    capacity: str | Unset = UNSET,
    is_recycle: bool | Unset = False,
    include_failure: str | Unset = "false",
    include_delete: str | Unset = "false",
    offset: int | Unset = 0,
    limit: int | Unset = 10,
) -> dict[str, Any]:

    params: dict[str, Any] = {}

    params["instance_id"] = instance_id

    params["name"] = name

    params["name_equal"] = name_equal

    params["status"] = status

    params["ip"] = ip

    params["tags"] = tags

    params["capacity"] = capacity

    params["is_recycle"] = is_recycle

    params["include_failure"] = include_failure

    params["include_delete"] = include_delete

    params["offset"] = offset

    params["limit"] = limit

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/v2/{project_id}/instances".format(
            project_id=quote(str(project_id), safe=""),
        ),
        "params": params,
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> ErrorBody | GatewayError | InstanceList | None:
    if response.status_code == 200:
        response_200 = InstanceList.from_dict(response.json())

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
) -> Response[ErrorBody | GatewayError | InstanceList]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    project_id: str,
    *,
    client: AuthenticatedClient | Client,
    instance_id: str | Unset = UNSET,
    name: str | Unset = UNSET,
    name_equal: str | Unset = UNSET,
    status: str | Unset = UNSET,
    ip: str | Unset = UNSET,
    tags: str | Unset = UNSET,
    capacity: str | Unset = UNSET,
    is_recycle: bool | Unset = False,
    include_failure: str | Unset = "false",
    include_delete: str | Unset = "false",
    offset: int | Unset = 0,
    limit: int | Unset = 10,
) -> Response[ErrorBody | GatewayError | InstanceList]:
    """List the instances of a project

     Returns the instances of the project, page by page. Use it to find the ID of an instance by its
    name. Names are not guaranteed to be unique. The list contains neither the type of an instance nor
    its connection limit: see ShowInstance and ListConfigurations.

    Needs the permission dcs:instance:list.

    Args:
        project_id (str): ID of the project that the instance is in.
        instance_id (str | Unset): Only the instance with this ID.
        name (str | Unset): Only instances whose name contains this text. The vendor documents the
            match as fuzzy and says nothing about case or wildcards, so compare the names in the
            answer.
        name_equal (str | Unset): How the name is compared, or the exact name: see the source
            note. Send `name` and compare the names in the answer instead.
        status (str | Unset): Only instances with this status, such as RUNNING.
        ip (str | Unset): Only instances with this connection address. The vendor does not say
            whether the whole address must match or a part.
        tags (str | Unset): Only instances with these tags, as `key=value`; several are separated
            by commas, and all must match.
        capacity (str | Unset): Only instances with this capacity, in GB. Values below 1 are
            decimals such as 0.125.
        is_recycle (bool | Unset): Whether to list the instances in the recycle bin instead.
            Default: False.
        include_failure (str | Unset): Whether to include instances that could not be created:
            true, or any other value for no. Default: 'false'.
        include_delete (str | Unset): Whether to include deleted instances: true, or any other
            value for no. Default: 'false'.
        offset (int | Unset): Number of instances to skip. Default: 0.
        limit (int | Unset): Maximum number of instances to return. Default: 10.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ErrorBody | GatewayError | InstanceList]
    """

    kwargs = _get_kwargs(
        project_id=project_id,
        instance_id=instance_id,
        name=name,
        name_equal=name_equal,
        status=status,
        ip=ip,
        tags=tags,
        capacity=capacity,
        is_recycle=is_recycle,
        include_failure=include_failure,
        include_delete=include_delete,
        offset=offset,
        limit=limit,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    project_id: str,
    *,
    client: AuthenticatedClient | Client,
    instance_id: str | Unset = UNSET,
    name: str | Unset = UNSET,
    name_equal: str | Unset = UNSET,
    status: str | Unset = UNSET,
    ip: str | Unset = UNSET,
    tags: str | Unset = UNSET,
    capacity: str | Unset = UNSET,
    is_recycle: bool | Unset = False,
    include_failure: str | Unset = "false",
    include_delete: str | Unset = "false",
    offset: int | Unset = 0,
    limit: int | Unset = 10,
) -> ErrorBody | GatewayError | InstanceList | None:
    """List the instances of a project

     Returns the instances of the project, page by page. Use it to find the ID of an instance by its
    name. Names are not guaranteed to be unique. The list contains neither the type of an instance nor
    its connection limit: see ShowInstance and ListConfigurations.

    Needs the permission dcs:instance:list.

    Args:
        project_id (str): ID of the project that the instance is in.
        instance_id (str | Unset): Only the instance with this ID.
        name (str | Unset): Only instances whose name contains this text. The vendor documents the
            match as fuzzy and says nothing about case or wildcards, so compare the names in the
            answer.
        name_equal (str | Unset): How the name is compared, or the exact name: see the source
            note. Send `name` and compare the names in the answer instead.
        status (str | Unset): Only instances with this status, such as RUNNING.
        ip (str | Unset): Only instances with this connection address. The vendor does not say
            whether the whole address must match or a part.
        tags (str | Unset): Only instances with these tags, as `key=value`; several are separated
            by commas, and all must match.
        capacity (str | Unset): Only instances with this capacity, in GB. Values below 1 are
            decimals such as 0.125.
        is_recycle (bool | Unset): Whether to list the instances in the recycle bin instead.
            Default: False.
        include_failure (str | Unset): Whether to include instances that could not be created:
            true, or any other value for no. Default: 'false'.
        include_delete (str | Unset): Whether to include deleted instances: true, or any other
            value for no. Default: 'false'.
        offset (int | Unset): Number of instances to skip. Default: 0.
        limit (int | Unset): Maximum number of instances to return. Default: 10.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ErrorBody | GatewayError | InstanceList
    """

    return sync_detailed(
        project_id=project_id,
        client=client,
        instance_id=instance_id,
        name=name,
        name_equal=name_equal,
        status=status,
        ip=ip,
        tags=tags,
        capacity=capacity,
        is_recycle=is_recycle,
        include_failure=include_failure,
        include_delete=include_delete,
        offset=offset,
        limit=limit,
    ).parsed


async def asyncio_detailed(
    project_id: str,
    *,
    client: AuthenticatedClient | Client,
    instance_id: str | Unset = UNSET,
    name: str | Unset = UNSET,
    name_equal: str | Unset = UNSET,
    status: str | Unset = UNSET,
    ip: str | Unset = UNSET,
    tags: str | Unset = UNSET,
    capacity: str | Unset = UNSET,
    is_recycle: bool | Unset = False,
    include_failure: str | Unset = "false",
    include_delete: str | Unset = "false",
    offset: int | Unset = 0,
    limit: int | Unset = 10,
) -> Response[ErrorBody | GatewayError | InstanceList]:
    """List the instances of a project

     Returns the instances of the project, page by page. Use it to find the ID of an instance by its
    name. Names are not guaranteed to be unique. The list contains neither the type of an instance nor
    its connection limit: see ShowInstance and ListConfigurations.

    Needs the permission dcs:instance:list.

    Args:
        project_id (str): ID of the project that the instance is in.
        instance_id (str | Unset): Only the instance with this ID.
        name (str | Unset): Only instances whose name contains this text. The vendor documents the
            match as fuzzy and says nothing about case or wildcards, so compare the names in the
            answer.
        name_equal (str | Unset): How the name is compared, or the exact name: see the source
            note. Send `name` and compare the names in the answer instead.
        status (str | Unset): Only instances with this status, such as RUNNING.
        ip (str | Unset): Only instances with this connection address. The vendor does not say
            whether the whole address must match or a part.
        tags (str | Unset): Only instances with these tags, as `key=value`; several are separated
            by commas, and all must match.
        capacity (str | Unset): Only instances with this capacity, in GB. Values below 1 are
            decimals such as 0.125.
        is_recycle (bool | Unset): Whether to list the instances in the recycle bin instead.
            Default: False.
        include_failure (str | Unset): Whether to include instances that could not be created:
            true, or any other value for no. Default: 'false'.
        include_delete (str | Unset): Whether to include deleted instances: true, or any other
            value for no. Default: 'false'.
        offset (int | Unset): Number of instances to skip. Default: 0.
        limit (int | Unset): Maximum number of instances to return. Default: 10.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ErrorBody | GatewayError | InstanceList]
    """

    kwargs = _get_kwargs(
        project_id=project_id,
        instance_id=instance_id,
        name=name,
        name_equal=name_equal,
        status=status,
        ip=ip,
        tags=tags,
        capacity=capacity,
        is_recycle=is_recycle,
        include_failure=include_failure,
        include_delete=include_delete,
        offset=offset,
        limit=limit,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    project_id: str,
    *,
    client: AuthenticatedClient | Client,
    instance_id: str | Unset = UNSET,
    name: str | Unset = UNSET,
    name_equal: str | Unset = UNSET,
    status: str | Unset = UNSET,
    ip: str | Unset = UNSET,
    tags: str | Unset = UNSET,
    capacity: str | Unset = UNSET,
    is_recycle: bool | Unset = False,
    include_failure: str | Unset = "false",
    include_delete: str | Unset = "false",
    offset: int | Unset = 0,
    limit: int | Unset = 10,
) -> ErrorBody | GatewayError | InstanceList | None:
    """List the instances of a project

     Returns the instances of the project, page by page. Use it to find the ID of an instance by its
    name. Names are not guaranteed to be unique. The list contains neither the type of an instance nor
    its connection limit: see ShowInstance and ListConfigurations.

    Needs the permission dcs:instance:list.

    Args:
        project_id (str): ID of the project that the instance is in.
        instance_id (str | Unset): Only the instance with this ID.
        name (str | Unset): Only instances whose name contains this text. The vendor documents the
            match as fuzzy and says nothing about case or wildcards, so compare the names in the
            answer.
        name_equal (str | Unset): How the name is compared, or the exact name: see the source
            note. Send `name` and compare the names in the answer instead.
        status (str | Unset): Only instances with this status, such as RUNNING.
        ip (str | Unset): Only instances with this connection address. The vendor does not say
            whether the whole address must match or a part.
        tags (str | Unset): Only instances with these tags, as `key=value`; several are separated
            by commas, and all must match.
        capacity (str | Unset): Only instances with this capacity, in GB. Values below 1 are
            decimals such as 0.125.
        is_recycle (bool | Unset): Whether to list the instances in the recycle bin instead.
            Default: False.
        include_failure (str | Unset): Whether to include instances that could not be created:
            true, or any other value for no. Default: 'false'.
        include_delete (str | Unset): Whether to include deleted instances: true, or any other
            value for no. Default: 'false'.
        offset (int | Unset): Number of instances to skip. Default: 0.
        limit (int | Unset): Maximum number of instances to return. Default: 10.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ErrorBody | GatewayError | InstanceList
    """

    return (
        await asyncio_detailed(
            project_id=project_id,
            client=client,
            instance_id=instance_id,
            name=name,
            name_equal=name_equal,
            status=status,
            ip=ip,
            tags=tags,
            capacity=capacity,
            is_recycle=is_recycle,
            include_failure=include_failure,
            include_delete=include_delete,
            offset=offset,
            limit=limit,
        )
    ).parsed
