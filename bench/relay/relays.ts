import { hocuspocusProtocol } from "./protocols/hocuspocus.ts";
import { ourProtocol } from "./protocols/ours.ts";
import type { Protocol } from "./protocols/protocol.ts";
import { opaqueProtocol, prepareYjsMessages, yjsProtocol } from "./protocols/yjs.ts";

/** What is measured: how to speak to it, and which server of `servers.mjs` it is on. */
export interface Relay {
  id: string;
  server: string;
  protocol: Protocol;
}

/** Every relay, in the order of the tables: ours, peers, limits. */
export function createRelays(): Relay[] {
  const messages = prepareYjsMessages();
  const opaque = (id: string, server: string, name: string, path: (room: string) => string): Relay => ({
    id,
    server,
    protocol: opaqueProtocol(name, messages, path),
  });
  return [
    { id: "ours", server: "ours", protocol: ourProtocol("flockstate, lanes", "lanes") },
    { id: "ours-shared", server: "ours", protocol: ourProtocol("flockstate, one shared document", "shared") },
    {
      id: "ours-default-limits",
      server: "ours-default-limits",
      protocol: ourProtocol("flockstate, default limits", "lanes"),
    },
    { id: "hocuspocus", server: "hocuspocus", protocol: hocuspocusProtocol("Hocuspocus") },
    {
      id: "y-partyserver",
      server: "y-partyserver",
      protocol: yjsProtocol("y-partyserver, workerd", messages, (room) => `/parties/documents/${room}`),
    },
    {
      id: "y-websocket-server",
      server: "y-websocket-server",
      protocol: yjsProtocol("@y/websocket-server", messages, (room) => `/${room}`),
    },
    opaque(
      "broadcast-workerd-row",
      "broadcast-workerd",
      "limit: broadcast and a row, workerd",
      (room) => `/row/${room}`,
    ),
    opaque("broadcast-workerd", "broadcast-workerd", "limit: broadcast, workerd", (room) => `/plain/${room}`),
    opaque("broadcast-node", "broadcast-node", "limit: broadcast, Node ws", (room) => `/${room}`),
  ];
}
