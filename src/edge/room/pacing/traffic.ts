import type { RoomObserver } from "../../operations/observer.ts";
import type { LedgerRow } from "../ledger/document-ledger.ts";
import type { Outflow } from "./outflow.ts";
import type { Replays } from "./replay.ts";

/** Counts what crosses a room's sockets, and tells the observer of it once a turn. */
export interface Traffic {
  received(bytes: number): void;
  /** A turn has ended with these rows. */
  tell(rows: readonly LedgerRow<unknown>[]): void;
}

/** Creates the counts of a room. */
export function createTraffic(observer: RoomObserver, outflow: Outflow, replays: Replays): Traffic {
  let frames = 0;
  let bytes = 0;

  function count(name: "frames_in" | "bytes_in" | "frames_out" | "bytes_out", by: number): void {
    if (by > 0) observer.count(name, by);
  }

  return {
    received(more) {
      frames++;
      bytes += more;
    },
    tell(rows) {
      const out = outflow.takeCounts();
      count("frames_in", frames);
      count("bytes_in", bytes);
      count("frames_out", out.frames);
      count("bytes_out", out.bytes);
      frames = 0;
      bytes = 0;
      if (rows.length === 0) return;
      const updates = rows.reduce((sum, row) => sum + row.updates.length, 0);
      observer.count("rows_written", rows.length);
      observer.count("updates_accepted", updates);
      observer.gauge("lagging_readers", replays.sessions.size);
      observer.gauge("inflight_bytes", outflow.unacknowledgedBytes);
    },
  };
}
