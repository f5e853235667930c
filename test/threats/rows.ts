/** Where a row of the table of threats is proven: a file and the beginning of a title in it. */
export interface Proof {
  file: string;
  title: string;
}

/** One thing that a malicious or broken replica can do. */
export interface Row {
  attack: string;
  /** At the relay, or before it. */
  relay: readonly Proof[];
  /** In clients, should it come past the relay. */
  client: readonly Proof[];
  /** Why one of both is not asked for. */
  because?: string;
}

const proofs = (file: string, ...titles: string[]): Proof[] => titles.map((title) => ({ file, title }));
const atRelay = (row: number, file = "updates"): Proof[] =>
  proofs(`threats/${file}.test.ts`, `THREAT-${file === "updates" ? "%i" : row} at the relay`);
const inClients = (row: number, file = "updates"): Proof[] =>
  proofs(`threats/${file}.test.ts`, `THREAT-${file === "updates" ? "%i" : row} in clients`);

/** Every row, by its number; a test holds each to the titles that it names. */
export const rows: Readonly<Record<number, Row>> = {
  1: {
    attack: "two contents for one clock of a Yjs client",
    relay: [
      ...atRelay(1),
      ...atRelay(1, "campaigns"),
      ...proofs("edge/room-socket.test.ts", "RELAY-12"),
      ...proofs("protocol/gate/lane.test.ts", "GATE-19: THREAT-1"),
    ],
    client: [...inClients(1), ...inClients(1, "campaigns")],
  },
  2: {
    attack: "a collected struct claims a victim's clocks",
    relay: [...atRelay(2), ...atRelay(2, "campaigns")],
    client: inClients(2),
  },
  3: {
    attack: "a delete set deletes what is to come",
    relay: [...atRelay(3), ...atRelay(3, "campaigns")],
    client: inClients(3),
  },
  4: {
    attack: "dependencies are missing",
    relay: [
      ...atRelay(4),
      ...atRelay(4, "campaigns"),
      ...proofs("threats/intruder.test.ts", "THREAT-4"),
      ...proofs("properties/stock.test.ts", "THREAT-4"),
      ...proofs("properties/stock-rooms.test.ts", "THREAT-4"),
    ],
    client: [...inClients(4), ...inClients(4, "campaigns")],
  },
  5: { attack: "a struct refers to its own future", relay: atRelay(5), client: inClients(5) },
  6: {
    attack: "a value is nested too deep",
    relay: [...atRelay(6), ...atRelay(6, "campaigns"), ...proofs("edge/threats.test.ts", "THREAT-6")],
    client: inClients(6),
  },
  7: {
    attack: "shared types are nested too deep",
    relay: [...atRelay(7), ...atRelay(7, "campaigns"), ...proofs("edge/threats.test.ts", "THREAT-7")],
    client: inClients(7),
  },
  8: {
    attack: "crafted right origins, and many structs",
    relay: [...atRelay(8), ...atRelay(8, "campaigns"), ...proofs("properties/stock.test.ts", "THREAT-8")],
    client: [...inClients(8), ...inClients(8, "orders")],
  },
  9: {
    attack: "a few bytes announce millions of structs",
    relay: [...atRelay(9), ...proofs("protocol/gate/heap.test.ts", "GATE-1: THREAT-9")],
    client: inClients(9),
  },
  10: {
    attack: "an origin that does not lie before its right origin",
    relay: [],
    client: inClients(10, "orders"),
    because: "the relay holds no list",
  },
  11: { attack: "a form that apply and merge read differently", relay: atRelay(11), client: inClients(11) },
  12: { attack: "structs that take no clock", relay: atRelay(12), client: inClients(12) },
  13: {
    attack: "`__proto__` as a key",
    relay: atRelay(13),
    client: [...inClients(13), ...inClients(13, "reading")],
  },
  14: { attack: "subdocuments", relay: atRelay(14), client: inClients(14) },
  15: {
    attack: "a shared type of another kind under a known name",
    relay: [],
    client: inClients(15, "reading"),
    because: "the relay knows no schema",
  },
  16: {
    attack: "presence and signals: forged, locked out, malformed, flooded",
    relay: [
      ...atRelay(16, "presence"),
      ...proofs("edge-core/presence.test.ts", "STOCK-11", "PRES-10"),
      ...proofs("edge-core/signals.test.ts", "SIG-6", "SIG-7"),
    ],
    client: inClients(16, "presence"),
  },
  17: {
    attack: "small questions with large answers",
    relay: atRelay(17, "presence"),
    client: [],
    because: "clients answer the relay alone, and with what it lacks",
  },
  18: {
    attack: "a token stream that cuts a surrogate pair",
    relay: [],
    client: [],
    because: "streams come with a later version; on the wire the halves are U+FFFD already",
  },
  19: {
    attack: "blobs: wrong, cut short, active in a browser, another room's",
    relay: proofs("edge/blobs.test.ts", "BLOB-2", "BLOB-3", "BLOB-6", "BLOB-8"),
    client: proofs("refstore/layered.test.ts", "one from the remote is not kept"),
  },
  20: {
    attack: "tokens that do not hold, or do not allow it",
    relay: [
      ...atRelay(20, "grants"),
      ...proofs("edge/tokens.test.ts", "TOKEN-1"),
      ...proofs("edge/token-sockets.test.ts", "TOKEN-10", "TOKEN-11", "TOKEN-13"),
      ...proofs("edge/origins.test.ts", "ORIGIN-4"),
    ],
    client: [],
    because: "a replica has no say in what its own token allows",
  },
  21: {
    attack: "tokens in URLs and logs",
    relay: [
      ...proofs("edge/tokens.test.ts", "TOKEN-7"),
      ...proofs("edge-core/operations-log.test.ts", "LOG-2: no token"),
    ],
    client: [],
    because: "the relay's own log is the one that would hold them",
  },
};
