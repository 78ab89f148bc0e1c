// A client of the DCS session API, typed by its contract.
import createFetchClient, { type Client, type ClientOptions } from "openapi-fetch";
import type { paths } from "./dcs.js";
import { sign, type Key } from "./sign.js";

export type { components, operations, paths } from "./dcs.js";
export { authorization, sign, type Key } from "./sign.js";

/** A token, a function that returns one for each request, or an access key. */
export type Login = { token: string | (() => string | Promise<string>) } | Key;

/**
 * Return a client that authenticates each request.
 *
 * @param endpoint The URL of the service, without a path.
 * @param login How to authenticate.
 * @param options Further options of openapi-fetch.
 */
export function createClient(
  endpoint: string,
  login: Login,
  options: Omit<ClientOptions, "baseUrl" | "redirect"> = {},
): Client<paths> {
  // The service has no redirects, and fetch would send the token to wherever one leads.
  const client = createFetchClient<paths>({ ...options, baseUrl: endpoint, redirect: "error" });
  client.use({
    async onRequest({ request }) {
      if (!("token" in login)) return sign(request, login);
      const token = typeof login.token === "string" ? login.token : await login.token();
      request.headers.set("X-Auth-Token", token);
      return request;
    },
  });
  return client;
}
