import { readFileSync } from "node:fs";
import { authorization } from "./sign.js";

const { vectors } = JSON.parse(readFileSync("../../signing-vectors.json", "utf8"));

test.each(vectors)("$name", ({ input, expected }) => {
  const key = { accessKey: input.access_key, secretKey: input.secret_key };
  const body = new TextEncoder().encode(input.body ?? "");
  const { request_target, headers } = expected;
  expect(authorization(input.method, request_target, headers, body, key)).toBe(expected.authorization);
});
