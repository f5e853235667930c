import type * as Y from "yjs";
import type { Clock } from "../base/index.ts";
import { readDocumentName } from "../protocol/index.ts";
import { missingOf, type ReceivedDocuments } from "./lanes/received.ts";
import type { PresenceBoard } from "./presence.ts";
import type { Received } from "./shared/guard.ts";
import type { SharedSet } from "./shared/shared-set.ts";
import type { SignalBoard } from "./signals.ts";
import type { OpenTabChannel } from "./transports/port.ts";
import { openTabLink, type TabLink } from "./transports/tab-link.ts";
import type { OwnedName, WriterPool } from "./writers/writer-pool.ts";

export interface TabsOptions {
  name: string;
  session: string;
  clock: Clock;
  openChannel: OpenTabChannel;
  received: Pick<ReceivedDocuments, "stateVectors" | "missing">;
  pool: Pick<WriterPool, "stateVectors" | "documents" | "tabLeft">;
  shared: SharedSet;
  presence: PresenceBoard;
  signals: SignalBoard;
  /** Takes up an update of a lane or register. */
  take(name: OwnedName, update: Uint8Array): Received;
  /** An update was taken up. */
  onTaken(): void;
  /** A tab has told all that this one lacked, and whether it has caught up itself. */
  onAnswered(isCaughtUp: boolean): void;
  isCaughtUp(): boolean;
}

/** Exchanges a replica's documents and presence with the other tabs of its principal. */
export function openTabs(options: TabsOptions): TabLink {
  const { name, session, clock, openChannel, received, pool, shared, presence, signals } = options;

  function* sharedDocuments(): Iterable<[string, Y.Doc]> {
    for (const { name: own, document } of shared) yield [own, document];
  }

  function receive(from: string, update: Uint8Array): void {
    const parsed = readDocumentName(from);
    if (!parsed) return;
    if (parsed.kind === "shared") {
      if (shared.get(from)?.receiveFromTab(update).result === "gap") tabs.ask();
      return;
    }
    const { result } = options.take(parsed, update);
    if (result === "applied") options.onTaken();
    if (result === "gap") tabs.ask();
  }

  const tabs = openTabLink({
    name,
    session,
    clock,
    openChannel,
    events: {
      have: () => [...received.stateVectors(), ...pool.stateVectors()],
      *lacks(documents) {
        for (const [own] of received.stateVectors()) {
          const update = received.missing(own, documents.get(own));
          if (update) yield [own, update];
        }
        for (const [own, document] of [...pool.documents(), ...sharedDocuments()]) {
          const update = missingOf(document, documents.get(own));
          if (update) yield [own, update];
        }
      },
      received: receive,
      presence: (other) => presence.heardTab(other),
      signalled: (other, bytes) => signals.heardTab(other, bytes),
      left(other) {
        presence.lostTab(other);
        pool.tabLeft();
      },
      own: () => presence.own(),
      answered: options.onAnswered,
      isCaughtUp: options.isCaughtUp,
    },
  });
  return tabs;
}
