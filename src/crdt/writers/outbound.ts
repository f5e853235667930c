import { FlockError } from "../../base/index.ts";
import { decodeClocks, encodeDocumentMessage, isResync } from "../../protocol/index.ts";
import type { UploadSource } from "../lanes/upload-source.ts";
import type { RelayLink } from "../transports/relay-link.ts";
import type { Clocks } from "./clocks.ts";

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
  source: UploadSource;
  link: Pick<RelayLink, "status" | "upload">;
  /** Whether everything the source holds is stored; while not, nothing is sent. */
  ready(): boolean;
  /** What an earlier session knows the relay to have, by Yjs client. */
  acknowledged?: Clocks;
  onAcknowledged(): void;
  onRefused(error: FlockError): void;
}

/** Creates an outbound; it sends at `pump`. */
export function createOutbound(options: OutboundOptions): Outbound {
  const { name, source, link, ready, onAcknowledged, onRefused } = options;
  let acknowledged: Clocks = options.acknowledged ?? new Map();
  let sent = acknowledged;
  let refused = false;
  let connection = 0;

  async function send(): Promise<void> {
    const upTo = source.clocks();
    const update = source.updateAfter(sent);
    sent = upTo;
    const current = connection;
    const outcome = await link.upload(name, encodeDocumentMessage({ type: "update", update }));
    if (current !== connection) return;
    // A page is dropped once it is sealed: a copy of its writer that comes later finds it in history.
    const isSealed = outcome.kind === "refused" && outcome.code === "edge/dropped";
    if (outcome.kind === "acknowledged" || isSealed) {
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
    if (refused || !ready() || link.status.get() !== "online" || covers(sent, source.clocks())) return;
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
      return covers(acknowledged, source.clocks());
    },
  };
}

function covers(have: Clocks, wanted: Clocks): boolean {
  for (const [client, clock] of wanted) if ((have.get(client) ?? 0) < clock) return false;
  return true;
}

function later(a: Clocks, b: Clocks): Map<number, number> {
  const merged = new Map(a);
  for (const [client, clock] of b) merged.set(client, Math.max(clock, merged.get(client) ?? 0));
  return merged;
}
