import { describe, expect, it, onTestFinished } from "vitest";
import * as z from "zod";
import { createResponse, defineService, openRoom } from "../../../src/index.ts";
import type { FlockError } from "../../../src/index.ts";
import { createManualClock, until } from "../../refstore/manual-clock.ts";

async function open() {
  const clock = createManualClock();
  const room = await openRoom("team", { platform: { clock } });
  onTestFinished(() => room.close());
  const problems: FlockError[] = [];
  room.onProblem((problem) => problems.push(problem));
  return { room, clock, problems };
}

const lab = defineService("lab", {
  echo: { input: z.unknown(), output: z.unknown() },
  odd: { input: z.unknown(), output: z.unknown() },
});

describe("probe", () => {
  it("P1: cyclic input is refused", async () => {
    const { room } = await open();
    const [server, asker] = [await room.agent("server"), await room.agent("asker")];
    server.serve(lab, { echo: (x) => x, odd: () => undefined });
    const root: Record<string, unknown> = { gone: undefined };
    root.children = [1, 2, 3].map((n) => ({ n, parent: root }));
    await expect(asker.service(lab, { to: "server" }).echo(root)).rejects.toMatchObject({
      code: "messaging/invalid-content",
    });
  }, 5000);

  it("P2: a method that throws what has no words", async () => {
    const { room } = await open();
    const [server, asker] = [await room.agent("server"), await room.agent("asker")];
    server.serve(lab, {
      echo: (x) => x,
      odd: () => {
        throw Object.create(null);
      },
    });
    await expect(asker.service(lab, { to: "server" }).odd(1)).rejects.toMatchObject({
      code: "messaging/request-failed",
    });
  }, 3000);

  it("P2b: an error whose message is no text", async () => {
    const { room } = await open();
    const [server, asker] = [await room.agent("server"), await room.agent("asker")];
    server.serve(lab, {
      echo: (x) => x,
      odd: () => {
        throw Object.assign(new Error("x"), { message: 5 });
      },
    });
    await expect(asker.service(lab, { to: "server" }).odd(1)).rejects.toMatchObject({
      code: "messaging/request-failed",
    });
  }, 3000);

  it("P3: progress too large, held back", async () => {
    const { room, clock, problems } = await open();
    const [server, asker] = [await room.agent("server"), await room.agent("asker")];
    let ended = false;
    server.onMessage({ type: "QUERY" }, async (message, { progress, respond }) => {
      progress({ done: 0.1 });
      try {
        progress({ data: "x".repeat(200_000) });
      } catch (e) {
        expect(e).toMatchObject({ code: "messaging/invalid-message" });
      }
      await respond("ok");
      ended = true;
    });
    const reply = asker.request({ to: "server", type: "QUERY", content: 1 });
    await until(() => ended);
    clock.advance(300);
    expect((await reply).content).toBe("ok");
    expect(problems).toEqual([]);
  }, 3000);

  it("P4: a request with an idempotencyKey, twice", async () => {
    const { room } = await open();
    const [server, asker] = [await room.agent("server"), await room.agent("asker")];
    server.onMessage({ type: "QUERY" }, async (m, { respond }) => void (await respond("ok")));
    const ask = { to: "server", type: "QUERY", content: 1, idempotencyKey: "k" };
    for (let i = 0; i < 2; i++)
      await expect(asker.request(ask)).rejects.toMatchObject({ code: "messaging/invalid-message" });
  }, 3000);

  it("P5: a stream with an idempotencyKey, twice", async () => {
    const { room } = await open();
    const writer = await room.agent("writer");
    const message = { topic: "t", type: "DRAFT", idempotencyKey: "k" };
    const a = await writer.openStream(message).catch((e) => e);
    const b = await writer.openStream(message).catch((e) => e);
    expect(a).toMatchObject({ code: "messaging/invalid-message" });
    expect(b).toMatchObject({ code: "messaging/invalid-message" });
  }, 3000);

  it("P6: createResponse answers a request", async () => {
    const { room } = await open();
    const [server, asker] = [await room.agent("server"), await room.agent("asker")];
    server.onMessage({ type: "QUERY" }, async (m) => void (await server.send(createResponse(m, { content: "ok" }))));
    expect((await asker.request({ to: "server", type: "QUERY", content: 1 })).content).toBe("ok");
  }, 3000);

  it("P7: catch-all takes no service calls", async () => {
    const { room } = await open();
    const [server, asker] = [await room.agent("server"), await room.agent("asker")];
    const got: string[] = [];
    server.onMessage({}, ({ type }) => void got.push(type));
    const call = asker.service(lab, { to: "server" }).echo(1).catch(() => undefined);
    await asker.send({ to: "server", type: "STATUS", content: 1 });
    await asker.send({ to: "server", type: "service.restarted", content: 1 });
    await until(() => got.length >= 2);
    expect(got).toEqual(["STATUS", "service.restarted"]);
  }, 3000);

  it("P8: an application consumer named replies", async () => {
    const { room } = await open();
    const [server, asker] = [await room.agent("server"), await room.agent("asker")];
    server.onMessage({ type: "QUERY" }, async (m, { respond }) => void (await respond("ok")));
    asker.onMessage({ type: "STATUS" }, () => undefined, { consumer: "replies" });
    expect((await asker.request({ to: "server", type: "QUERY", content: 1 })).content).toBe("ok");
  }, 3000);

  it("P9: request given up", async () => {
    const { room } = await open();
    const [server, asker] = [await room.agent("server"), await room.agent("asker")];
    server.onMessage({ type: "QUERY" }, (m, { term }) => term("no idea"));
    await expect(asker.request({ to: "anon.server", type: "QUERY", content: 1 })).rejects.toMatchObject({
      code: "messaging/request-failed",
      details: { outcome: "terminated", reason: "no idea" },
    });
  }, 3000);

  it("P10: abort with a reason without words", async () => {
    const { room } = await open();
    const asker = await room.agent("asker");
    const controller = new AbortController();
    const ask = asker.request({ to: "x", type: "QUERY", content: 1 }, { signal: controller.signal });
    const failed = ask.catch((e) => ({ e }));
    await until(() => room.messages.get().length > 0);
    controller.abort(Object.create(null));
    await failed;
  }, 3000);

  it("P11: two consumers take a request; only one gives up", async () => {
    const { room } = await open();
    const [server, asker] = [await room.agent("server"), await room.agent("asker")];
    server.onMessage({ type: "QUERY" }, (m, { term }) => term("no idea"), { consumer: "a" });
    server.onMessage({ type: "QUERY" }, async (m, { respond }) => { await new Promise((r) => setTimeout(r, 100)); await respond("ok"); }, { consumer: "b" });
    expect((await asker.request({ to: "anon.server", type: "QUERY", content: 1 })).content).toBe("ok");
  }, 3000);
});
