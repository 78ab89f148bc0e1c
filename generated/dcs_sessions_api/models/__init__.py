"""Contains all the data models used in inputs/outputs"""

from .error import Error
from .gateway_error import GatewayError
from .job import Job
from .kill_all_request import KillAllRequest
from .kill_all_started import KillAllStarted
from .kill_request import KillRequest
from .list_clients_order import ListClientsOrder
from .node import Node
from .node_dimension import NodeDimension
from .node_list import NodeList
from .scan_request import ScanRequest
from .scan_started import ScanStarted
from .session import Session
from .session_page import SessionPage

__all__ = (
    "Error",
    "GatewayError",
    "Job",
    "KillAllRequest",
    "KillAllStarted",
    "KillRequest",
    "ListClientsOrder",
    "Node",
    "NodeDimension",
    "NodeList",
    "ScanRequest",
    "ScanStarted",
    "Session",
    "SessionPage",
)
