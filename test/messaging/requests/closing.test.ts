import { expect, it } from "vitest";
import * as z from "zod";
import { defineService, openRoom } from "../../../src/index.ts";
import { until } from "../../refstore/manual-clock.ts";
import { createCountingPlatform, nothing } from "../../room/platform.ts";

const lab = defineService("lab", { hold: { input: z.unknown(), output: z.unknown() } });

it("REQ-29: a room that closes in the middle of everything leaves no timer, and nobody waiting", async () => {
  const { platform, held } = createCountingPlatform();
  const room = await openRoom("team", { platform });
  const [asker, server] = [await room.agent("asker"), await room.agent("server")];
  let begun = 0;
  server.serve(lab, {
    hold(_, { progress }) {
      begun++;
      for (const done of [0.1, 0.2]) progress({ done });
      return new Promise(() => undefined);
    },
  });
  server.onMessage(
    { type: "QUERY" },
    async (message, { progress, respond }) => {
      begun++;
      for (const done of [0.1, 0.2]) progress({ done });
      await respond("first");
      await new Promise(() => undefined);
      await respond(message.content);
    },
    { order: "none", maxInFlight: 8 },
  );
  const client = asker.service(lab, { to: "server" });
  const question = { to: "server", type: "QUERY", content: 1 };
  const replies = asker.requestMany(question, { stallMs: 60_000 });
  expect((await replies.next()).value?.content).toBe("first");
  const waiting = [
    client.hold(1, { onProgress: () => undefined }),
    client.hold(2),
    asker.request({ ...question, type: "NOBODY" }),
    asker.request({ to: "server", type: "service.lab", content: { method: "hold", input: 3 } }),
    asker.service(lab, { to: "elsewhere" }).hold(4),
    replies.next(),
  ];
  asker.requestMany(question);
  await until(() => begun === 4);
  waiting.push(asker.request({ ...question, type: "NOBODY" }), client.hold(5));
  const ended = waiting.map((each) => expect(each).rejects.toMatchObject({ code: "room/closed" }));
  await room.close();
  await Promise.all(ended);
  expect(held()).toEqual(nothing);
});
