import { FlockError } from "../base/index.ts";

/** Where a relay is, by the scheme of each of its uses. */
export interface RelayAddress {
  host: string;
  http: string;
  webSocket: string;
}

/** @throws `room/invalid-options` where the address is no URL of http(s) or ws(s) */
export function parseRelay(address: string): RelayAddress {
  let url: URL;
  try {
    url = new URL(address);
  } catch (cause) {
    throw invalidRelay(address, cause);
  }
  const isSecure = url.protocol === "https:" || url.protocol === "wss:";
  if (!isSecure && url.protocol !== "http:" && url.protocol !== "ws:") throw invalidRelay(address, undefined);
  const base = `${url.host}${url.pathname.replace(/\/+$/, "")}`;
  return {
    host: base,
    http: `${isSecure ? "https" : "http"}://${base}`,
    webSocket: `${isSecure ? "wss" : "ws"}://${base}`,
  };
}

function invalidRelay(address: string, cause: unknown): FlockError {
  return new FlockError(
    "room/invalid-options",
    `The relay's address ${JSON.stringify(address)} is not valid: use one like https://relay.example.com.`,
    { cause },
  );
}
