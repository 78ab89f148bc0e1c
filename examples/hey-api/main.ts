// The main job with the client of Hey API: find a session by its name, and end it.
import { hangUpClients, listClients, scanClients, showJobInfo, showNodesInformation } from "./dcs/index.js";
import { client } from "./dcs/client.gen.js";
import type { Session } from "./dcs/index.js";
import { sign } from "./sign.js";

const { DCS_ENDPOINT, DCS_TOKEN, DCS_ACCESS_KEY, DCS_SECRET_KEY, DCS_PROJECT_ID, DCS_INSTANCE_ID } =
  process.env as Record<string, string>;
// Small to show how pages are read; up to 1000 are allowed.
const LIMIT = 2;
const path = { project_id: DCS_PROJECT_ID!, instance_id: DCS_INSTANCE_ID! };
client.setConfig({ baseUrl: DCS_ENDPOINT! });
if (DCS_TOKEN) {
  client.setConfig({ auth: DCS_TOKEN });
} else {
  const key = { accessKey: DCS_ACCESS_KEY!, secretKey: DCS_SECRET_KEY! };
  client.interceptors.request.use((request) => sign(request, key));
}

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
  body: { node_id: node.node_id },
  throwOnError: true,
});
await wait(scan.data.job_id);

const sessions: Session[] = [];
for (;;) {
  const { data: page } = await listClients({
    path,
    query: { node_id: node.node_id, offset: sessions.length, limit: LIMIT },
    throwOnError: true,
  });
  sessions.push(...page.clients);
  if (page.clients.length === 0 || sessions.length >= page.count) break;
}
console.log(`sessions: ${sessions.length}`);

const worker = sessions.find((session) => session.name === "worker");
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

// The gateway in front of the service answers for these; the last answer is no JSON.
for (const job_id of ["gateway", "throttled", "unavailable"]) {
  const { error, response } = await showJobInfo({ path: { project_id: path.project_id, job_id } });
  console.log(`refused: ${response?.status} ${error?.error_code} ${error?.request_id}`);
}
