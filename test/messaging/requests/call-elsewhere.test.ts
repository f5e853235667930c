import { describe, expect, it } from "vitest";
import { createEmitter, createStore } from "../../../src/base/index.ts";
import type { Signal } from "../../../src/crdt/index.ts";
import { callElsewhere } from "../../../src/messaging/requests/call-elsewhere.ts";
import type { ServiceCaller } from "../../../src/messaging/requests/call-here.ts";
import type { ExchangeOptions } from "../../../src/messaging/requests/exchanges.ts";
import { createServiceDesk } from "../../../src/messaging/requests/service-desk.ts";
import type { Json } from "../../../src/protocol/index.ts";
import { createManualClock, until } from "../../refstore/manual-clock.ts";

const server = "ben.server.s1";

/** A caller whose signals and messages are listed, and who is told what a test says. */
function setUp() {
  const clock = createManualClock();
  const received = createEmitter<Signal>();
  const sent: Record<string, Json>[] = [];
  const requests: ExchangeOptions[] = [];
  const ended: unknown[] = [];
  const waiting = new Set<unknown>();
  const caller = {
    writer: { id: "ann.asker.a1" },
    agent: "ann.asker",
    desk: createServiceDesk(),
    documents: {
      signals: {
        received,
        send({ body }: Signal) {
          sent.push(body as Record<string, Json>);
          return true;
        },
      },
      presence: {
        others: createStore([{ session: "S", writers: [server, "ben.other.o1"], awareness: null }]),
      },
      register: (id: string) =>
        id === server ? { consumers: { "own:service.lab": { filter: {}, lanes: {} } } } : undefined,
    },
    exchanges: {
      begin(_: unknown, options: ExchangeOptions) {
        requests.push(options);
        return { end: () => ended.push("end"), cancel: (reason: unknown) => ended.push(reason) };
      },
      assertOpen: () => undefined,
      whileOpen(fail: unknown) {
        waiting.add(fail);
        return () => void waiting.delete(fail);
      },
    },
    clock,
    random: (length: number) => new Uint8Array(length),
  } as unknown as ServiceCaller;
  const call = (signal?: AbortSignal) =>
    callElsewhere(
      caller,
      { name: "lab", to: "server" },
      { method: "add", input: 1, expiresAt: clock.now() + 30_000, signal, onProgress: undefined },
    );
  const hear = (body: object, from = server, to = "ann.asker.a1") =>
    received.emit({ from, to, body: { call: sent[0]?.call ?? "", ...body } as Json });
  return { clock, received, sent, requests, ended, waiting, call, hear };
}

const answer = { kind: "service-answer", answer: { output: 3 } };

describe("a call by signals, at its caller", () => {
  it("REQ-28: takes the answer of the agent that it called, and of no other", async () => {
    const { call, hear, sent, clock, waiting, received } = setUp();
    const answered = call();
    expect(sent).toMatchObject([{ kind: "service-call", service: "lab", method: "add", input: 1 }]);
    hear({ ...answer, answer: { output: "forged" } }, "mallory.server.m1");
    hear({ ...answer, answer: { output: "for another" } }, server, "ann.asker.a2");
    hear({ ...answer, call: "another" });
    hear({ ...answer, answer: "no answer" });
    hear({ kind: "service-answer" });
    hear(answer);
    expect(await answered).toEqual({ output: 3 });
    expect([clock.delays(), waiting.size, received.size]).toEqual([[], 0, 0]);
  });

  it("REQ-28: goes by its lane after 500 ms without a word, and takes the first answer of either way", async () => {
    const { call, hear, clock, requests, ended } = setUp();
    const answered = call();
    clock.advance(499);
    expect(requests).toEqual([]);
    clock.advance(1);
    expect(requests).toHaveLength(1);
    hear(answer);
    expect(await answered).toEqual({ output: 3 });
    expect(ended).toEqual(["end"]);
  });

  it("REQ-28: asks again what was accepted, and goes by its lane where nobody knows of it any more", async () => {
    const { call, hear, clock, sent, requests } = setUp();
    const answered = call();
    hear({ kind: "service-accepted" });
    clock.advance(1_999);
    expect(sent).toHaveLength(1);
    clock.advance(1);
    expect(sent).toHaveLength(2);
    expect(requests).toEqual([]);
    clock.advance(500);
    expect(requests).toHaveLength(1);
    requests[0]?.onReply({
      content: { output: 4 },
      from: "ben.server",
      id: "r",
      type: "service.lab",
    } as never);
    expect(await answered).toEqual({ output: 4 });
  });

  it("REQ-28: ends at its deadline and at an abort, and leaves nothing", async () => {
    const { call, hear, clock, sent, ended, waiting, received } = setUp();
    const late = expect(call()).rejects.toMatchObject({ code: "messaging/expired" });
    hear({ kind: "service-accepted" });
    clock.advance(30_000);
    await late;
    const controller = new AbortController();
    const aborted = expect(call(controller.signal)).rejects.toMatchObject({ name: "AbortError" });
    clock.advance(500);
    controller.abort();
    await aborted;
    expect(sent.at(-1)).toMatchObject({ kind: "service-cancel", service: "lab" });
    expect(ended).toContain(controller.signal.reason);
    await until(() => waiting.size === 0);
    expect([clock.delays(), received.size]).toEqual([[], 0]);
  });
});
