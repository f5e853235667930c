import { performance } from "node:perf_hooks";
import { type Connection, openConnection, withLimit } from "../connection.ts";
import { createTally, readMarks } from "../marks.ts";
import { pour } from "./fan-out.ts";
import { newRoom, type Scenario, type Target } from "./scenario.ts";

const plainFrameBytes = 1024 * 1024;

/** A late joiner to a room with a long history. */
export function lateJoin(messages: number): Scenario {
  const filled = new Map<Target, { room: string; connections: Connection[] }>();

  async function fill(target: Target): Promise<string> {
    const known = filled.get(target);
    if (known) return known.room;
    const room = newRoom();
    const writer = await openConnection(target, room);
    const connections = [writer];
    filled.set(target, { room, connections });
    if (isPlain(target)) await keepPlain(target, writer);
    else {
      const listener = await openConnection(target, room);
      connections.push(listener);
      await pour({ target, room, writer, listeners: [listener], until: { count: messages } });
    }
    return room;
  }

  /** A broadcast has no history: it sends as many bytes again and again. */
  async function keepPlain({ protocol }: Target, writer: Connection): Promise<void> {
    const frames: Uint8Array[] = [];
    for (let index = 0, bytes = 0; bytes < plainFrameBytes; index++) {
      const frame = protocol.message("", 0, index);
      frames.push(frame);
      bytes += frame.length;
    }
    perPlainFrame.set(protocol.name, frames.length);
    writer.sendText("keep");
    writer.send(Buffer.concat(frames));
  }
  const perPlainFrame = new Map<string, number>();

  async function join(target: Target, room: string): Promise<{ ms: number; bytes: number }> {
    const tally = createTally();
    let done: () => void = () => {};
    const complete = new Promise<void>((resolve) => {
      done = resolve;
    });
    const per = perPlainFrame.get(target.protocol.name);
    const startedAt = performance.now();
    const joiner = await openConnection(target, room, (frame) => {
      readMarks(frame, tally.hear);
      // A broadcast sends the same messages again and again.
      if (tally.count + (per === undefined ? 0 : tally.repeats) >= messages) done();
    });
    try {
      if (per !== undefined) joiner.sendText(String(Math.ceil(messages / per)));
      await withLimit(
        Promise.race([complete, joiner.lost]),
        `${target.protocol.name}: the join is incomplete`,
      );
      const ms = performance.now() - startedAt;
      if (per === undefined && !tally.holds([messages])) {
        throw new Error(`${target.protocol.name}: the joiner has other messages than were sent.`);
      }
      return { ms, bytes: joiner.traffic.bytesIn };
    } finally {
      await joiner.close();
    }
  }

  return {
    id: "join",
    title: `A late joiner to ${messages.toLocaleString("en")} messages`,
    about:
      "From opening the connection until the joiner has every message, counted and checked. The broadcasts have no history: they send as many bytes in frames of 1 MiB, which is the limit.",
    columns: [
      { key: "ms", title: "ms" },
      { key: "bytes", title: "MB", scale: 1e-6 },
    ],
    relays: [
      "ours",
      "ours-shared",
      "hocuspocus",
      "y-partyserver",
      "y-websocket-server",
      "broadcast-workerd",
      "broadcast-node",
    ],
    async run(target, { loadMs }) {
      const room = await fill(target);
      const joins: { ms: number; bytes: number }[] = [];
      for (let spent = 0; spent < loadMs; spent += joins.at(-1)?.ms ?? 0)
        joins.push(await join(target, room));
      const mean = (of: "ms" | "bytes") => joins.reduce((sum, each) => sum + each[of], 0) / joins.length;
      return { ms: mean("ms"), bytes: mean("bytes") };
    },
    async close() {
      for (const { connections } of filled.values()) {
        for (const connection of connections) await connection.close();
      }
      filled.clear();
    },
  };
}

function isPlain({ id }: Target): boolean {
  return id.startsWith("broadcast-");
}
