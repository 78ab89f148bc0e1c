// The main job with the axios client of OpenAPI Generator: find a session by its name, and end it.
import axios, { isAxiosError } from "axios";
import { Configuration, JobsApi, NodesApi, SessionsApi } from "./dcs/index.js";
import type { ErrorBody, Session } from "./dcs/index.js";
import { authorization } from "./sign.js";

const { DCS_ENDPOINT, DCS_TOKEN, DCS_ACCESS_KEY, DCS_SECRET_KEY, DCS_PROJECT_ID, DCS_INSTANCE_ID } =
  process.env as Record<string, string>;
// Small to show how pages are read; up to 1000 are allowed.
const LIMIT = 2;
const ids = [DCS_PROJECT_ID!, DCS_INSTANCE_ID!] as const;
const configuration = new Configuration({
  basePath: DCS_ENDPOINT!,
  ...(DCS_TOKEN ? { apiKey: DCS_TOKEN } : {}),
});
// A redirect would take the token to another host.
const http = axios.create({ maxRedirects: 0 });
if (!DCS_TOKEN) {
  const key = { accessKey: DCS_ACCESS_KEY!, secretKey: DCS_SECRET_KEY! };
  http.interceptors.request.use((request) => {
    const url = new URL(axios.getUri(request));
    const date = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
    const headers = { Host: url.host, "X-Sdk-Date": date };
    const body = new TextEncoder().encode(request.data ?? "");
    request.headers.set("X-Sdk-Date", date);
    request.headers.set(
      "Authorization",
      authorization(request.method!, url.pathname + url.search, headers, body, key),
    );
    return request;
  });
}
const nodes = new NodesApi(configuration, undefined, http);
const jobs = new JobsApi(configuration, undefined, http);
const sessions = new SessionsApi(configuration, undefined, http);

async function wait(jobId: string): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    const { data: job } = await jobs.showJobInfo(ids[0], jobId);
    if (job.status === "SUCCESS") return;
    if (job.status === "FAIL") throw new Error(job.fail_reason ?? "no reason given");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${jobId} does not end`);
}

/** Print how a request is refused. The error that is thrown also has the credentials: do not print it. */
async function refused(request: Promise<unknown>): Promise<void> {
  try {
    await request;
  } catch (error) {
    if (!isAxiosError<ErrorBody>(error) || !error.response) throw error;
    const { status, data } = error.response;
    console.log(`refused: ${status} ${data.error_code} ${data.request_id}`);
  }
}

const list = (await nodes.showNodesInformation(...ids)).data;
const node = list.nodes[0]!;
console.log(`nodes: ${list.nodes.length}`);

const scan = await sessions.scanClients(...ids, { node_id: node.node_id });
await wait(scan.data.job_id);

const found: Session[] = [];
for (;;) {
  const { data: page } = await sessions.listClients(...ids, node.node_id, found.length, LIMIT);
  found.push(...page.clients);
  if (page.clients.length === 0 || found.length >= page.count) break;
}
console.log(`sessions: ${found.length}`);

const worker = found.find((session) => session.name === "worker");
if (!worker?.peer) throw new Error("no session is called worker");
await sessions.hangUpClients(...ids, { node_id: node.node_id, client_addrs: [worker.peer] });
console.log(`ended: ${worker.peer}`);

await refused(sessions.scanClients(...ids, { node_id: "no-such-node" }));
// The gateway in front of the service answers for these; the last answer is no JSON.
for (const job of ["gateway", "throttled", "unavailable"]) {
  await refused(jobs.showJobInfo(ids[0], job));
}
