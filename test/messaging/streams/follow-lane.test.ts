import { expect, it } from "vitest";
import { followLane } from "../../../src/messaging/streams/follow-lane.ts";
import type { PageName } from "../../../src/protocol/index.ts";
import { readPage, writePage } from "../../crdt/lanes.ts";
import { createWorld, settle } from "../world.ts";

const lane = "mallory.writer.AAAAAAAAAAA";

/** A lane of pages of one entry each, that name these pages as the ones before them. */
function setUp(pages: readonly { number: number; previous: PageName }[]) {
  const world = createWorld();
  for (const { number, previous } of pages) {
    const page = writePage(number, 7);
    const update = page.append({ bodies: [number], previous: { page: previous, length: 1 } });
    world.log.take(lane, readPage(page.name, [update]));
  }
  return world;
}

it("STREAM-25: a lane whose pages name themselves, or each other, as the page before is read once", async () => {
  const first = { number: 3, client: 7 };
  const second = { number: 4, client: 7 };
  for (const pages of [
    [{ number: 3, previous: first }],
    [
      { number: 3, previous: second },
      { number: 4, previous: first },
    ],
  ]) {
    const { documents } = setUp(pages);
    const ends = new AbortController();
    const seen: unknown[] = [];
    const entries = followLane(
      documents,
      lane,
      { page: first, index: 0, isWhole: false },
      {
        signal: ends.signal,
        onIdle: () => undefined,
        wants({ body }) {
          seen.push(body);
          if (seen.length > 10) throw new Error("It goes round and round.");
          return false;
        },
      },
    );
    const over = entries.next();
    over.catch(() => undefined);
    await settle();
    ends.abort(new Error("enough"));
    await expect(over).rejects.toThrow("enough");
    expect(seen).toEqual(pages.map(({ number }) => number));
  }
});
