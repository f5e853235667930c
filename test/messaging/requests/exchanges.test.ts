import { expect, it } from "vitest";
import { createEmitter } from "../../../src/base/index.ts";
import type { Pen } from "../../../src/crdt/index.ts";
import { createEntryLog } from "../../../src/crdt/lanes/entry-log.ts";
import type { ReceivedMessage } from "../../../src/messaging/index.ts";
import { createExchanges } from "../../../src/messaging/requests/exchanges.ts";
import { readPage, writePage } from "../../crdt/lanes.ts";
import { createManualClock, until } from "../../refstore/manual-clock.ts";

const asker = "ann.asker.a1";

/** Exchanges over a log into which a test writes the replies, before or after the request's id is known. */
function setUp() {
  const log = createEntryLog();
  const page = writePage(0, 7);
  const updates: Uint8Array[] = [];
  const problems: string[] = [];
  let sent: (id: string) => void = () => undefined;
  let bring: (reply: ReceivedMessage) => Promise<void> = async () => undefined;
  const exchanges = createExchanges({
    writer: { id: asker } as Pen,
    documents: { log, registers: () => new Map(), registerChanged: createEmitter<string>() },
    clock: createManualClock(),
    send: () =>
      new Promise((resolve) => {
        sent = (id) => resolve({ id });
      }),
    resolve: (message) => message as ReceivedMessage,
    openReplies(handle) {
      bring = handle;
      return () => undefined;
    },
    hasAsked: true,
    onProblem: ({ code }) => problems.push(code),
  });
  return {
    log,
    exchanges,
    problems,
    sent: (id: string) => sent(id),
    bring: (reply: object) => bring(reply as ReceivedMessage),
    reply(parent: string) {
      const body = {
        schemaVersion: "1.0",
        content: 1,
        type: "QUERY_RESPONSE",
        to: asker,
        role: "reply",
        parent,
      };
      updates.push(page.append({ bodies: [body as never], kind: "message" }));
      log.take("ben.critic.c1", readPage(page.name, updates));
    },
  };
}

it("REQ-32: a reply counts that is here before the request's id is, by the log or by the consumer", async () => {
  for (const isBrought of [false, true]) {
    const { exchanges, sent, reply, bring, problems, log } = setUp();
    const replies: unknown[] = [];
    const exchange = exchanges.begin(
      { to: "critic", type: "QUERY", content: 1 },
      {
        expiresAt: 60_000,
        onReply: ({ content }) => replies.push(content),
        onUnreadable: (failure) => expect.unreachable(String(failure)),
        onFailed: (failure) => expect.unreachable(String(failure)),
      },
    );
    await Promise.resolve();
    const id = `${asker}/0-7/0`;
    if (isBrought)
      void bring({
        id: "ben.critic.c1/0-7/0",
        parent: id,
        writer: "ben.critic.c1",
        from: "ben.critic",
        content: 1,
      });
    else {
      reply(`${asker}/0-7/1`);
      reply(id);
    }
    sent(id);
    await until(() => replies.length === 1);
    exchange.end({ satisfied: true });
    expect([problems, log.added.size]).toEqual([[], 0]);
  }
});

it("REQ-40: what was answered by another way before its id was known thinks nothing of a reply; a time-out does", async () => {
  for (const satisfied of [true, false]) {
    const { exchanges, sent, bring, problems } = setUp();
    const exchange = exchanges.begin(
      { to: "critic", type: "QUERY", content: 1 },
      {
        expiresAt: 60_000,
        onReply: () => expect.unreachable(),
        onUnreadable: (failure) => expect.unreachable(String(failure)),
        onFailed: (failure) => expect.unreachable(String(failure)),
      },
    );
    await Promise.resolve();
    exchange.end({ satisfied });
    const parent = `${asker}/0-7/0`;
    const brought = bring({ id: "ben.critic.c1/0-7/0", parent, writer: "ben.critic.c1", from: "ben.critic" });
    sent(parent);
    await brought;
    expect(problems).toEqual(satisfied ? [] : ["messaging/late-reply"]);
  }
});
