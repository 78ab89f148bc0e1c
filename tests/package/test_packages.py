"""The npm package and the Go module, published on loopback, installed, and used.

The index for npm is a tool of its own, which `make test-publish` installs.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from dcs_sessions.emulator import Emulator
from support.served import served
from tools import packages, recorder, spec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = [pytest.mark.index, pytest.mark.timeout(600)]

VERDACCIO = Path(__file__).parent / "npm" / "node_modules" / ".bin" / "verdaccio"
CONFIG = """
storage: ./storage
auth: {htpasswd: {file: ./htpasswd, max_users: 1}}
packages:
  "**": {access: $all, publish: $authenticated}
log: {type: stdout, level: error}
"""
TYPESCRIPT = """
import { createClient, type Login } from "dcs-sessions";

const { DCS_ENDPOINT, DCS_TOKEN, DCS_ACCESS_KEY, DCS_SECRET_KEY, DCS_PROJECT_ID, DCS_INSTANCE_ID } =
  process.env as Record<string, string>;
const login: Login = DCS_TOKEN
  ? { token: async () => DCS_TOKEN }
  : { accessKey: DCS_ACCESS_KEY!, secretKey: DCS_SECRET_KEY! };
const dcs = createClient(DCS_ENDPOINT!, login);
const path = { project_id: DCS_PROJECT_ID!, instance_id: DCS_INSTANCE_ID! };
const { data } = await dcs.GET("/v2/{project_id}/instances/{instance_id}/logical-nodes", {
  params: { path },
});
const node_id = data!.nodes[0]!.node_id;
const scan = await dcs.POST("/v2/{project_id}/instances/{instance_id}/clients", {
  params: { path },
  body: { node_id },
});
console.log(scan.response.status, scan.data?.job_id.length);
const refused = await dcs.POST("/v2/{project_id}/instances/{instance_id}/clients", {
  params: { path },
  body: { node_id: "none" },
});
console.log(refused.response.status, refused.error?.error_code);
const elsewhere = createClient(process.env.REDIRECTING!, login);
await elsewhere
  .GET("/v2/{project_id}/instances", { params: { path } })
  .then(() => console.log("redirected"), () => console.log("not redirected"));
"""
GO = """
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	dcs "MODULE"
)

