import { parentPort } from "node:worker_threads";
import { WebSocket } from "ws";
import { openRoom, type RoomPlatform } from "../../src/index.ts";
import type { ReaderTask } from "./reader-thread.ts";

const platform: RoomPlatform = { WebSocket: WebSocket as unknown as NonNullable<RoomPlatform["WebSocket"]> };

// A thread of its own, as a reader elsewhere has. It serves one room after another, so that its code is compiled.
parentPort?.on("message", async ({ relay, room: id, count }: ReaderTask) => {
  const room = await openRoom(id, { relay, platform });
  const agent = await room.agent("receiver");
  let handled = 0;
  agent.onMessage({ type: "FIRST" }, () => parentPort?.postMessage("met"));
  agent.onMessage({ type: "RATE" }, async () => {
    if (++handled < count) return;
    parentPort?.postMessage("done");
    await room.close();
  });
});
