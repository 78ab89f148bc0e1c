"""Contains all the data models used in inputs/outputs.

A model is imported when it is first used: each takes a millisecond, and no program uses all.
"""

import importlib

TYPE_CHECKING = False

if TYPE_CHECKING:
    from .configuration_list import ConfigurationList
    from .configuration_parameter import ConfigurationParameter
    from .error_body import ErrorBody
    from .gateway_error import GatewayError
    from .instance import Instance
    from .instance_list import InstanceList
    from .job import Job
    from .kill_all_request import KillAllRequest
    from .kill_all_started import KillAllStarted
    from .kill_request import KillRequest
    from .list_clients_order import ListClientsOrder
    from .listed_instance import ListedInstance
    from .node import Node
    from .node_dimension import NodeDimension
    from .node_list import NodeList
    from .scan_request import ScanRequest
    from .scan_started import ScanStarted
    from .session import Session
    from .session_page import SessionPage

__all__ = (
    "ConfigurationList",
    "ConfigurationParameter",
    "ErrorBody",
    "GatewayError",
    "Instance",
    "InstanceList",
    "Job",
    "KillAllRequest",
    "KillAllStarted",
    "KillRequest",
    "ListClientsOrder",
    "ListedInstance",
    "Node",
    "NodeDimension",
    "NodeList",
    "ScanRequest",
    "ScanStarted",
    "Session",
    "SessionPage",
)

_HOMES = {
    "ConfigurationList": ".configuration_list",
    "ConfigurationParameter": ".configuration_parameter",
    "ErrorBody": ".error_body",
    "GatewayError": ".gateway_error",
    "Instance": ".instance",
    "InstanceList": ".instance_list",
    "Job": ".job",
    "KillAllRequest": ".kill_all_request",
    "KillAllStarted": ".kill_all_started",
    "KillRequest": ".kill_request",
    "ListClientsOrder": ".list_clients_order",
    "ListedInstance": ".listed_instance",
    "Node": ".node",
    "NodeDimension": ".node_dimension",
    "NodeList": ".node_list",
    "ScanRequest": ".scan_request",
    "ScanStarted": ".scan_started",
    "Session": ".session",
    "SessionPage": ".session_page",
}


# Hidden from type checkers, which would take every misspelt name for one of a model.
if not TYPE_CHECKING:

    def __getattr__(name: str):
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(_HOMES[name], __name__), name)
        globals()[name] = value
        return value
