// Signs requests of the DCS API with an access key. Needs nothing but Node.js.
import { createHash, createHmac } from "node:crypto";

export interface Key {
  accessKey: string;
  secretKey: string;
  /** Belongs to temporary keys. */
  securityToken?: string;
}

/** Add the headers of a signature to a request that is ready to be sent. */
export async function sign(request: Request, key: Key): Promise<Request> {
  const url = new URL(request.url);
  const headers: Record<string, string> = {
    Host: url.host,
    "X-Sdk-Date": new Date().toISOString().replace(/[-:]|\.\d+/g, ""),
    ...(key.securityToken === undefined ? {} : { "X-Security-Token": key.securityToken }),
  };
  const body = new Uint8Array(await request.clone().arrayBuffer());
  const target = url.pathname + url.search;
  const signed = new Request(request);
  for (const [name, value] of Object.entries(headers)) {
    if (name !== "Host") signed.headers.set(name, value); // fetch writes it, as in the URL
  }
  signed.headers.set("Authorization", authorization(request.method, target, headers, body, key));
  return signed;
}

/** The value of the Authorization header, for the target and the headers that are sent. */
export function authorization(
  method: string,
  target: string,
  headers: Record<string, string>,
  body: Uint8Array,
  key: Key,
): string {
  const signed = new Map(
    Object.entries(headers)
      .filter(([name]) => !name.includes("_"))
      .map(([name, value]) => [name.toLowerCase(), value.trim()]),
  );
  const names = [...signed.keys()].sort();
  const [path = "", query = ""] = target.split(/\?(.*)/s);
  const canonical = [
    method.toUpperCase(),
    canonicalPath(path),
    canonicalQuery(query),
    ...names.map((name) => `${name}:${signed.get(name)}`),
    "",
    names.join(";"),
    sha256(body),
  ].join("\n");
  const text = `SDK-HMAC-SHA256\n${signed.get("x-sdk-date")}\n${sha256(canonical)}`;
  const signature = createHmac("sha256", key.secretKey).update(text).digest("hex");
  return `SDK-HMAC-SHA256 Access=${key.accessKey}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
}

function canonicalPath(path: string): string {
  return unescape(path).split("/").map(escape).join("/").replace(/\/?$/, "/");
}

function canonicalQuery(query: string): string {
  return query
    .split("&")
    .filter((part) => part !== "")
    .map((part) => {
      const [name = "", value = ""] = part.replaceAll("+", " ").split(/=(.*)/s);
      return [unescape(name), unescape(value)] as const;
    })
    .sort((a, b) => compare(a[0], b[0]) || compare(a[1], b[1]))
    .map(([name, value]) => `${escape(name)}=${escape(value)}`)
    .join("&");
}

// Texts of bytes, a character each: sorted by them, they are sorted by code point.
function unescape(text: string): string {
  return text.replace(/%([0-9A-F]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}

function escape(bytes: string): string {
  return bytes.replace(
    /[^A-Za-z0-9\-._~]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
