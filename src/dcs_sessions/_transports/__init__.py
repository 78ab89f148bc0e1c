"""How requests get to the service. Only this folder imports HTTP libraries."""
