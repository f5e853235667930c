import * as Y from "yjs";
import { FlockError } from "../base/index.ts";
import { decodeClocks, encodeClocks, encodeDocumentMessage, isResync } from "../protocol/index.ts";
import type { RelayLink } from "./transports/relay-link.ts";

/** Uploads one document that this replica's writers own, from what the relay has to what is here. */
export interface Outbound {
  /** Sends what is newer than what was sent, unless it is still being stored: then the caller pumps again. */
  pump(): void;
  /** A new connection: what was not acknowledged counts as unsent; without `resumed` all of it. */
  joined(resumed: boolean): void;
  /** The relay's clocks, after a gap or overlap: go on from there. */
  resync(stateVector: Uint8Array): void;
  /** The clock up to which the relay has a Yjs client of the document. */
  acknowledged(client: number): number;
  readonly complete: boolean;
}

export interface OutboundOptions {
  name: string;
  document: Y.Doc;
  link: Pick<RelayLink, "status" | "upload">;
  /** Whether everything the document holds is stored; while not, nothing is sent. */
  ready(): boolean;
  /** What an earlier session knows the relay to have, by Yjs client. */
  acknowledged?: ReadonlyMap<number, number>;
  onAcknowledged(): void;
  onRefused(error: FlockError): void;
}

/** Creates an outbound; it sends at `pump`. */
export function createOutbound(options: OutboundOptions): Outbound {
  const { name, document, link, ready, onAcknowledged, onRefused } = options;
  let acknowledged: ReadonlyMap<number, number> = options.acknowledged ?? new Map();
  let sent = acknowledged;
  let refused = false;
  let connection = 0;

  function clocks(): Map<number, number> {
    return decodeClocks(Y.encodeStateVector(document));
  }

  async function send(): Promise<void> {
    const upTo = clocks();
    const update = Y.encodeStateAsUpdate(document, encodeClocks(sent));
    sent = upTo;
    const current = connection;
    const outcome = await link.upload(name, encodeDocumentMessage({ type: "update", update }));
    if (current !== connection) return;
    if (outcome.kind === "acknowledged") {
      acknowledged = later(acknowledged, upTo);
      onAcknowledged();
    } else if (outcome.kind === "refused" && !isResync(outcome.code)) {
      refused = true;
      onRefused(
        new FlockError("crdt/refused", `The relay refused ${name} (${outcome.code}): ${outcome.message}`, {
          details: { code: outcome.code, document: name },
        }),
      );
    }
  }

  function pump(): void {
    if (refused || !ready() || link.status.get() !== "online" || covers(sent, clocks())) return;
    void send();
  }

  return {
    pump,
    joined(resumed) {
      connection++;
      if (!resumed) acknowledged = new Map();
      sent = acknowledged;
      refused = false;
      pump();
    },
    resync(stateVector) {
      acknowledged = decodeClocks(stateVector);
      sent = acknowledged;
      onAcknowledged();
      pump();
    },
    acknowledged: (client) => acknowledged.get(client) ?? 0,
    get complete() {
      return covers(acknowledged, clocks());
    },
  };
}

function covers(have: ReadonlyMap<number, number>, wanted: ReadonlyMap<number, number>): boolean {
  for (const [client, clock] of wanted) if ((have.get(client) ?? 0) < clock) return false;
  return true;
}

function later(a: ReadonlyMap<number, number>, b: ReadonlyMap<number, number>): Map<number, number> {
  const merged = new Map(a);
  for (const [client, clock] of b) merged.set(client, Math.max(clock, merged.get(client) ?? 0));
  return merged;
}
