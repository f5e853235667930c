import { env } from "cloudflare:test";
import { expect } from "vitest";
import { createRelay, type RelayBindings, type RelayVariables } from "../../src/edge/index.ts";
import { origin } from "./relay-client.ts";

const { FLOCKSTATE_DEVELOPMENT: _, ...bindings } = env;

/** A relay with settings of its own, over the real rooms and the real bucket. */
export interface SetRelay {
  /** The headers of every request that was handed to a room. */
  readonly handed: Headers[];
  fetch(path: string, init?: RequestInit): Promise<Response>;
  upgrade(path: string, protocols?: readonly string[], headers?: Record<string, string>): Promise<Response>;
}

export function relayWith(variables: RelayVariables): SetRelay {
  const relay = createRelay();
  const handed: Headers[] = [];
  const ROOMS = {
    getByName(name: string) {
      const room = env.ROOMS.getByName(name);
      return {
        fetch(request: Request) {
          handed.push(request.headers);
          return room.fetch(request);
        },
      };
    },
  };
  const settings: RelayBindings = { ...bindings, ROOMS, ...variables };
  const fetch: SetRelay["fetch"] = async (path, init = {}) =>
    relay.fetch(new Request(path.startsWith("http") ? path : `${origin}${path}`, init), settings);
  return {
    handed,
    fetch,
    upgrade(path, protocols = [], headers = {}) {
      const offer = protocols.length > 0 && { "sec-websocket-protocol": protocols.join(", ") };
      return fetch(path, { headers: { upgrade: "websocket", ...offer, ...headers } });
    },
  };
}

/** The code with which the relay closed the socket that it accepted; undefined where it stays open. */
export async function closureOf(response: Response): Promise<{ code: number; reason: string } | undefined> {
  const socket = response.webSocket;
  if (!socket) throw new Error(`No WebSocket: ${response.status} ${await response.text()}`);
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.addEventListener("close", ({ code, reason }) => resolve({ code, reason })),
  );
  socket.accept();
  // One that the relay left open is closed from here; its answer to that is no refusal.
  socket.close(1000, "ours");
  const closure = await closed;
  return closure.code === 1000 ? undefined : closure;
}

/** Reads problem details. */
export async function problemOf(response: Response): Promise<Record<string, unknown>> {
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  return (await response.json()) as Record<string, unknown>;
}

/** The header that carries a token. */
export function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}
