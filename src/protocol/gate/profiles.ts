import type { GateProfile } from "./verdict.ts";

/** The references by which an info byte names what a struct holds. */
export const kind = {
  gc: 0,
  deleted: 1,
  json: 2,
  binary: 3,
  string: 4,
  embed: 5,
  format: 6,
  type: 7,
  any: 8,
  subdocument: 9,
  skip: 10,
} as const;

/** The name of the one array of a page. */
export const pageRoot = "b";
/** The name of the one map of a register. */
export const registerRoot = "r";
/** The one key of a register's map. */
export const registerKey = "v";

/** What a profile lets a struct be. */
export interface ProfileRules {
  /** Bit n stands for the kind n. */
  kinds: number;
  /** The only name of a root type, and no other parent than that; undefined allows any. */
  root: string | undefined;
  /** The only key in a map; `none` allows no maps, `any` every key. */
  key: "none" | "any" | { name: string };
  rightOrigins: boolean;
  deletes: boolean;
  /** Every struct follows its client's previous one, and the client is the one that the caller names. */
  appendOnly: boolean;
}

function kindSet(...kinds: number[]): number {
  return kinds.reduce((set, each) => set | (1 << each), 0);
}

/** The rules of each profile. */
export const profileRules: Readonly<Record<GateProfile, ProfileRules>> = {
  append: {
    kinds: kindSet(kind.any),
    root: pageRoot,
    key: "none",
    rightOrigins: false,
    deletes: false,
    appendOnly: true,
  },
  register: {
    kinds: kindSet(kind.gc, kind.deleted, kind.any),
    root: registerRoot,
    key: { name: registerKey },
    rightOrigins: false,
    deletes: true,
    appendOnly: false,
  },
  shared: {
    kinds: kindSet(
      kind.gc,
      kind.deleted,
      kind.binary,
      kind.string,
      kind.embed,
      kind.format,
      kind.type,
      kind.any,
    ),
    root: undefined,
    key: "any",
    rightOrigins: true,
    deletes: true,
    appendOnly: false,
  },
};
