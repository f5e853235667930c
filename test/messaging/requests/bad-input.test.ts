import { describe, expect, it, onTestFinished } from "vitest";
import * as z from "zod";
import { createResponse, defineService, openRoom } from "../../../src/index.ts";
import { createManualClock, until } from "../../refstore/manual-clock.ts";

const lab = defineService("lab", {
  echo: { input: z.unknown(), output: z.unknown() },
  run: { input: z.unknown(), output: z.unknown() },
});

/** What a method or an abort gives for a reason, and nobody can read. */
const wordless: unknown[] = [
  Object.create(null),
  Object.assign(new Error(), { message: 5 }),
  Object.defineProperty(new Error(), "message", {
    get() {
      throw new RangeError("no words");
    },
  }),
  { toString: () => ({}) },
];

async function open() {
  const clock = createManualClock();
  const room = await openRoom("team", { platform: { clock } });
  onTestFinished(() => room.close());
  const problems: string[] = [];
  room.onProblem(({ code }) => problems.push(code));
  const [server, asker] = [await room.agent("server"), await room.agent("asker")];
  return { room, clock, problems, server, asker, client: asker.service(lab, { to: "server" }) };
}

describe("calls", () => {
  it("REQ-35: a method that throws what has no words fails as any other", async () => {
    const { server, client } = await open();
    server.serve(lab, {
      echo: (value) => value,
      run: (index) => {
        throw wordless[Number(index)];
      },
    });
    for (const index of wordless.keys()) {
      await expect(client.run(index)).rejects.toMatchObject({ code: "messaging/request-failed" });
    }
  });

  it("REQ-35: an abort whose reason has no words takes the request back", async () => {
    const { room, asker } = await open();
    for (const [index, reason] of wordless.entries()) {
      const controller = new AbortController();
      const asked = asker.request({ to: "nobody", type: "QUERY", content: 1 }, { signal: controller.signal });
      const failed = asked.then(
        () => "answered",
        (failure: unknown) => failure === reason,
      );
      await until(() => room.messages.get().length === index + 1);
      controller.abort(reason);
      expect(await failed).toBe(true);
    }
    let cancels = 0;
    for await (const _ of room.history({ kind: "cancel" })) cancels++;
    expect(cancels).toBe(wordless.length);
  });

  it("REQ-36: an input or output that leads back to itself is refused at once, however it branches", async () => {
    const { server, client } = await open();
    const root: Record<string, unknown> = { none: undefined };
    root["children"] = Array.from({ length: 9 }, (_, index) => ({ index, parent: root }));
    server.serve(lab, { echo: (value) => value, run: () => root });
    await expect(client.echo(root)).rejects.toMatchObject({ code: "messaging/invalid-content" });
    await expect(client.run(1)).rejects.toMatchObject({ code: "messaging/invalid-content" });
    expect(await client.echo({ a: undefined, b: [{ c: undefined, d: 1 }] })).toStrictEqual({ b: [{ d: 1 }] });
  });
});

describe("messages of the library's own roles", () => {
  it("REQ-37: a request, or a stream, has no key of its own: a second one would be the first", async () => {
    const { asker } = await open();
    const message = { to: "server", type: "QUERY", content: 1, idempotencyKey: "k" };
    const refused = { code: "messaging/invalid-message", details: { path: "idempotencyKey" } };
    await expect(asker.request(message)).rejects.toMatchObject(refused);
    await expect(asker.requestMany(message).next()).rejects.toMatchObject(refused);
    await expect(asker.openStream(message)).rejects.toMatchObject(refused);
  });

  it("REQ-38: what createResponse makes of a request is its reply, whoever sends it", async () => {
    const { server, asker } = await open();
    server.onMessage({ type: "QUERY" }, async (message) => {
      await server.send(createResponse(message, { content: "by hand" }));
    });
    expect((await asker.request({ to: "server", type: "QUERY", content: 1 })).content).toBe("by hand");
  });

  it("REQ-39: no consumer of an application is in the way of the library's own", async () => {
    const { server, asker, client } = await open();
    asker.onMessage({ type: "STATUS" }, () => undefined, { consumer: "replies" });
    asker.onMessage({ replies: true }, () => undefined);
    server.onMessage({ type: "STATUS" }, () => undefined, { consumer: "service.lab" });
    server.onMessage({ type: "QUERY" }, (_, { respond }) => respond("here"));
    server.serve(lab, { echo: (value) => value, run: () => null });
    expect((await asker.request({ to: "server", type: "QUERY", content: 1 })).content).toBe("here");
    expect(await client.echo(1)).toBe(1);
    const take = (): unknown => asker.onMessage({}, () => undefined, { consumer: "own:replies" });
    expect(take).toThrow(expect.objectContaining({ code: "messaging/invalid-filter" }));
  });

  it("REQ-33: a consumer of every type is given no calls of services", async () => {
    const { server, asker, client } = await open();
    const given: string[] = [];
    server.onMessage({}, ({ type }) => void given.push(type));
    const call = client.echo(1).catch(({ code }) => code);
    await asker.send({ to: "server", type: "service.restarted", content: 1 });
    await asker.send({ to: "server", type: "STATUS", content: 1 });
    await until(() => given.includes("STATUS"));
    expect(given).toEqual(["service.restarted", "STATUS"]);
    server.serve(lab, { echo: (value) => value, run: () => null });
    expect(await call).toBe(1);
  });
});

describe("progress", () => {
  it("SIG-11: a method's faulty report is refused, whether or not its caller listens", async () => {
    const { server, client } = await open();
    server.serve(lab, {
      echo: (value) => value,
      run: (_, { progress }) => progress({ done: 2 }),
    });
    for (const options of [{}, { onProgress: () => undefined }]) {
      await expect(client.run(1, options)).rejects.toMatchObject({
        code: "messaging/request-failed",
        message: expect.stringContaining("not valid at done"),
      });
    }
  });

  it("SIG-11: a report that no signal holds is refused at once, and the delivery settles", async () => {
    const { server, asker, clock, problems } = await open();
    const refused: unknown[] = [];
    server.onMessage({ type: "QUERY" }, async (_, { progress, respond }) => {
      progress({ done: 0 });
      try {
        progress({ data: "x".repeat(9_000) });
      } catch (failure) {
        refused.push(failure);
      }
      progress({ data: "x".repeat(8_000) });
      await respond("done");
    });
    const told: number[] = [];
    const onProgress = ({ data }: { data?: unknown }) => void told.push(String(data ?? "").length);
    const reply = asker.request({ to: "server", type: "QUERY", content: 1 }, { onProgress });
    expect((await reply).content).toBe("done");
    clock.advance(1_000);
    expect(refused).toMatchObject([{ code: "messaging/invalid-message" }]);
    expect([told, problems]).toEqual([[0, 8_000], []]);
  });
});
