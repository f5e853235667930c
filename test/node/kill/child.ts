import { writeSync } from "node:fs";
import { createRequire } from "node:module";
import type { Persistence } from "../../../src/crdt/index.ts";
import { map, openRoom } from "../../../src/index.ts";
import { createNodePlatform, type SqliteClass } from "../../../src/node/index.ts";
import type { ChildOptions, Said } from "./child-process.ts";

// A process of its own that writes until it is killed, or as much as it was told to, and says what was promised to it.

const {
  driver,
  driversDir,
  directory,
  room: id,
  life,
  writes,
  lie,
} = JSON.parse(process.argv[2] ?? "") as ChildOptions;
const load = createRequire(driversDir);
const Sqlite: SqliteClass = driver === "node:sqlite" ? load(driver).DatabaseSync : load(driver);
const maxBurst = 8;
const pauseMs = 2;

/** At once, and whole: what was promised a moment before the kill counts. */
function say(said: Said): void {
  writeSync(1, `${JSON.stringify(said)}\n`);
}

/** Promises what it has not done. */
function lying(persistence: Persistence): Persistence {
  return {
    ...persistence,
    async open(name) {
      const store = await persistence.open(name);
      const late: Parameters<typeof store.write>[0][] = [];
      return {
        ...store,
        async write(change) {
          if (late.push(change) > maxBurst) for (const each of late.splice(0)) void store.write(each);
        },
      };
    },
  };
}

const platform = createNodePlatform({ directory, sqlite: Sqlite });
const room = await openRoom(id, {
  platform: { ...platform, ...(lie && { persistence: lying(platform.persistence) }) },
  state: { kept: map<string>() },
});
room.onProblem(({ code, message }) => say({ problem: `${code} ${message}` }));
const agent = await room.agent("worker");
say({ writer: agent.writer });

for (let written = 0; writes === undefined || written < writes; ) {
  const promises: Promise<unknown>[] = [];
  for (let burst = 1 + (written % maxBurst); burst > 0; burst--) {
    const content = `${life}-${written++}`;
    const sent = await agent.send({ type: "STATUS", topic: "kept", content });
    promises.push(sent.settled("local").then(() => say({ message: sent.id, content })));
    const set = room.state.kept.set(content, content);
    promises.push(set.settled("local").then(() => say({ key: content })));
  }
  const content = `${life}-${written}`;
  promises.push(room.refs.put(new TextEncoder().encode(content)).then((put) => say({ reference: put.id })));
  await Promise.all(promises);
  await new Promise((resolve) => setTimeout(resolve, pauseMs));
}
await room.close();
say({ done: true });
