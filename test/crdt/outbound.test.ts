import { describe, expect, it } from "vitest";
import * as Y from "yjs";
import { createStore, type FlockError } from "../../src/base/index.ts";
import { sourceOf } from "../../src/crdt/lanes/upload-source.ts";
import type { LinkState } from "../../src/crdt/transports/port.ts";
import type { UploadOutcome } from "../../src/crdt/transports/uploads.ts";
import { createOutbound } from "../../src/crdt/writers/outbound.ts";
import { decodeDocumentMessage, encodeClocks, isResync } from "../../src/protocol/index.ts";
import { settle } from "./fake-relay.ts";

const client = 7;

function setUp({ acknowledged = 0 } = {}) {
  const document = new Y.Doc();
  document.clientID = client;
  const status = createStore<LinkState>("offline");
  const uploads: { from: number; to: number; answer(outcome: UploadOutcome): Promise<void> }[] = [];
  const refusals: FlockError[] = [];
  const state = { ready: true, acknowledgements: 0 };
  const outbound = createOutbound({
    name: "lane/a.b.c/0-7",
    source: sourceOf(document),
    link: {
      status,
      upload(_, payload) {
        const message = decodeDocumentMessage(payload);
        if (message.type !== "update") throw new Error("An update was expected.");
        const { from, to } = Y.parseUpdateMeta(message.update);
        return new Promise((resolve) => {
          uploads.push({
            from: from.get(client) ?? 0,
            to: to.get(client) ?? 0,
            answer(outcome) {
              resolve(outcome);
              return settle();
            },
          });
        });
      },
    },
    ready: () => state.ready,
    acknowledged: new Map([[client, acknowledged]]),
    onAcknowledged: () => state.acknowledgements++,
    onRefused: (error) => refusals.push(error),
  });
  const write = () => {
    document.getArray("b").push([[new Uint8Array([1])]]);
    outbound.pump();
  };
  const join = (resumed = true) => {
    status.set("online");
    outbound.joined(resumed);
  };
  const ranges = () => uploads.map(({ from, to }) => `${from}-${to}`);
  return { outbound, document, status, uploads, refusals, state, write, join, ranges };
}

const acknowledged: UploadOutcome = { kind: "acknowledged" };
const gap: UploadOutcome = { kind: "refused", code: "gate/gap", message: "" };

describe("outbound", () => {
  it("OUT-1: nothing is sent offline, nor while it is being stored; then all of it, once", () => {
    const { write, join, ranges, state, outbound } = setUp();
    write();
    write();
    expect(ranges()).toEqual([]);
    state.ready = false;
    join();
    expect(ranges()).toEqual([]);
    state.ready = true;
    outbound.pump();
    outbound.pump();
    expect(ranges()).toEqual(["0-2"]);
    write();
    expect(ranges()).toEqual(["0-2", "2-3"]);
  });

  it("OUT-1: what an earlier session knows to be there is not sent again; a relay that lost it gets all", () => {
    const { write, join, ranges } = setUp({ acknowledged: 2 });
    for (let count = 0; count < 3; count++) write();
    join();
    join(false);
    expect(ranges()).toEqual(["2-3", "0-3"]);
  });

  it("OUT-2: acknowledgements add up, in any order", async () => {
    const { write, join, uploads, outbound, state } = setUp();
    join();
    write();
    write();
    expect([outbound.complete, outbound.acknowledged(client)]).toEqual([false, 0]);
    await uploads[1]?.answer(acknowledged);
    await uploads[0]?.answer(acknowledged);
    expect([outbound.complete, outbound.acknowledged(client), state.acknowledgements]).toEqual([true, 2, 2]);
  });

  it("OUT-3: after a gap the relay's clocks say where to go on", async () => {
    const { write, join, uploads, ranges, outbound } = setUp({ acknowledged: 2 });
    for (let count = 0; count < 3; count++) write();
    join();
    await uploads[0]?.answer(gap);
    expect(ranges()).toEqual(["2-3"]);
    outbound.resync(encodeClocks(new Map([[client, 1]])));
    expect(ranges()).toEqual(["2-3", "1-3"]);
    await uploads[1]?.answer(acknowledged);
    expect([outbound.complete, outbound.acknowledged(client)]).toEqual([true, 3]);
  });

  it("OUT-3: an overlap is answered alike, and sends nothing where the relay has it all", async () => {
    const { write, join, uploads, ranges, outbound } = setUp();
    write();
    join();
    await uploads[0]?.answer({ kind: "refused", code: "gate/overlap", message: "" });
    outbound.resync(encodeClocks(new Map([[client, 1]])));
    expect([ranges(), outbound.complete]).toEqual([["0-1"], true]);
    expect(["gate/gap", "gate/overlap", "gate/depth", ""].map(isResync)).toEqual([true, true, false, false]);
  });

  it("OUT-4: a refusal is reported and ends the sending of the document until the next connection", async () => {
    const { write, join, uploads, ranges, refusals } = setUp();
    join();
    write();
    await uploads[0]?.answer({ kind: "refused", code: "gate/origin", message: "why" });
    expect(refusals).toMatchObject([
      { code: "crdt/refused", details: { code: "gate/origin", document: "lane/a.b.c/0-7" } },
    ]);
    write();
    expect(ranges()).toEqual(["0-1"]);
    join();
    expect(ranges()).toEqual(["0-1", "0-2"]);
  });

  it("OUT-6: a page that was dropped is there, as far as its writer goes: nothing is reported, or sent again", async () => {
    const { write, join, uploads, ranges, outbound, refusals, state } = setUp();
    write();
    write();
    join();
    await uploads[0]?.answer({ kind: "refused", code: "edge/dropped", message: "" });
    expect([refusals, outbound.complete, outbound.acknowledged(client)]).toEqual([[], true, 2]);
    expect(state.acknowledgements).toBe(1);
    outbound.pump();
    join();
    expect(ranges()).toEqual(["0-2"]);
  });

  it("OUT-5: what was lost with its connection is sent on the next, and late answers of the old count for nothing", async () => {
    const { write, join, uploads, ranges, outbound, status } = setUp();
    join();
    write();
    status.set("offline");
    await uploads[0]?.answer({ kind: "lost" });
    expect(outbound.complete).toBe(false);
    join();
    expect(ranges()).toEqual(["0-1", "0-1"]);
    join(false);
    await uploads[1]?.answer(acknowledged);
    expect(outbound.acknowledged(client)).toBe(0);
    await uploads[2]?.answer(acknowledged);
    expect(outbound.complete).toBe(true);
  });
});
