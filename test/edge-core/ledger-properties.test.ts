import { describe, expect, test } from "vitest";
import type { StorageCommit } from "../../src/edge/room/ports.ts";
import { type Alter, live } from "./ledger-flock.ts";

/** Lives; `FLOCKSTATE_LIVES` raises it. */
const lives = Number(process.env["FLOCKSTATE_LIVES"] ?? 60);

describe("a ledger in danger", () => {
  test("LEDGER-6: whatever comes twice, in part or early, is cut, compacted or crashed into, every reader holds what plain Yjs holds", {
    timeout: 600_000,
  }, () => {
    const total = { crashes: 0, compactions: 0, trimmed: 0 };
    for (let seed = 0; seed < lives; seed++) {
      const { astray, refused, ...counts } = live(seed);
      expect({ seed, astray, refused }).toEqual({ seed, astray: [], refused: [] });
      for (const key of ["crashes", "compactions", "trimmed"] as const) total[key] += counts[key];
    }
    for (const count of Object.values(total)) expect(count).toBeGreaterThan(lives);
  });

  /** How many of some lives went astray over a storage that is broken in one way. */
  function strays(alter: Alter): number {
    const isAstray = (seed: number): boolean => {
      try {
        const { astray, refused } = live(seed, alter);
        return astray.length > 0 || refused.length > 0;
      } catch {
        // Sequences or names that are given twice: the storage says so itself.
        return true;
      }
    };
    return Array.from({ length: 12 }, (_, seed) => seed).filter(isAstray).length;
  }

  const altering =
    (change: (changes: StorageCommit) => StorageCommit): Alter =>
    (storage) => ({ ...storage, commit: (changes) => storage.commit(change(changes)) });

  test("LEDGER-6: control: a compaction that leaves its snapshot out is caught", () => {
    const lossy = altering((changes) => (changes.removeRows ? { ...changes, rows: [] } : changes));
    expect(strays(lossy)).toBeGreaterThan(6);
  });

  test("LEDGER-6: control: a compaction that gives its snapshot an old sequence is caught", () => {
    const early = altering((changes) =>
      changes.removeRows
        ? { ...changes, rows: (changes.rows ?? []).map((row) => ({ ...row, sequence: 1 })) }
        : changes,
    );
    expect(strays(early)).toBeGreaterThan(3);
  });

  test("LEDGER-6: control: a storage that acknowledges what it keeps in memory is caught", () => {
    const hasty: Alter = (storage) => {
      const held: StorageCommit[] = [];
      return {
        ...storage,
        commit(changes) {
          held.push(changes);
          if (held.length > 3) for (const each of held.splice(0)) storage.commit(each);
        },
      };
    };
    expect(strays(hasty)).toBeGreaterThan(3);
  });

  test("LEDGER-6: control: clocks that are stored before their rows are caught", () => {
    let count = 0;
    const ahead = altering((changes) => (++count % 9 === 0 ? { ...changes, rows: [] } : changes));
    expect(strays(ahead)).toBeGreaterThan(6);
  });
});
