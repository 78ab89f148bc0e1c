"""Make the packages for TypeScript and Go, with the version of the contract.

    python -m tools.packages FOLDER

The npm package is a tarball in FOLDER/npm. The Go module is in FOLDER/go/ as a repository has it,
and in FOLDER/goproxy/ as a proxy of modules has it, which GOPROXY can name. Both are made of
openapi.clients.yaml, of packages/ and of the signers in examples/.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import hatch_build
from tools import editions, spec

SOURCES = spec.ROOT / "packages"
EXAMPLES = spec.ROOT / "examples"
MODULES = spec.ROOT / "tools" / "node_modules"


def source() -> str:
    """Return the address of the repository, or a placeholder if it is not filled in."""
    project = tomllib.loads((spec.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return hatch_build.addresses(project)[0] or "https://example.com/dcs-sessions"


def module() -> str:
    """Return the path of the Go module."""
    return f"{source().removeprefix('https://')}/go"


def npm(folder: Path, edition: Path, version: str) -> None:
    """Make the tarball of the npm package."""
    work = folder / "work"
    shutil.copytree(SOURCES / "npm", work)
    shutil.copy(spec.ROOT / "LICENSE", work)
    shutil.copy(EXAMPLES / "typescript" / "sign.ts", work / "src")
    manifest = json.loads((work / "package.json").read_text(encoding="utf-8"))
    manifest["version"] = version
    manifest["repository"] = {"type": "git", "url": f"git+{source()}.git"}
    (work / "package.json").write_text(editions.as_json(manifest), encoding="utf-8")
    types = work / "src" / "dcs.d.ts"
    run(MODULES / ".bin" / "openapi-typescript", edition, "--output", types, cwd=work)
    installed = work / "node_modules"
    installed.symlink_to(MODULES)
    run(MODULES / ".bin" / "tsc", cwd=work)
    installed.unlink()
    shutil.copy(types, work / "dist")
    # npm packs what it finds installed.
    for name in manifest["bundleDependencies"]:
        shutil.copytree(MODULES / name, installed / name)
    run("npm", "pack", "--silent", "--pack-destination", folder, cwd=work)
    shutil.rmtree(work)


def go(folder: Path, proxy: Path, edition: Path, version: str) -> None:
    """Make the Go module, and a proxy that has it."""
    shutil.copytree(SOURCES / "go", folder)
    shutil.copy(spec.ROOT / "LICENSE", folder)
    signer = (EXAMPLES / "go" / "sign.go").read_text(encoding="utf-8")
    signer = signer.replace("package main\n", "package dcs\n", 1)
    (folder / "sign.go").write_text(signer, encoding="utf-8")
    generator = ["go", "tool", "oapi-codegen", "-generate", "types,client", "-package", "dcs", "-o"]
    run(*generator, folder / "dcs.gen.go", edition, cwd=EXAMPLES / "go")
    # The versions that the example has been run with.
    needed = run("go", "list", "-m", "github.com/oapi-codegen/runtime", cwd=EXAMPLES / "go")
    manifest = f"module {module()}\n\ngo 1.25.0\n\nrequire {needed}"
    (folder / "go.mod").write_text(manifest, encoding="utf-8")
    run("go", "mod", "tidy", cwd=folder)
    run("go", "vet", "./...", cwd=folder)
    files = proxy / module() / "@v"
    files.mkdir(parents=True)
    (files / "list").write_text(f"v{version}\n")
    info = {"Version": f"v{version}", "Time": "2000-01-01T00:00:00Z"}
    (files / f"v{version}.info").write_text(json.dumps(info))
    shutil.copy(folder / "go.mod", files / f"v{version}.mod")
    with zipfile.ZipFile(files / f"v{version}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"{module()}@v{version}/{file.name}")


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command, and return its output.

    Raises:
        SystemExit: If it fails; the text has its output.
    """
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=os.environ)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def make(folder: Path) -> None:
    """Make all packages in a folder."""
    folder = folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "npm").mkdir(parents=True)
    api = spec.load()
    version = api["info"]["version"]
    edition = folder / "openapi.clients.yaml"
    edition.write_text(editions.dump(editions.clients(api), "openapi.yaml by an overlay"))
    npm(folder / "npm", edition, version)
    if shutil.which("go"):
        go(folder / "go", folder / "goproxy", edition, version)
    elif os.environ.get("CI") == "true":
        raise SystemExit("Go is needed for the Go module")
    else:
        print("The Go module is left out, for this machine has no go.")
    edition.unlink()


def main() -> int:
    """Run the command line; the result is the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where to make them")
    make(parser.parse_args().folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