func main() {
	login := dcs.Token(os.Getenv("DCS_TOKEN"))
	if os.Getenv("DCS_TOKEN") == "" {
		access, secret := os.Getenv("DCS_ACCESS_KEY"), os.Getenv("DCS_SECRET_KEY")
		key := dcs.Key{AccessKey: access, SecretKey: secret}
		login = key.Sign
	}
	client, err := dcs.New(os.Getenv("DCS_ENDPOINT"), login)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	project, instance := os.Getenv("DCS_PROJECT_ID"), os.Getenv("DCS_INSTANCE_ID")
	nodes, err := client.ShowNodesInformationWithResponse(ctx, project, instance)
	if err != nil {
		log.Fatal(err)
	}
	body := dcs.ScanRequest{NodeId: nodes.JSON200.Nodes[0].NodeId}
	scan, err := client.ScanClientsWithResponse(ctx, project, instance, body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(scan.StatusCode(), len(scan.JSON200.JobId))
	body.NodeId = "none"
	refused, err := client.ScanClientsWithResponse(ctx, project, instance, body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(refused.StatusCode(), refused.JSON400.ErrorCode)
	elsewhere, err := dcs.New(os.Getenv("REDIRECTING"), login)
	if err != nil {
		log.Fatal(err)
	}
	moved, err := elsewhere.ListInstancesWithResponse(ctx, project, nil)
	if err != nil {
		log.Fatal(err)
	}
	if moved.StatusCode() == 307 {
		fmt.Println("not redirected")
	}
}
"""
EXPECTED = "200 32\n400 DCS.3053\nnot redirected\n"


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def redirecting() -> Iterator[tuple[str, list[str]]]:
    """Run a server that sends everybody to another host; its address and the paths asked for."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(307)
            port = self.headers["Host"].rpartition(":")[2]
            self.send_header("Location", f"http://localhost:{port}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", paths
        finally:
            server.shutdown()
            thread.join()


def runs_by_token_and_by_key(folder: Path, *program: str) -> None:
    for signed in (False, True):
        with (
            Emulator() as dcs,
            recorder.recording(dcs.endpoint) as proxy,
            redirecting() as (redirects, paths),
        ):
            login: Mapping[str, str] = {"DCS_TOKEN": dcs.token}
            secrets = {dcs.token: "X-Auth-Token"}
            if signed:
                login = {"DCS_TOKEN": "", "DCS_ACCESS_KEY": dcs.ak, "DCS_SECRET_KEY": dcs.sk}
                secrets = {dcs.ak: "Authorization", dcs.sk: ""}
            output = run(
                *program,
                cwd=folder,
                DCS_ENDPOINT=proxy.endpoint,
                DCS_PROJECT_ID=dcs.project_id,
                DCS_INSTANCE_ID=dcs.instance_id,
                REDIRECTING=redirects,
                **login,
            )
            assert output == EXPECTED
            assert paths == [f"/v2/{dcs.project_id}/instances"]
            assert recorder.leaks(proxy.requests, secrets) == []


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packages")
    if not (packages.MODULES / ".ready").exists():
        pytest.skip("the tools that need Node.js are not installed: run `make tools`")
    packages.make(folder)
    return folder


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """The address of an empty npm index without an upstream index."""
    if not VERDACCIO.exists():
        pytest.skip("the index is not installed: run `make test-publish`")
    folder = tmp_path / "registry"
    folder.mkdir()
    (folder / "config.yaml").write_text(CONFIG)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    command: list[str | Path] = [VERDACCIO, "--config", "config.yaml", "--listen", address]
    with served(command, f"http://{address}/-/ping", folder):
        yield f"http://{address}"


def test_npm_package_is_published_installed_and_used(
    made: Path, registry: str, tmp_path: Path
) -> None:
    user = httpx.put(
        f"{registry}/-/user/org.couchdb.user:owner",
        json={"name": "owner", "password": "on-loopback"},
        trust_env=False,
    )
    npmrc = tmp_path / "npmrc"
    host = registry.removeprefix("http:")
    npmrc.write_text(f"registry={registry}/\n{host}/:_authToken={user.json()['token']}\n")
    npm = {"NPM_CONFIG_USERCONFIG": str(npmrc), "NPM_CONFIG_CACHE": str(tmp_path / "cache")}
    (tarball,) = (made / "npm").iterdir()
    run("npm", "publish", tarball, cwd=tmp_path, **npm)

    folder = tmp_path / "user"
    folder.mkdir()
    (folder / "package.json").write_text('{"type": "module"}')
    run("npm", "install", "dcs-sessions", cwd=folder, **npm)
    (folder / "main.ts").write_text(TYPESCRIPT)
    # The compiler and the types of Node.js are the user's.
    (folder / "node_modules" / "@types").symlink_to(packages.MODULES / "@types")
    (folder / "node_modules" / "undici-types").symlink_to(packages.MODULES / "undici-types")
    options = (
        "--strict",
        "--noUncheckedIndexedAccess",
        "--module",
        "nodenext",
        "--target",
        "es2022",
    )
    run(packages.MODULES / ".bin" / "tsc", *options, "--types", "node", "main.ts", cwd=folder)
    runs_by_token_and_by_key(folder, "node", "main.js")


def test_go_module_is_fetched_by_version_and_used(made: Path, tmp_path: Path) -> None:
    if shutil.which("go") is None:
        pytest.skip("there is no go on this machine")
    module = packages.module()
    version = spec.load()["info"]["version"]
    # What it needs has been fetched before, when the module was made.
    fetched = Path(run("go", "env", "GOMODCACHE", cwd=tmp_path).strip()) / "cache" / "download"
    go = {
        "GOPROXY": f"file://{made / 'goproxy'},file://{fetched}",
        "GOSUMDB": "off",
        "GOMODCACHE": str(tmp_path / "modules"),
        "GOFLAGS": "-modcacherw",
    }
    folder = tmp_path / "user"
    folder.mkdir()
    run("go", "mod", "init", "example.com/user", cwd=folder)
    run("go", "get", f"{module}@v{version}", cwd=folder, **go)
    (folder / "main.go").write_text(GO.replace("MODULE", module))
    run("go", "mod", "tidy", cwd=folder, **go)
    run("go", "build", "-o", "main", ".", cwd=folder, **go)
    runs_by_token_and_by_key(folder, "./main")
