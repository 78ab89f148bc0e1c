"""Contains all the data models used in inputs/outputs"""

from .configuration import Configuration
from .configuration_list import ConfigurationList
from .error import Error
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
    "Configuration",
    "ConfigurationList",
    "Error",
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
