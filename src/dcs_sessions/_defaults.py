"""Defaults of the client and of the command line. It imports nothing, so that both start fast."""

# Seconds that one call may take, and one that waits for a job.
CALL_SECONDS = 60.0
WAIT_SECONDS = 300.0
# How many nodes and pages a query works on at a time. With fewer than an instance has nodes, they
# would take turns.
CONCURRENCY = 32
MAX_CONNECTIONS = 100
