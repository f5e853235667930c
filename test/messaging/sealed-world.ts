import type { Json, LaneMarks } from "../../src/protocol/index.ts";
import { encodeSeal, formatPageName, type PageLink, type PageName } from "../../src/protocol/index.ts";
import { readPage, writePage } from "../crdt/lanes.ts";
import type { createWorld } from "./world.ts";

type World = ReturnType<typeof createWorld>;

/** A page of a lane that a test writes, and what it is sealed into. */
export interface WrittenLanePage {
  name: PageName;
  length: number;
  update: Uint8Array;
  hash: string;
}

/** Messages of a page, as their contents, to an agent or as `to` says. */
export type Contents = readonly Json[];

export interface LongLaneOptions {
  to?: string;
  topic?: string;
  /** The clock of a page; default 1,000 times its number. */
  clockOf?: (number: number) => number;
  /** The first number, and the page before it, for a clone that goes on from there. */
  from?: { number: number; client: number; before: WrittenLanePage | undefined };
}

/** Writes a lane of a page for each list of contents, and seals each into the world's store of pages. */
export async function writeLongLane(
  { pages: store, log, records, publish }: World,
  writer: string,
  contents: readonly Contents[],
  { to, topic, clockOf = (number) => 1_000 * (number + 1), from }: LongLaneOptions = {},
) {
  const written: WrittenLanePage[] = from?.before ? [from.before] : [];
  const byNumber = new Map(written.map((page) => [page.name.number, page]));
  for (const [index, each] of contents.entries()) {
    const number = (from?.number ?? 0) + index;
    const page = writePage(number, (from?.client ?? 100) + number);
    const before = byNumber.get(number - 1);
    const earlier: PageLink[] = [];
    for (let distance = 2; distance <= number; distance *= 2) {
      const link = byNumber.get(number - distance);
      if (link) earlier.push({ page: link.name, hash: link.hash });
    }
    const update = page.append({
      kind: "message",
      clock: clockOf(number),
      bodies: each.map((content) => ({
        schemaVersion: "1.0",
        type: "QUERY",
        content,
        ...(topic === undefined ? { to: to ?? "critic" } : { topic }),
      })),
      previous: before && {
        page: before.name,
        length: before.length,
        seal: { hash: before.hash, earlier },
      },
    });
    const hash = await store.put(encodeSeal(readPage(page.name, [update]).batches()));
    const made = { name: page.name, length: each.length, update, hash };
    written.push(made);
    byNumber.set(number, made);
  }
  const own = from?.before ? written.slice(1) : written;

  const marksBelow = (low: number, first = 0): LaneMarks => {
    const head = written.findLast(({ name }) => name.number < low) as WrittenLanePage;
    return { low, first, head: { page: formatPageName(head.name), length: head.length, hash: head.hash } };
  };

  return {
    written: own,
    marksBelow,
    /** Pages come, all of them or those of a range of numbers. */
    arrive(begin = 0, end = Number.POSITIVE_INFINITY) {
      for (const { name, update } of own) {
        if (name.number >= begin && name.number < end) log.take(writer, readPage(name, [update]));
      }
    },
    /** The register says that the lane is sealed below `low`; the pages here are let go of, those that nobody holds. */
    seal(low: number, { first = 0, releases = true } = {}) {
      const before = records.get(writer) ?? { version: 1, since: 1, capabilities: [], consumers: {} };
      publish(writer, { ...before, lane: marksBelow(low, first) });
      for (const { name } of own) {
        if (releases && name.number < low && !log.isHeld(writer, name)) log.release(writer, name);
      }
    },
    /** Retention takes the seals of the pages below a number. */
    expire(first: number) {
      for (const { name, hash } of own) if (name.number < first) store.seals.delete(hash);
      publish(writer, {
        ...(records.get(writer) as never as object),
        lane: { ...(records.get(writer)?.lane as LaneMarks), first },
      } as never);
    },
  };
}
