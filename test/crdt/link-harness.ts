import type { FlockError } from "../../src/base/index.ts";
import { type Cursor, createRelayLink } from "../../src/crdt/transports/relay-link.ts";
import { createTokenSource } from "../../src/crdt/transports/token-source.ts";
import type { UploadOutcome } from "../../src/crdt/transports/uploads.ts";
import { encodeDocumentMessage } from "../../src/protocol/index.ts";
import { createManualClock } from "../refstore/manual-clock.ts";
import { createFakeRelay } from "./fake-relay.ts";

/** An upload of so many bytes. */
export const update = (length = 3) =>
  encodeDocumentMessage({ type: "update", update: new Uint8Array(length) });

export interface LinkOptions {
  /** Every random byte. Default 255. */
  roll?: number;
  token?: () => string | Promise<string>;
}

/** A link to a relay that does what the test says. */
export function setUp({ roll = 255, token }: LinkOptions = {}) {
  const relay = createFakeRelay();
  const clock = createManualClock();
  const heard: string[] = [];
  const problems: FlockError[] = [];
  const hooks: { message?: (name: string) => void } = {};
  const state = { cursor: { epoch: "", sequence: 0 } as Cursor };
  const link = createRelayLink({
    url: "ws://relay.example/v1/rooms/team/socket",
    principal: "anon",
    tokens: token && createTokenSource(token),
    openSocket: relay.openSocket,
    clock,
    random: (length) => new Uint8Array(length).fill(roll),
    events: {
      cursor: () => state.cursor,
      welcomed: (epoch, resumed) => heard.push(`welcomed ${epoch} ${resumed}`),
      message(name, payload) {
        heard.push(`message ${name} ${payload.length}`);
        hooks.message?.(name);
      },
      advanced: ({ epoch, sequence }) => heard.push(`advanced ${epoch} ${sequence}`),
      joined: () => heard.push("joined"),
      released: () => heard.push("released"),
      presences: (entries) => heard.push(`presences ${entries.length}`),
      signalled: (from, bytes) => heard.push(`signalled ${from} ${bytes.join()}`),
      dropped: () => heard.push("dropped"),
      problem: (error) => problems.push(error),
    },
  });
  return { relay, clock, heard, problems, hooks, state, link };
}

/** A link that has joined. */
export function online(options?: LinkOptions) {
  const made = setUp(options);
  made.link.connect();
  made.relay.last.join();
  made.heard.length = 0;
  return made;
}

/** Collects outcomes as they come. */
export function follow(...uploads: Promise<UploadOutcome>[]): string[] {
  const outcomes: string[] = [];
  uploads.forEach((upload, index) => {
    void upload.then((outcome) =>
      outcomes.push(`${index} ${outcome.kind}${outcome.kind === "refused" ? ` ${outcome.code}` : ""}`),
    );
  });
  return outcomes;
}
