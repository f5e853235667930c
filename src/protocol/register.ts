import * as z from "zod/mini";
import { parsePageName } from "./document-name.ts";
import { isJson } from "./json.ts";

const pageName = z.string().check(z.regex(/^[0-9]{1,9}-[0-9]{1,10}$/));

/** Entries of a lane past the first that is not done that a consumer may be ahead of it. */
export const maxAhead = 256;

const entryPlace = z.string().check(z.regex(/^[0-9]{1,9}-[0-9]{1,10}\/[0-9]{1,4}$/));
const ranges = z
  .array(z.int().check(z.nonnegative()))
  // Every other entry of as many would be half of that.
  .check(z.maxLength(2 * maxAhead))
  .check(z.refine((bounds) => bounds.length % 2 === 0 && isAscending(bounds), "not ascending ranges"));

function isAscending(bounds: readonly number[]): boolean {
  return bounds.every((bound, index) => index === 0 || bound > (bounds[index - 1] as number));
}

const lanePositionSchema = z.strictObject({
  /** Every page of a lower number is done. */
  below: z.int().check(z.nonnegative()),
  /** Entries done of the pages from `below` on, by page name: those before this index. */
  pages: z.record(pageName, z.int().check(z.nonnegative())),
  /** Entries done past that, by page name: `[from, to, from, to, …]`, ascending and apart, each up to and without `to`. */
  done: z.optional(z.record(pageName, ranges)),
  /** Deliveries begun of entries that are not done, by `page/index`. */
  tries: z.optional(z.record(entryPlace, z.int().check(z.positive()))),
});

/** How far a consumer is in one lane: bytes that do not grow with the lane. */
export type LanePosition = z.infer<typeof lanePositionSchema>;

/** Consumers that one register may name: each replica of a room reads them all. */
export const maxConsumers = 256;
/** A name that a filter gives, of the longest topic and type, fits. */
export const maxConsumerNameLength = 640;

/**
 * A condition on a message's fields, by their paths (`content.kind`, `metadata.team`, `confidence`): a value that the
 * field equals, or operators that must all hold. Kept in the register, and the same everywhere.
 */
const matcherSchema = z.record(
  z.string().check(z.minLength(1), z.maxLength(200)),
  z.custom<MatchTest>(isMatchTest),
);

/** What one field must be. */
export type MatchTest =
  | string
  | number
  | boolean
  | null
  | {
      readonly eq?: string | number | boolean | null;
      readonly not?: string | number | boolean | null;
      readonly in?: readonly (string | number | boolean | null)[];
      readonly lt?: number;
      readonly lte?: number;
      readonly gt?: number;
      readonly gte?: number;
      readonly prefix?: string;
      readonly exists?: boolean;
    };

function isMatchTest(value: unknown): boolean {
  return isJson(value) && !Array.isArray(value);
}

// Strict: a filter with a condition that this version does not know would take too much.
const consumerFilterSchema = z.strictObject({
  /** One type, or any of several. */
  type: z.optional(z.union([z.string(), z.array(z.string())])),
  /** A pattern of topics: `*` is one word, `>` at the end one or more. */
  topic: z.optional(z.string()),
  match: z.optional(matcherSchema),
  /** It takes replies to its agent's requests, instead of what else names the agent. */
  replies: z.optional(z.literal(true)),
});

const consumerSchema = z.strictObject({
  /** The declarative part of its filter, for senders who wait until it has passed a message. */
  filter: consumerFilterSchema,
  /** Agents share the messages of a consumer of this name and group among them. */
  group: z.optional(z.string().check(z.minLength(1), z.maxLength(64))),
  /** No handler is open for it: it takes no share of what its agent's writers, or its group, handle. */
  closed: z.optional(z.literal(true)),
  /** Positions by the writer of the lane. */
  lanes: z.record(z.string(), lanePositionSchema),
});

/** A consumer as its agent's register publishes it. */
export type ConsumerRecord = z.infer<typeof consumerSchema>;

export const maxCapabilities = 64;
export const maxCapabilityLength = 64;

const laneMarksSchema = z
  .strictObject({
    /** The low-water mark: of pages below this number that the chain names, nobody keeps documents, only seals. */
    low: z.int().check(z.nonnegative()),
    /** Pages below this number are past retention: their seals are gone too. */
    first: z.int().check(z.nonnegative()),
    /** The newest page below `low`: where the chain into the past begins. */
    head: z.strictObject({
      page: pageName,
      length: z.int().check(z.positive()),
      hash: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
    }),
  })
  // A page above the mark is live: read from its seal too, it would be shown twice.
  .check(z.refine(({ low, first, head }) => first <= low && (parsePageName(head.page)?.number ?? low) < low));

/** How far a writer's lane is sealed, and where its history begins. */
export type LaneMarks = z.infer<typeof laneMarksSchema>;

/** The whole value of a register: one writer's latest word on itself. */
export const registerRecordSchema = z.strictObject({
  version: z.literal(1),
  capabilities: z
    .array(z.string().check(z.maxLength(maxCapabilityLength)))
    .check(z.maxLength(maxCapabilities)),
  /** Milliseconds since the epoch when this writer first opened. */
  since: z.int().check(z.nonnegative()),
  consumers: z
    .record(z.string().check(z.maxLength(maxConsumerNameLength)), consumerSchema)
    .check(z.refine((consumers) => Object.keys(consumers).length <= maxConsumers, "too many consumers")),
  /** Absent while nothing of the lane is sealed. */
  lane: z.optional(laneMarksSchema),
  /** Milliseconds since the epoch when this writer was last open, to the day: what retention counts from. */
  seenAt: z.optional(z.int().check(z.nonnegative())),
  /** It will not come back. */
  left: z.optional(z.literal(true)),
});

/** The value of a register. */
export type RegisterRecord = z.infer<typeof registerRecordSchema>;
