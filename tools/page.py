"""Make the page that the emulator shows at `/`: the contract, and a form to try each operation.

It is one file without any address outside of it, which the wheel carries. The emulator serves it as
it is, and knows as little of the contract as without it. `make docs` makes the page to read.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dcs_sessions import emulator
from tools import spec

if TYPE_CHECKING:
    from tools.spec import Node

PAGE = spec.ROOT / "src" / "dcs_sessions" / "emulator" / "page.html"
# Of what is bundled in the page, with all that its authors ask to be kept.
LICENSES = PAGE.with_name("page.licenses.txt")
SWAGGER_UI = spec.ROOT / "tools" / "node_modules" / "swagger-ui-dist"
# What the forms are filled with: what every emulator has that was not told otherwise.
VALUES = {
    "project_id": emulator.PROJECT_ID,
    "instance_id": emulator.INSTANCE_ID,
    "node_id": emulator.node_id(0),
}
TEMPLATE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>DCS sessions: a local DCS</title>
<link rel="icon" href="data:,">
<style>{style}</style>
<style>body {{ margin: 0 }} .responses-inner {{ overflow-x: auto }}</style>
<div id="page"></div>
<script>{script}</script>
<script>
const page = SwaggerUIBundle({{
  spec: {api},
  domNode: document.getElementById("page"),
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  tryItOutEnabled: true,
  validatorUrl: null,
  onComplete: () => page.preauthorizeApiKey("token", {token}),
}});
</script>
</html>
"""


def local() -> Node:
    """Return the contract with the address and the IDs of the emulator."""
    api = spec.load()
    api["servers"] = [{"url": "/", "description": "This local DCS"}]
    for path in api["paths"].values():
        for part in path.values():
            parameters = part if isinstance(part, list) else part.get("parameters", [])
            for parameter in (spec.resolve(api, each) for each in parameters):
                if parameter["name"] in VALUES:
                    parameter["example"] = VALUES[parameter["name"]]
            if isinstance(part, dict) and "requestBody" in part:
                (media,) = part["requestBody"]["content"].values()
                for example in media["examples"].values():
                    for name in VALUES.keys() & example["value"].keys():
                        example["value"][name] = VALUES[name]
    return api


def bundled() -> dict[str, str]:
    """Return `name`, `version` and `license` of the npm package that the page contains."""
    package = json.loads((SWAGGER_UI / "package.json").read_text(encoding="utf-8"))
    return {name: package[name] for name in ("name", "version", "license")}


def licenses() -> str:
    """Return the licences of what the page contains."""
    package = bundled()
    parts = [f"page.html contains {package['name']} {package['version']}, with these licences."]
    for name in ("LICENSE", "NOTICE", "swagger-ui-bundle.js.LICENSE.txt"):
        text = (SWAGGER_UI / name).read_text(encoding="utf-8").strip()
        parts.append(f"{'=' * 80}\n{package['name']}/{name}\n{'=' * 80}\n\n{text}")
    return "\n\n".join(parts) + "\n"


def script(text: str) -> str:
    """Return a string escaped for a script in a page."""
    return text.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def main() -> None:
    """Write the page and its licences."""
    LICENSES.write_text(licenses(), encoding="utf-8", newline="\n")
    page = TEMPLATE.format(
        style=(SWAGGER_UI / "swagger-ui.css").read_text(encoding="utf-8"),
        script=script((SWAGGER_UI / "swagger-ui-bundle.js").read_text(encoding="utf-8")),
        api=script(json.dumps(local(), separators=(",", ":"))),
        token=json.dumps(emulator.TOKEN),
    )
    PAGE.write_text(page, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
