import type { ErrorCode } from "../../base/index.ts";

/** What a document may hold: a lane's page, a writer's register, or what everybody edits. */
export type GateProfile = "append" | "register" | "shared";

/** The codes that the gate refuses with. */
export type GateCode = Extract<ErrorCode, `gate/${string}`>;

/** What the caller knows of the document before this update. */
export interface GateContext {
  /** The next clock of a Yjs client in this document: 0 where it is unknown. */
  clockOf(client: number): number;
  /** Where a known item lies. Asked in profile `shared` only. */
  placeOf(client: number, clock: number): GatePlace;
}

/** Where an item lies in its document. */
export interface GatePlace {
  /** How deep the container is nested: 0 directly in a root type. */
  depth: number;
  /** Whether it lies under a key of a nested map; of no account in a root type. */
  keyed: boolean;
}

/** The place of most items, and of those that no run names: in a root type. */
export const rootPlace: GatePlace = Object.freeze({ depth: 0, keyed: false });

/** Bounds of one accepted update. */
export interface GateLimits {
  /** Structs in all client blocks together. */
  structs: number;
  /** Ranges in the whole delete set. */
  deleteRanges: number;
  /** Nesting of shared types: a type directly in a root type has depth 1. */
  typeDepth: number;
  /** Nesting of arrays and objects within one value. */
  valueDepth: number;
  /** Arrays, objects and byte strings in all values together: each takes a decoder up to 200 bytes, and 2 on the wire. */
  containers: number;
}

/** The limits that hold where the caller names no others. */
export const gateLimits: Readonly<GateLimits> = {
  structs: 1_000,
  deleteRanges: 10_000,
  typeDepth: 4,
  valueDepth: 32,
  containers: 100_000,
};

export interface GateOptions {
  profile: GateProfile;
  context: GateContext;
  /** Profile `append`: the one Yjs client that the page's name states. */
  client?: number;
  /**
   * Whether a block may begin before what is known and end after it; `refuse` where nothing is said. A client whose
   * document has part of what a relay let pass says `allow`: Yjs keeps what it has and takes the rest. It then trusts
   * that the struct across the border is the one whose beginning it has.
   */
  overlap?: "refuse" | "allow";
  /** What differs from `gateLimits`. */
  limits?: Partial<GateLimits>;
}

/** The clocks `from` to `to` (exclusive) of one Yjs client. */
export interface AcceptedRange {
  client: number;
  from: number;
  to: number;
}

/** A run of items that lie in places of one kind. */
export interface PlaceRun extends AcceptedRange, GatePlace {}

/** An update that may be applied. */
export interface Acceptance {
  ok: true;
  /** The structs of the update, one range a client, known ones included: ownership is checked over all of them. */
  ranges: AcceptedRange[];
  /** Profile `shared`: the new items that do not lie in a root type, for `placeOf` from now on. */
  places: PlaceRun[];
  /** Whether the update deletes anything. */
  deletes: boolean;
  /** Whether nothing in it is new: every struct is known, and nothing is deleted. */
  known: boolean;
}

/** An update that must not be applied, and why. */
export interface Refusal {
  ok: false;
  code: GateCode;
  message: string;
  /** The Yjs client that the reason concerns. */
  client?: number;
  /** Of a gap or an overlap: the next clock that is known of `client`; else the clock of the refused struct. */
  clock?: number;
}

export type GateVerdict = Acceptance | Refusal;

/** Tells whether a refusal only asks for the missing or surplus part; every other code is for good. */
export function isResync(code: string): boolean {
  return code === "gate/gap" || code === "gate/overlap";
}
