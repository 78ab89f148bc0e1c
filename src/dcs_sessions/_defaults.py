"""Defaults of the client and of the command line. It imports nothing, so that both start fast."""

# Timeout in seconds of one call, and of one that waits for a job.
CALL_SECONDS = 60.0
WAIT_SECONDS = 300.0
# Maximum number of nodes and pages that a query requests at a time. It should not be less than the
# number of nodes.
CONCURRENCY = 32
MAX_CONNECTIONS = 100
