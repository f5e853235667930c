import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type CallBook,
  type CallBookEffect,
  type CallBookEvent,
  createCallBook,
  stepCallBook,
} from "../../src/messaging/requests/call-book.ts";
import {
  acceptMs,
  firstOffer,
  type SignalCall,
  type SignalCallEvent,
  stepSignalCall,
} from "../../src/messaging/requests/signal-call.ts";
import type { ServiceAnswer } from "../../src/protocol/index.ts";

const answer: ServiceAnswer = { output: 3 };
const key = "alice.asker/c1";

/** The effects of events, in turn, on one book. */
function play(book: CallBook, ...events: CallBookEvent[]): CallBookEffect[] {
  return events.flatMap((event) => stepCallBook(book, event));
}

const signalled: CallBookEvent = { type: "signalled", key, from: "alice.asker.x", expiresAt: 10, now: 1 };
const executed: CallBookEvent = { type: "executed", key, answer };

describe("a book of calls", () => {
  it("REQ-20: executes a call once, whatever comes of it again", () => {
    const book = createCallBook();
    const again: CallBookEvent = { ...signalled, from: "alice.asker.y" };
    expect(play(book, signalled, again, { type: "requested", key, request: "m" })).toEqual([
      { type: "accept", key, to: "alice.asker.x" },
      { type: "execute", key },
      { type: "accept", key, to: "alice.asker.y" },
    ]);
    expect(play(book, executed, executed)).toEqual([
      { type: "answer", key, to: "alice.asker.y", answer },
      { type: "reply", request: "m", answer },
    ]);
    expect(play(book, signalled, { type: "requested", key, request: "n" })).toEqual([
      { type: "answer", key, to: "alice.asker.x", answer },
      { type: "reply", request: "n", answer },
    ]);
  });

  it("REQ-20: takes no call that is past its deadline, nor one too many by signals", () => {
    expect(play(createCallBook(), { ...signalled, now: 10 })).toEqual([]);
    const book = createCallBook();
    for (let call = 0; call < 256; call++) play(book, { ...signalled, key: `alice.asker/${call}` });
    expect(play(book, signalled)).toEqual([]);
    expect(play(book, { type: "requested", key, request: "m" })).toEqual([{ type: "execute", key }]);
  });

  it("REQ-20: answers nothing that was taken back, and executes it anew where its message comes again", () => {
    const book = createCallBook();
    const cancelled: CallBookEvent = { type: "cancelled", key };
    play(book, signalled);
    expect(play(book, cancelled, cancelled)).toEqual([{ type: "abort", key }]);
    expect(play(book, executed, signalled)).toEqual([]);
    const other = createCallBook();
    const requested: CallBookEvent = { type: "requested", key, request: "m" };
    play(other, requested, { ...cancelled, isForgotten: true });
    expect(play(other, executed)).toEqual([{ type: "reply", request: "m", answer: undefined }]);
    expect(play(other, requested)).toEqual([{ type: "execute", key }]);
  });

  it("REQ-41: remembers the calls that ended last, however long they took, and of large answers 16 MiB", () => {
    const book = createCallBook();
    play(book, signalled);
    for (let call = 0; call < 300; call++) {
      const each = `alice.asker/${call}`;
      play(book, { ...signalled, key: each }, { type: "executed", key: each, answer });
    }
    play(book, executed);
    expect(play(book, { type: "requested", key, request: "m" })).toEqual([
      { type: "reply", request: "m", answer },
    ]);
    const large: ServiceAnswer = { output: "x".repeat(6 * 1024 * 1024) };
    for (let call = 0; call < 4; call++) {
      const each = `alice.asker/large-${call}`;
      play(book, { ...signalled, key: each }, { type: "executed", key: each, answer: large });
    }
    expect([...book.taken.keys()]).toEqual(["alice.asker/large-2", "alice.asker/large-3"]);
    const huge: ServiceAnswer = { output: "x".repeat(20 * 1024 * 1024) };
    play(book, signalled, { type: "executed", key, answer: huge });
    expect([...book.taken.keys()]).toEqual([key]);
    play(
      book,
      { ...signalled, key: "alice.asker/small" },
      { type: "executed", key: "alice.asker/small", answer },
    );
    expect([[...book.taken.keys()], book.bytes]).toEqual([
      ["alice.asker/small"],
      JSON.stringify(answer).length,
    ]);
  });

  it("REQ-42: a call that is past its deadline holds up no other, whenever its method ends", () => {
    const book = createCallBook();
    const expired: CallBookEvent = { type: "expired", key };
    play(book, signalled, { type: "requested", key, request: "m" });
    expect(play(book, expired, expired)).toEqual([
      { type: "abort", key },
      { type: "reply", request: "m", answer: undefined },
    ]);
    expect([book.running, play(book, executed, signalled)]).toEqual([0, []]);
    expect(play(book, { type: "requested", key, request: "n" })).toEqual([
      { type: "reply", request: "n", answer: undefined },
    ]);
  });

  it("REQ-20: remembers the newest 256 answers", () => {
    const book = createCallBook();
    for (let call = 0; call < 1_000; call++) {
      const each = `alice.asker/${call}`;
      play(book, { ...signalled, key: each }, { type: "executed", key: each, answer });
    }
    expect([book.taken.size, book.running]).toEqual([256, 0]);
    expect(play(book, { ...signalled, key: "alice.asker/999" })).toMatchObject([{ type: "answer" }]);
  });
});

