import { type Clock, createStore, type FlockError, type RandomBytes, type Store } from "../base/index.ts";
import { decodeDocumentMessage, type Presence, parseDocumentName } from "../protocol/index.ts";
import { encodePresence } from "./announcement.ts";
import type { CaughtUp } from "./caught-up.ts";
import { createGaps, type Gaps } from "./lanes/gaps.ts";
import type { PresenceBoard } from "./presence.ts";
import type { ProblemReport } from "./problem-report.ts";
import type { Saver } from "./saver.ts";
import type { Received } from "./shared/guard.ts";
import type { SharedSet } from "./shared/shared-set.ts";
import type { SignalBoard } from "./signals.ts";
import type { OpenSocket } from "./transports/port.ts";
import { type Cursor, createRelayLink, type RelayLink } from "./transports/relay-link.ts";
import type { TokenSource } from "./transports/token-source.ts";
import type { OwnedName, WriterPool } from "./writers/writer-pool.ts";

export interface RelayExchangeOptions {
  url: string;
  openSocket: OpenSocket;
  tokens: TokenSource | undefined;
  principal: string;
  clock: Clock;
  random: RandomBytes;
  /** Up to where this replica has what the relay told. */
  cursor: Cursor;
  report: ProblemReport;
  saver: Saver;
  shared: SharedSet;
  caughtUp: CaughtUp;
  /** What is made over the link, and so after it. */
  parts(): { pool: WriterPool; presence: PresenceBoard; signals: SignalBoard };
  /** Takes up an update of a lane or register. */
  take(name: OwnedName, update: Uint8Array): Received;
  /** The relay has told everything. */
  onJoined(): void;
}

/** A replica's documents and presence, exchanged with the relay. */
export interface RelayExchange {
  readonly link: RelayLink;
  /** Whether the relay has told everything, on the present connection. */
  readonly online: Store<boolean>;
  /** What became of updates is seen to: a gap asks for one whole join, and what stays unfilled or is refused is told. */
  readonly settle: Gaps["settle"];
  connect(): void;
  /** Says who is here; what is too large is told, and not sent. */
  announce(own: Presence): void;
  /** Joins anew, for everything that the relay has. */
  rejoin(): void;
}

/** Creates the exchange; it goes to the network at `connect`. */
export function createRelayExchange(options: RelayExchangeOptions): RelayExchange {
  const { report, saver, shared, caughtUp, parts } = options;
  const online = createStore(false);
  let { cursor } = options;

  function offer(): void {
    shared.joined(cursor.epoch);
    parts().pool.joined(cursor.epoch);
  }

  function receive(name: string, payload: Uint8Array): void {
    const parsed = parseDocumentName(name);
    if (parsed.kind === "shared") {
      shared.receive(parsed, payload);
      return;
    }
    const message = decodeDocumentMessage(payload);
    if (message.type === "step1") parts().pool.resync(parsed.writer, name, message.stateVector);
    else if (message.type === "update" || message.type === "step2") {
      gaps.settle(parsed, options.take(parsed, message.update));
    }
  }

  const { url, openSocket, tokens, principal, clock, random } = options;
  const link = createRelayLink({
    url,
    openSocket,
    tokens,
    principal,
    clock,
    random,
    events: {
      cursor: () => cursor,
      welcomed(epoch, resumed) {
        if (!resumed) cursor = { epoch, sequence: 0 };
        caughtUp.welcomed();
      },
      message: receive,
      advanced(reached) {
        cursor = reached;
        saver.note(reached);
      },
      joined() {
        gaps.joined();
        offer();
        online.set(true);
        caughtUp.joined();
        options.onJoined();
      },
      released() {
        report.released();
        offer();
      },
      presences: (entries) => parts().presence.heardRelay(entries),
      signalled: (from, bytes) => parts().signals.heardRelay(from, bytes),
      dropped() {
        shared.dropped();
        parts().presence.lostRelay();
        online.set(false);
        caughtUp.dropped();
      },
      problem: report.tell,
    },
  });

  function rejoin(): void {
    cursor = { epoch: "", sequence: 0 };
    link.rejoin();
  }

  const gaps = createGaps({
    rejoin,
    onProblem: (error) => report.problems.emit(error),
  });

  return {
    link,
    online,
    settle: gaps.settle,
    announce(own) {
      try {
        link.announce(encodePresence(own));
      } catch (failure) {
        report.problems.emit(failure as FlockError);
      }
    },
    rejoin,
    connect() {
      gaps.reset();
      link.connect();
    },
  };
}
