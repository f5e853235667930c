import { describe, expect, it } from "vitest";
import * as z from "zod";
import { createEmitter } from "../../../src/base/index.ts";
import type { Signal } from "../../../src/crdt/index.ts";
import type { HandlerContext, ReceivedMessage } from "../../../src/messaging/index.ts";
import { defineService } from "../../../src/messaging/requests/define-service.ts";
import { serve } from "../../../src/messaging/requests/serve.ts";
import { createServiceDesk } from "../../../src/messaging/requests/service-desk.ts";
import type { Json } from "../../../src/protocol/index.ts";
import { createManualClock, until } from "../../refstore/manual-clock.ts";

const lab = defineService("lab", { hold: { input: z.unknown(), output: z.string() } });
const caller = "ann.asker.a1";

/** A serving agent whose signals are listed, and whose messages a test hands it. */
function setUp() {
  const clock = createManualClock();
  const received = createEmitter<Signal>();
  const sent: string[] = [];
  const held: { end(output: string): void; signal: AbortSignal }[] = [];
  const replies: unknown[] = [];
  let handle: (message: ReceivedMessage, context: HandlerContext) => Promise<void> = async () => undefined;
  let working = 0;
  const stop = serve(
    lab,
    { hold: (_, { signal }) => new Promise<string>((end) => held.push({ end, signal })) },
    {
      writer: { id: "ben.server.s1" },
      agent: "ben.server",
      desk: createServiceDesk(),
      signals: {
        received,
        send({ to, body }) {
          sent.push(`${to} ${(body as { kind: string }).kind}`);
          return true;
        },
      },
      clock,
      consume(handler) {
        handle = handler;
        return () => undefined;
      },
    },
  );
  return {
    clock,
    received,
    sent,
    held,
    replies,
    stop,
    working: () => working,
    hear: (body: object, to = "ben.server.s1") => received.emit({ from: caller, to, body: body as Json }),
    /** A message that calls is delivered. */
    deliver(controller = new AbortController(), content: Json = { method: "hold", call: "c1" }) {
      const message = {
        id: "ann.asker.a1/0-7/1",
        from: "ann.asker",
        role: "request",
        content,
        expiresAt: 61_000,
      };
      return handle(
        message as ReceivedMessage,
        {
          signal: controller.signal,
          working: () => working++,
          progress: () => undefined,
          respond: async (answer: Json) => void replies.push(answer),
        } as unknown as HandlerContext,
      );
    },
  };
}

const call = { kind: "service-call", service: "lab", call: "c1", method: "hold", expiresAt: 61_000 };

describe("an agent that serves", () => {
  it("REQ-31: hears the calls to its own writer and service, and of those its caller's cancellation", () => {
    const { hear, held, sent, received } = setUp();
    hear(call, "ben.other.o1");
    hear({ ...call, service: "other" });
    hear({ ...call, call: "no call" });
    expect([held.length, sent]).toEqual([0, []]);
    hear(call);
    expect([held.length, sent]).toEqual([1, [`${caller} service-accepted`]]);
    const cancel = { kind: "service-cancel", service: "lab", call: "c1" };
    received.emit({ from: "mallory.asker.m1", to: "ben.server.s1", body: cancel });
    expect(held[0]?.signal.aborted).toBe(false);
    hear(cancel);
    expect(held[0]?.signal.reason).toMatchObject({ code: "messaging/cancelled" });
  });

  it("REQ-31: executes a call once that comes by a signal and by a message, and says that it works on it", async () => {
    const { hear, held, sent, deliver, replies, clock, working } = setUp();
    hear(call);
    const delivered = deliver();
    clock.advance(12_000);
    expect([held.length, working()]).toEqual([1, 2]);
    held[0]?.end("done");
    await delivered;
    expect([replies, sent.at(-1)]).toEqual([[{ output: "done" }], `${caller} service-answer`]);
    await deliver();
    expect([replies.length, held.length, clock.delays()]).toEqual([2, 1, []]);
  });

  it("REQ-31: a delivery that is cut off is not answered, and executed anew when it comes again", async () => {
    const { held, deliver, replies, clock } = setUp();
    const controller = new AbortController();
    const failed = expect(deliver(controller)).rejects.toMatchObject({ code: "messaging/cancelled" });
    controller.abort(new Error("no word for too long"));
    expect(held[0]?.signal.aborted).toBe(true);
    held[0]?.end("too late");
    await failed;
    const again = deliver();
    await until(() => held.length === 2);
    held[1]?.end("at last");
    await again;
    expect([replies, clock.delays()]).toEqual([[{ output: "at last" }], []]);
  });

  it("REQ-31: takes a deadline that no timer can wait for as none", async () => {
    const { hear, held, clock, stop } = setUp();
    hear({ ...call, expiresAt: Number.MAX_SAFE_INTEGER });
    expect([held.length, clock.delays()]).toEqual([1, []]);
    stop();
  });

  it("REQ-42: a method that hears no abort keeps no message past its deadline", async () => {
    const { held, clock, deliver, hear, replies, sent } = setUp();
    const failed = expect(deliver()).rejects.toMatchObject({ code: "messaging/cancelled" });
    clock.advance(60_000);
    await failed;
    expect(clock.delays()).toEqual([]);
    held[0]?.end("too late");
    hear(call);
    await Promise.resolve();
    expect([held.length, replies, sent]).toEqual([1, [], []]);
  });

  it("REQ-31: stops with what it does, at the deadline and at its end", async () => {
    const { hear, held, clock, stop, deliver, sent } = setUp();
    hear({ ...call, call: "late" });
    clock.advance(60_000);
    expect(held[0]?.signal.reason).toMatchObject({ code: "messaging/expired" });
    const failed = expect(deliver()).rejects.toMatchObject({ code: "messaging/cancelled" });
    stop();
    await failed;
    expect(held[1]?.signal.reason).toMatchObject({ code: "room/closed" });
    held[1]?.end("unheard");
    hear({ ...call, expiresAt: 120_000 });
    expect([held.length, sent.length, clock.delays()]).toEqual([2, 1, []]);
  });
});
