"""A real DCS as the server of `make contract-live`."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from dcs_sessions._endpoints import service_endpoint
from dcs_sessions._errors import ConfigurationError
from tools.contract_api import KILLS, Api, ContractError, Seen, prepare
from tools.contract_login import logins
from tools.contract_schemathesis import (
    FOUND,
    counted,
    environment,
    read,
    schemathesis_run,
    unidentified,
    verdict,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping


def live_settings(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of `make contract-live` from the environment.

    Raises:
        ContractError: If something is missing.
    """
    endpoint = variables.get("DCS_SESSIONS_ENDPOINT", "").strip().rstrip("/")
    region = variables.get("DCS_SESSIONS_REGION", "").strip()
    needed = ["HUAWEICLOUD_SDK_PROJECT_ID", "DCS_SESSIONS_INSTANCE", "DCS_SESSIONS_NODE"]
    missing = [name for name in needed if not variables.get(name)]
    if not endpoint and not region:
        missing.insert(0, "DCS_SESSIONS_ENDPOINT (or DCS_SESSIONS_REGION)")
    keys = ("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK")
    if not variables.get("DCS_SESSIONS_TOKEN") and not all(map(variables.get, keys)):
        missing.append("DCS_SESSIONS_TOKEN (or HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK)")
    if missing:
        raise ContractError(f"missing in the environment: {', '.join(missing)}")
    try:
        endpoint = endpoint or service_endpoint(region)
    except ConfigurationError as error:
        raise ContractError(str(error)) from None
    return {"endpoint": endpoint, **{name: variables[name] for name in needed}}


def against_live(arguments: argparse.Namespace) -> list[str]:
    """Test the server that the environment names, and return the faults."""
    settings = live_settings(os.environ)
    endpoint = settings.pop("endpoint")
    may_kill = os.environ.get("DCS_SESSIONS_ALLOW_KILL") == "1"
    try:
        httpx.get(endpoint, timeout=10)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ContractError(f"{endpoint} does not answer: {error}") from None
    if may_kill:
        print(f"DCS_SESSIONS_ALLOW_KILL=1: sessions at {endpoint} WILL BE ENDED.", flush=True)
        left_out: list[str] = []
    else:
        print(
            f"Only reads and scans go to {endpoint}; no session is ended. (To test that as well, "
            "on an instance that nobody needs, set DCS_SESSIONS_ALLOW_KILL=1.)",
            flush=True,
        )
        left_out = [*KILLS]
    facts = {
        "endpoint": endpoint,
        "project_id": settings["HUAWEICLOUD_SDK_PROJECT_ID"],
        "instance_id": settings["DCS_SESSIONS_INSTANCE"],
        "node_ids": [settings["DCS_SESSIONS_NODE"]],
    }
    seen: Seen = Counter()
    if os.environ.get("DCS_SESSIONS_TOKEN"):
        settings["HUAWEICLOUD_SDK_AK"] = ""  # the token goes first
    settings["DCS_SESSIONS_JOB"] = prepare(Api(facts, seen, logins(os.environ)[0])) or ""
    if not settings["DCS_SESSIONS_JOB"]:
        print("ShowJobInfo does not know the jobs of scans here, and is left out.", flush=True)
        left_out.append("ShowJobInfo")
    excluded = [word for name in left_out for word in ("--exclude-operation-id", name)]
    with tempfile.TemporaryDirectory() as folder:
        noted = Path(folder, "seen")
        # The vendor's gateway answers a method that a path does not have. No document says that
        # the answer is 405.
        clean = schemathesis_run(
            endpoint,
            environment(settings, noted, may_kill=may_kill),
            arguments.reports,
            *("--max-examples", str(arguments.max_examples), "--rate-limit", arguments.rate),
            *("--exclude-checks", "unsupported_method", *excluded, *arguments.options),
        )
        answers = read(noted)
        amiss = [*([] if clean else [FOUND]), *unidentified(answers)]
        return amiss + verdict(seen + counted(answers), live=True)
