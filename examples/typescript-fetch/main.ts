// The main job with the fetch client of OpenAPI Generator: find a session by its name, and end it.
import { Configuration, JobsApi, NodesApi, ResponseError, SessionsApi } from "./dcs/index.js";
import { ErrorBodyFromJSON } from "./dcs/index.js";
import type { FetchParams, RequestContext, Session } from "./dcs/index.js";
import { sign } from "./sign.js";

const { DCS_ENDPOINT, DCS_TOKEN, DCS_ACCESS_KEY, DCS_SECRET_KEY, DCS_PROJECT_ID, DCS_INSTANCE_ID } =
  process.env as Record<string, string>;
// Small to show how pages are read; up to 1000 are allowed.
const LIMIT = 2;
const ids = { projectId: DCS_PROJECT_ID!, instanceId: DCS_INSTANCE_ID! };
const key = { accessKey: DCS_ACCESS_KEY!, secretKey: DCS_SECRET_KEY! };

async function signed({ url, init }: RequestContext): Promise<FetchParams> {
  const { headers } = await sign(new Request(url, init), key);
  return { url, init: { ...init, headers } };
}

const configuration = new Configuration({
  basePath: DCS_ENDPOINT!,
  // A redirect would take the token to another host.
  fetchApi: (url, init) => fetch(url, { ...init, redirect: "error" }),
  ...(DCS_TOKEN ? { apiKey: DCS_TOKEN } : { middleware: [{ pre: signed }] }),
});
const nodes = new NodesApi(configuration);
const jobs = new JobsApi(configuration);
const sessions = new SessionsApi(configuration);

async function wait(jobId: string): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    const job = await jobs.showJobInfo({ projectId: ids.projectId, jobId });
    if (job.status === "SUCCESS") return;
    if (job.status === "FAIL") throw new Error(job.failReason ?? "no reason given");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${jobId} does not end`);
}

/** Print how a request is refused. */
async function refused(request: Promise<unknown>): Promise<void> {
  try {
    await request;
  } catch (error) {
    if (!(error instanceof ResponseError)) throw error;
    // The last answer is no JSON.
    const body = ErrorBodyFromJSON(await error.response.json().catch(() => ({})));
    console.log(`refused: ${error.response.status} ${body.errorCode} ${body.requestId}`);
  }
}

const list = await nodes.showNodesInformation(ids);
const node = list.nodes[0]!;
console.log(`nodes: ${list.nodes.length}`);

const scan = await sessions.scanClients({ ...ids, scanRequest: { nodeId: node.nodeId } });
await wait(scan.jobId);

const found: Session[] = [];
for (;;) {
  const page = await sessions.listClients({
    ...ids,
    nodeId: node.nodeId,
    offset: found.length,
    limit: LIMIT,
  });
  found.push(...page.clients);
  if (page.clients.length === 0 || found.length >= page.count) break;
}
console.log(`sessions: ${found.length}`);

const worker = found.find((session) => session.name === "worker");
if (!worker?.peer) throw new Error("no session is called worker");
await sessions.hangUpClients({
  ...ids,
  killRequest: { nodeId: node.nodeId, clientAddrs: [worker.peer] },
});
console.log(`ended: ${worker.peer}`);

await refused(sessions.scanClients({ ...ids, scanRequest: { nodeId: "no-such-node" } }));
// The gateway in front of the service answers for these.
for (const jobId of ["gateway", "throttled", "unavailable"]) {
  await refused(jobs.showJobInfo({ projectId: ids.projectId, jobId }));
}
