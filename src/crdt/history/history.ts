import type { LaneMarks } from "../../protocol/index.ts";
import type { Entry, LoggedPage } from "../entry.ts";

export interface ReadOptions {
  signal?: AbortSignal;
}

/** The sealed part of the lanes: read page by page through their hashes, each page verified before it is believed. */
export interface History {
  /** How far a lane is sealed; undefined where nothing of it is. */
  marks(writer: string): LaneMarks | undefined;
  /**
   * The sealed page of a number.
   *
   * @throws `crdt/history-lost` where retention has taken it or the lane has no such page; `crdt/history-corrupt`;
   * `refstore/not-found`, `refstore/unavailable` where nobody within reach has it.
   */
  page(writer: string, number: number, options?: ReadOptions): Promise<LoggedPage>;
  /** The sealed pages of a lane from its newest back to number `downTo`, by default the oldest that is kept. */
  pagesBack(writer: string, options?: ReadOptions & { downTo?: number }): AsyncIterable<LoggedPage>;
  /** The sealed pages of a lane from a number on, by default the oldest that is kept, up to the low-water mark. */
  pagesFrom(writer: string, options?: ReadOptions & { from?: number }): AsyncIterable<LoggedPage>;
  /** An entry by its id, wherever it is; undefined where there is none. @throws as `page` */
  entry(id: string, options?: ReadOptions): Promise<Entry | undefined>;
}
