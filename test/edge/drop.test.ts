import { env, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, test } from "vitest";
import { registerName, registerRoot } from "../../src/protocol/index.ts";
import { RoomObject } from "../../src/worker.ts";
import { editedDocument, pageOf, pageUpdates } from "../edge-core/documents.ts";
import { dropFrame, frameOf, itemsOf, updateFrame } from "../edge-core/wire.ts";
import { inRoom, join, type RelayClient, wake } from "./relay-client.ts";

const dayMs = 86_400_000;
const register = registerName("anon.planner.x7");

let rooms = 0;
const freshRoom = () => `drops-${rooms++}`;

function card(client: number): Uint8Array[] {
  const { doc, take } = editedDocument(client);
  doc.getMap(registerRoot).set("v", { load: client });
  return take();
}

async function acknowledged(client: RelayClient, number: number): Promise<void> {
  await client.until(() => itemsOf(client.items, "acknowledge").some((item) => item.number >= number));
}

function namesIn(room: string): Promise<string[]> {
  return inRoom(room, (sql) =>
    [...sql.exec("SELECT name FROM documents ORDER BY id")].map(({ name }) => String(name)),
  );
}

describe("drops in SQLite", () => {
  test("DROP-1 to 7: a page goes whole, for good over a sleep, and what is written anew reaches everybody", async () => {
    const room = freshRoom();
    const [writer, reader] = await Promise.all([join(room), join(room)]);
    const { epoch } = await writer.item("welcome");
    writer.send(updateFrame(pageOf(7), pageUpdates(7, ["one", "two"]), 1));
    await acknowledged(writer, 1);
    writer.send(updateFrame(pageOf(8), pageUpdates(8, ["a"]), 2));
    await acknowledged(writer, 2);
    writer.send(dropFrame(pageOf(8), 3));
    await acknowledged(writer, 3);
    const left = await inRoom(room, (sql) =>
      ["documents", "rows", "clocks", "places"].map(
        (table) => sql.exec(`SELECT COUNT(*) AS count FROM ${table}`).one()["count"],
      ),
    );
    expect(left).toEqual([1, 1, 1, 0]);
    await wake(room);
    const back = await join(room, epoch, 2);
    expect(await back.item("welcome")).toMatchObject({ resumed: true, sequence: 2 });
    writer.send(updateFrame(pageOf(8), pageUpdates(8, ["a", "b"]), 4));
    await Promise.all([back, reader].map((client) => client.until(() => hasNumber(client, 3))));
    expect(itemsOf(back.items, "cursor").at(-1)?.sequence).toBe(3);
    expect(itemsOf(reader.items, "update").filter(({ channel }) => channel === 3)).toHaveLength(2);
    writer.send(frameOf({ channel: 2, message: { type: "drop" } }, { type: "mark", number: 5 }));
    await acknowledged(writer, 5);
    expect(await namesIn(room)).toEqual([pageOf(7), pageOf(8)]);
  });

  test("DROP-13, 14: what was dropped is not begun again, also after a sleep, until the writer's register goes", async () => {
    const room = freshRoom();
    const writer = await join(room);
    const sendAll = async (...frames: ((mark: number) => Uint8Array)[]) => {
      for (const frame of frames) {
        writer.send(frame(++mark));
        await acknowledged(writer, mark);
      }
      return itemsOf(writer.items, "refuse").map(({ code }) => code);
    };
    let mark = 0;
    const [one] = pageUpdates(7, ["one"]) as [Uint8Array];
    const write = (number: number) => updateFrame(pageOf(7), [one], number);
    await sendAll((number) => updateFrame(register, card(5), number), write);
    expect(await sendAll((number) => dropFrame(pageOf(7), number), write)).toEqual(["edge/dropped"]);
    await wake(room);
    expect(await sendAll(write)).toEqual(["edge/dropped", "edge/dropped"]);
    expect(await namesIn(room)).toEqual([register]);
    expect(await sendAll((number) => dropFrame(register, number), write)).toHaveLength(2);
    expect(await namesIn(room)).toEqual([pageOf(7)]);
    expect(
      await inRoom(room, (sql) => sql.exec("SELECT COUNT(*) AS count FROM dropped").one()["count"]),
    ).toBe(0);
  });

  const hasNumber = ({ items }: RelayClient, channel: number) =>
    itemsOf(items, "update").some((item) => item.channel === channel);
});

describe("retention in SQLite", () => {
  /** An object that reports no metrics, so that its alarm is the core's alone; counts how often that is set. */
  async function openObject(room: string): Promise<{ sets: () => number }> {
    const { METRICS: _, ...bindings } = env;
    let sets = 0;
    await runInDurableObject(env.ROOMS.getByName(room), (instance, state) => {
      const storage = new Proxy(state.storage, {
        get(target, key) {
          if (key === "setAlarm") sets++;
          const value: unknown = Reflect.get(target, key, target);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
      const context = new Proxy(state, {
        get(target, key) {
          if (key === "storage") return storage;
          const value: unknown = Reflect.get(target, key, target);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
      Object.assign(instance, new RoomObject(context, bindings));
    });
    return { sets: () => sets };
  }

  const alarmOf = (room: string) => inRoom(room, (_, state) => state.storage.getAlarm());

  test("EXPIRE-3: the object's alarm is set once, for the day after the last that counts, and stays over a wake", async () => {
    const room = freshRoom();
    const first = await openObject(room);
    const writer = await join(room);
    expect(await alarmOf(room)).toBeNull();
    writer.send(updateFrame(register, card(5), 1));
    await acknowledged(writer, 1);
    const at = (await alarmOf(room)) ?? 0;
    expect(Math.abs(at - Date.now() - 91 * dayMs)).toBeLessThan(60_000);
    expect(first.sets()).toBe(1);
    const woken = await openObject(room);
    writer.send(frameOf({ type: "ping" }));
    await writer.item("pong");
    writer.send(updateFrame(register, card(6), 2));
    await acknowledged(writer, 2);
    expect([woken.sets(), await alarmOf(room)]).toEqual([0, at]);
  });

  test("EXPIRE-1: with nobody in the room the alarm drops whoever was away, and shared documents stay", async () => {
    const room = freshRoom();
    await openObject(room);
    const writer = await join(room);
    for (const [mark, name] of ["shared", register, pageOf(7)].entries()) {
      writer.send(updateFrame(name, name === pageOf(7) ? pageUpdates(7, ["one"]) : card(5), mark + 1));
      await acknowledged(writer, mark + 1);
    }
    writer.leave();
    await writer.until(() => writer.closed !== undefined);
    await inRoom(room, (sql) => {
      sql.exec("UPDATE documents SET day = day - 91");
      sql.exec("DELETE FROM settings WHERE name = 'retention'");
    });
    await openObject(room);
    await runDurableObjectAlarm(env.ROOMS.getByName(room));
    expect(await namesIn(room)).toEqual(["shared"]);
    const trail = await inRoom(room, (sql) =>
      [...sql.exec("SELECT entry FROM audit")].map(({ entry }) => JSON.parse(String(entry))),
    );
    expect(trail.at(-1)).toMatchObject({ tokenId: "retention", verdict: "dropped" });
  });
});