/** What may be in the air between a caller and who serves. */
type Signal = { to: "server" | "caller"; said: "call" | "accepted" | "answer" | "by-lane" };

/** Chances, drawn by fast-check: which signal is next, and what becomes of it. */
type Turn = { pick: number; fate: "deliver" | "lose" | "repeat" | "wait" | "finish" };

interface Outcome {
  executions: number;
  finished: ServiceAnswer[];
}

/** Plays one call over a network that loses, repeats and reorders signals; messages arrive, perhaps twice. */
function playCall(
  turns: readonly Turn[],
  { isLarge, step = stepCallBook }: { isLarge: boolean; step?: typeof stepCallBook },
): Outcome {
  const book = createCallBook();
  const air: Signal[] = [];
  const lane: string[] = [];
  const finished: ServiceAnswer[] = [];
  let call: SignalCall = firstOffer.call;
  let executions = 0;
  let running = 0;
  let timers = 0;

  function serve(event: CallBookEvent): void {
    for (const effect of step(book, event)) {
      if (effect.type === "execute") {
        executions++;
        running++;
      } else if (effect.type === "accept") air.push({ to: "caller", said: "accepted" });
      else if (effect.type === "answer") air.push({ to: "caller", said: isLarge ? "by-lane" : "answer" });
      else if (effect.type === "reply" && effect.answer) ask({ type: "answered", answer: effect.answer });
    }
  }

  function ask(event: SignalCallEvent): void {
    const next = stepSignalCall(call, event);
    call = next.call;
    perform(next.effects);
  }

  function perform(effects: typeof firstOffer.effects): void {
    for (const effect of effects) {
      if (effect.type === "offer") air.push({ to: "server", said: "call" });
      else if (effect.type === "wait") timers = 1;
      else if (effect.type === "request") lane.push("m", "m");
      else finished.push(effect.answer);
    }
  }

  function arrive({ to, said }: Signal): void {
    if (to === "server") serve({ type: "signalled", key, from: "alice.asker.x", expiresAt: 10, now: 1 });
    else if (said === "answer") ask({ type: "answered", answer });
    else if (said !== "call") ask({ type: said });
  }

  function finish(): void {
    if (running === 0) return;
    running--;
    serve({ type: "executed", key, answer });
  }

  function wait(): void {
    if (timers === 0) return;
    timers = 0;
    ask({ type: "waited" });
  }

  perform(firstOffer.effects);
  for (const { pick, fate } of turns) {
    if (fate === "wait") wait();
    else if (fate === "finish") finish();
    else {
      const [signal] = air.splice(pick % Math.max(1, air.length), 1);
      if (signal && fate !== "lose") arrive(signal);
      if (signal && fate === "repeat") air.push(signal);
    }
  }
  // From here on every signal is lost, and what is left is for messages to bring.
  for (let rounds = 0; rounds < 20 && finished.length === 0; rounds++) {
    wait();
    finish();
    for (const request of lane.splice(0)) serve({ type: "requested", key, request });
    finish();
  }
  return { executions, finished };
}

const turn: fc.Arbitrary<Turn> = fc.record({
  pick: fc.nat(7),
  fate: fc.constantFrom("deliver", "deliver", "lose", "repeat", "wait", "finish"),
});
const plan = fc.tuple(fc.array(turn, { maxLength: 40 }), fc.boolean());

describe("a call by signals", () => {
  it("REQ-21: is answered once and executed once, whatever is lost, repeated or out of order", () => {
    fc.assert(
      fc.property(plan, ([turns, isLarge]) => {
        expect(playCall(turns, { isLarge })).toEqual({ executions: 1, finished: [answer] });
      }),
      { numRuns: 2_000 },
    );
  });

  it("REQ-21: control: a book that forgets what it has answered executes twice", () => {
    const forgetful: typeof stepCallBook = (book, event) => {
      const effects = stepCallBook(book, event);
      if (event.type === "executed") book.taken.delete(event.key);
      return effects;
    };
    const broken = fc.check(
      fc.property(plan, ([turns, isLarge]) => playCall(turns, { isLarge, step: forgetful }).executions === 1),
      { numRuns: 2_000 },
    );
    expect(broken.failed).toBe(true);
  });

  it("REQ-21: control: a book that answers no message leaves the caller without an answer", () => {
    const deaf: typeof stepCallBook = (book, event) =>
      stepCallBook(book, event).filter(({ type }) => type !== "reply");
    const broken = fc.check(
      fc.property(plan, ([turns, isLarge]) => playCall(turns, { isLarge, step: deaf }).finished.length === 1),
      { numRuns: 2_000 },
    );
    expect(broken.failed).toBe(true);
  });

  it("REQ-21: waits 500 ms for a word, and asks an accepted call ever more rarely", () => {
    let call: SignalCall = firstOffer.call;
    const waits: number[] = [];
    for (let probe = 0; probe < 6; probe++) {
      for (const event of [{ type: "accepted" }, { type: "waited" }] as const) {
        const next = stepSignalCall(call, event);
        call = next.call;
        for (const effect of next.effects) if (effect.type === "wait") waits.push(effect.ms);
      }
    }
    expect(waits).toEqual([2_000, 500, 4_000, 500, 8_000, 500, 16_000, 500, 30_000, 500, 30_000, 500]);
    expect(firstOffer.effects[0]).toEqual({ type: "wait", ms: acceptMs });
    expect(stepSignalCall(call, { type: "waited" })).toEqual({
      call: { phase: "durable" },
      effects: [{ type: "request" }],
    });
  });
});
