// The main job with openapi-fetch: find a session by its name, and end it.
import createClient from "openapi-fetch";
import type { components, paths } from "./dcs.js";
import { sign } from "./sign.js";

type DcsError = components["schemas"]["ErrorBody"];
type Session = components["schemas"]["Session"];

const { DCS_ENDPOINT, DCS_TOKEN, DCS_ACCESS_KEY, DCS_SECRET_KEY, DCS_PROJECT_ID, DCS_INSTANCE_ID } =
  process.env as Record<string, string>;
// Small to show how pages are read; up to 1000 are allowed.
const LIMIT = 2;
const path = { project_id: DCS_PROJECT_ID!, instance_id: DCS_INSTANCE_ID! };
const dcs = createClient<paths>({ baseUrl: DCS_ENDPOINT! });
dcs.use({
  async onRequest({ request }) {
    if (!DCS_TOKEN) return sign(request, { accessKey: DCS_ACCESS_KEY!, secretKey: DCS_SECRET_KEY! });
    request.headers.set("X-Auth-Token", DCS_TOKEN);
    return request;
  },
});

/** What an operation answered, or its error thrown. */
function answer<T>(result: { data?: T; error?: DcsError; response: Response }): T {
  if (result.error) throw new Error(`${result.response.status} ${result.error.error_code}: ${result.error.error_msg}`);
  return result.data as T;
}

async function wait(jobId: string): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    const job = answer(
      await dcs.GET("/v2/{project_id}/jobs/{job_id}", {
        params: { path: { project_id: path.project_id, job_id: jobId } },
      }),
    );
    if (job.status === "SUCCESS") return;
    if (job.status === "FAIL") throw new Error(job.fail_reason ?? "no reason given");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${jobId} does not end`);
}

const { nodes } = answer(
  await dcs.GET("/v2/{project_id}/instances/{instance_id}/logical-nodes", { params: { path } }),
);
const node = nodes[0]!;
console.log(`nodes: ${nodes.length}`);

const { job_id } = answer(
  await dcs.POST("/v2/{project_id}/instances/{instance_id}/clients", {
    params: { path },
    body: { node_id: node.node_id },
  }),
);
await wait(job_id);

const sessions: Session[] = [];
for (;;) {
  const page = answer(
    await dcs.GET("/v2/{project_id}/instances/{instance_id}/clients", {
      params: { path, query: { node_id: node.node_id, offset: sessions.length, limit: LIMIT } },
    }),
  );
  sessions.push(...page.clients);
  if (page.clients.length === 0 || sessions.length >= page.count) break;
}
console.log(`sessions: ${sessions.length}`);

const worker = sessions.find((session) => session.name === "worker");
if (!worker?.peer) throw new Error("no session is called worker");
answer(
  await dcs.POST("/v2/{project_id}/instances/{instance_id}/clients/kill", {
    params: { path },
    body: { node_id: node.node_id, client_addrs: [worker.peer] },
  }),
);
console.log(`ended: ${worker.peer}`);

const { error, response } = await dcs.POST("/v2/{project_id}/instances/{instance_id}/clients", {
  params: { path },
  body: { node_id: "no-such-node" },
});
console.log(`refused: ${response.status} ${error?.error_code}`);

// The gateway in front of the service answers for these; the last answer is no JSON.
for (const job_id of ["gateway", "throttled", "unavailable"]) {
  const { error, response } = await dcs.GET("/v2/{project_id}/jobs/{job_id}", {
    params: { path: { project_id: path.project_id, job_id } },
  });
  console.log(`refused: ${response.status} ${error?.error_code} ${error?.request_id}`);
}
