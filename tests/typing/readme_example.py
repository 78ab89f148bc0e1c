"""The example of README.md, for the type checkers; a test compares the two."""

import dcs_sessions

with dcs_sessions.Client.from_env(region="cn-north-4") as client:
    (instance,) = client.list_instances("checkout-prod", exact=True)
    found = client.query_sessions(instance.instance_id)
    leaked = found.where(lambda session: session.name == "cart-worker")
    for outcome in client.end_sessions(instance.instance_id, leaked):
        print(outcome.result, outcome.address, outcome.reason)
    for node in found.failed:
        print(node.node_id, "did not answer:", node.error)
