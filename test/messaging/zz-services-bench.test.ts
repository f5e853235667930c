import { it } from "vitest";
import { openRoom, type StandardSchema } from "../../src/index.ts";
import { defineService } from "../../src/messaging/index.ts";

const pass = <T>(): StandardSchema<T> => ({
  "~standard": { version: 1, vendor: "t", validate: (value) => ({ value: value as T }) },
});
it("bench", async () => {
  const room = await openRoom("bench");
  const s = defineService("sum", {
    add: { input: pass<{ a: number; b: number }>(), output: pass<number>() },
  });
  const server = await room.agent("calc");
  server.serve(s, { add: ({ a, b }) => a + b });
  const asker = await room.agent("asker");
  const client = asker.service(s, { to: "calc" });
  for (let round = 0; round < 5; round++) {
    const n = 50_000;
    const t = performance.now();
    for (let i = 0; i < n; i++) await client.add({ a: i, b: 1 });
    console.log("seq us/call", ((performance.now() - t) * 1000) / n);
    const t2 = performance.now();
    for (let b = 0; b < n; b += 100)
      await Promise.all(Array.from({ length: 100 }, (_, i) => client.add({ a: i, b: 1 })));
    console.log("par us/call", ((performance.now() - t2) * 1000) / n);
  }
  await room.close();
});
