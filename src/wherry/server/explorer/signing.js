// Signatures of requests by SDK-HMAC-SHA256, as the control plane checks them.
// Only headers that a page may set are signed: Host and User-Agent belong to the browser.

import { hmacSha256, sha256 } from "./sha256.js";

const ALGORITHM = "SDK-HMAC-SHA256";

/** Return *text* percent-encoded as signatures want it: everything but letters, digits, and -_.~ */
export function encoded(text) {
  return encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Return a moment as X-Sdk-Date says it: 20260128T093000Z. */
export function sdkDate(moment) {
  return `${moment.toISOString().slice(0, 19).replace(/[-:]/g, "")}Z`;
}

/** Return a query string for *pairs* of names and values, in the order of the canonical request. */
export function queryString(pairs) {
  return [...pairs]
    .sort((one, other) => order(one[0], other[0]) || order(one[1], other[1]))
    .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
    .join("&");
}

function order(one, other) {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

/**
 * Return the value of Authorization.
 *
 * request: method, path (percent-encoded), query (of `queryString`), headers (an object, names in lower case, all of
 * which are signed, x-sdk-date among them), body (text).
 */
export async function authorization(request, accessKey, secretKey, hashes = bestHashes()) {
  const names = Object.keys(request.headers).sort();
  const canonical = [
    request.method,
    request.path.endsWith("/") ? request.path : `${request.path}/`,
    request.query,
    ...names.map((name) => `${name}:${request.headers[name].trim()}`),
    "",
    names.join(";"),
    hex(await hashes.digest(bytesOf(request.body))),
  ].join("\n");
  const toSign = [ALGORITHM, request.headers["x-sdk-date"], hex(await hashes.digest(bytesOf(canonical)))].join("\n");
  const signature = hex(await hashes.hmac(bytesOf(secretKey), bytesOf(toSign)));
  return `${ALGORITHM} Access=${accessKey}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
}

/** SHA-256 and HMAC by the page itself. */
export const OWN_HASHES = {
  digest: async (bytes) => sha256(bytes),
  hmac: async (key, message) => hmacSha256(key, message),
};

/** The same by the browser. */
export const BROWSER_HASHES = {
  digest: async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)),
  hmac: async (key, message) => {
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const imported = await crypto.subtle.importKey("raw", key, algorithm, false, ["sign"]);
    return new Uint8Array(await crypto.subtle.sign("HMAC", imported, message));
  },
};

function bestHashes() {
  return globalThis.crypto?.subtle ? BROWSER_HASHES : OWN_HASHES;
}

function bytesOf(text) {
  return new TextEncoder().encode(text);
}

function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
