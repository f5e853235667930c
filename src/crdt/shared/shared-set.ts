import { FlockError } from "../../base/index.ts";
import type { DocumentName } from "../../protocol/index.ts";
import type { Received } from "./guard.ts";
import type { SharedDocument } from "./shared-document.ts";

/** The shared documents that are open, and those that open because something arrived for them. */
export interface SharedSet extends Iterable<SharedDocument> {
  get(name: string): SharedDocument | undefined;
  /** Opens a document and keeps it. */
  open(name: string): Promise<SharedDocument>;
  /** Hands over a message of the relay; a document that is not open yet is opened for it. */
  receive(name: DocumentName, payload: Uint8Array): void;
  joined(epoch: string): void;
  dropped(): void;
  /** Changes made here that the relay has not acknowledged. */
  readonly pending: number;
  /**
   * Resolves when everything that arrived is in the documents' databases.
   *
   * @throws `crdt/storage-failed`
   */
  confirm(): Promise<void>;
}

export interface SharedSetOptions {
  openDocument(name: string): Promise<SharedDocument>;
  /** Told what became of each message of the relay. */
  onReceived(name: DocumentName, received: Received): void;
  onFailed(error: unknown): void;
}

/** Messages for a document that is not open; without `opening` the last try has failed, and the next message tries again. */
interface Arrival {
  waiting: Uint8Array[];
  opening: Promise<void> | undefined;
}

/** Creates an empty set. */
export function createSharedSet({ openDocument, onReceived, onFailed }: SharedSetOptions): SharedSet {
  const documents = new Map<string, SharedDocument>();
  const arrivals = new Map<string, Arrival>();
  /** The epoch of the present connection, once it has joined. */
  let joinedEpoch: string | undefined;

  async function open(name: string): Promise<SharedDocument> {
    const document = await openDocument(name);
    documents.set(name, document);
    return document;
  }

  async function openFor(name: DocumentName, arrival: Arrival): Promise<void> {
    const document = await open(name.name);
    arrivals.delete(name.name);
    for (const payload of arrival.waiting) onReceived(name, document.receiveFromRelay(payload));
    if (joinedEpoch !== undefined) document.joined(joinedEpoch);
  }

  return {
    [Symbol.iterator]: () => documents.values(),
    get: (name) => documents.get(name),
    open,
    receive(name, payload) {
      const present = documents.get(name.name);
      if (present) {
        onReceived(name, present.receiveFromRelay(payload));
        return;
      }
      const arrival = arrivals.get(name.name) ?? { waiting: [], opening: undefined };
      arrivals.set(name.name, arrival);
      arrival.waiting.push(payload);
      if (arrival.opening) return;
      arrival.opening = openFor(name, arrival);
      arrival.opening.catch((failure: unknown) => {
        arrival.opening = undefined;
        onFailed(failure);
      });
    },
    joined(epoch) {
      joinedEpoch = epoch;
      for (const document of documents.values()) document.joined(epoch);
    },
    dropped() {
      joinedEpoch = undefined;
      for (const document of documents.values()) document.dropped();
    },
    get pending() {
      let pending = 0;
      for (const document of documents.values()) pending += document.pending;
      return pending;
    },
    async confirm() {
      for (const [name, { opening }] of arrivals) {
        if (!opening) {
          throw new FlockError(
            "crdt/storage-failed",
            `The document ${name} arrived and could not be opened on this device.`,
          );
        }
        await opening;
      }
      await Promise.all([...documents.values()].map((document) => document.confirm()));
    },
  };
}
