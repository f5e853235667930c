import { maxPageBytes, maxPageEntries } from "../../protocol/index.ts";

/** How long pages become, and how much of a lane stays live; for tests: smaller ones seal sooner. */
export interface LaneLimits {
  /** A page is full at this many entries, at most 1,024. */
  pageEntries: number;
  /** Or at this many bytes of batches, at most 256 KiB. */
  pageBytes: number;
  /** A page lies beyond the live window once the newer ones hold this many entries ... */
  liveEntries: number;
  /** ... or this many bytes ... */
  liveBytes: number;
  /** ... or are this many. */
  livePages: number;
}

export const defaultLaneLimits: LaneLimits = {
  pageEntries: maxPageEntries,
  pageBytes: maxPageBytes,
  // Half a page: however long a lane is, from half to one and a half pages of it are live when a room opens.
  liveEntries: maxPageEntries / 2,
  liveBytes: maxPageBytes / 2,
  livePages: 64,
};
