import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import createClient from "openapi-fetch";

const folder = mkdtempSync(join(tmpdir(), "dcs-"));
const file = join(folder, "ready.json");
let emulator;
let dcs;

beforeAll(async () => {
  emulator = spawn("dcs-sessions", ["emulator", "--port", "0", "--ready-file", file]);
  for (let attempt = 0; !dcs && attempt < 300; attempt++) {
    try {
      dcs = JSON.parse(readFileSync(file, "utf8"));
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}, 30_000);

afterAll(async () => {
  emulator.kill("SIGINT");
  await new Promise((resolve) => emulator.once("exit", resolve));
  rmSync(folder, { recursive: true });
});

test("the local DCS has one node", async () => {
  const client = createClient({ baseUrl: dcs.endpoint, headers: { "X-Auth-Token": dcs.token } });
  const { data } = await client.GET("/v2/{project_id}/instances/{instance_id}/logical-nodes", {
    params: { path: { project_id: dcs.project_id, instance_id: dcs.instance_id } },
  });
  expect(data.nodes.map((node) => node.node_id)).toEqual(dcs.node_ids);
});
