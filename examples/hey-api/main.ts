// The main job with the client of Hey API: find a session by its name, and end it.
import { hangUpClients, listClients, scanClients, showJobInfo, showNodesInformation } from "./dcs/index.js";
import { client } from "./dcs/client.gen.js";

const { DCS_ENDPOINT, DCS_TOKEN, DCS_PROJECT_ID, DCS_INSTANCE_ID } = process.env as Record<string, string>;
const path = { project_id: DCS_PROJECT_ID!, instance_id: DCS_INSTANCE_ID! };
client.setConfig({ baseUrl: DCS_ENDPOINT!, headers: { "X-Auth-Token": DCS_TOKEN! } });

async function wait(jobId: string): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    const { data: job } = await showJobInfo({
      path: { project_id: path.project_id, job_id: jobId },
      throwOnError: true,
    });
    if (job.status === "SUCCESS") return;
    if (job.status === "FAIL") throw new Error(job.fail_reason ?? "no reason given");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${jobId} does not end`);
}

const { nodes } = (await showNodesInformation({ path, throwOnError: true })).data;
const node = nodes[0]!;
console.log(`nodes: ${nodes.length}`);

const scan = await scanClients({
  path,
  body: { node_id: node.node_id, clean_cache: true },
  throwOnError: true,
});
await wait(scan.data.job_id);

const { data: page } = await listClients({
  path,
  query: { node_id: node.node_id, limit: 1000 },
  throwOnError: true,
});
console.log(`sessions: ${page.count}`);

const worker = page.clients.find((session) => session.name === "worker");
if (!worker?.peer) throw new Error("no session is called worker");
await hangUpClients({
  path,
  body: { node_id: node.node_id, client_addrs: [worker.peer] },
  throwOnError: true,
});
console.log(`ended: ${worker.peer}`);

// Without throwOnError the error is a value, of the type that the contract gives it.
const { error, response } = await scanClients({ path, body: { node_id: "no-such-node" } });
console.log(`refused: ${response?.status} ${error?.error_code}`);
