import { toUtf8 } from "../../base/index.ts";
import { defaultPriority, isJson, type Json, type JsonObject, type MatchTest } from "../../protocol/index.ts";
import type { Message } from "../message/message.ts";

/**
 * Conditions on a message's fields by their paths, such as `content.kind`, `metadata.team` or `priority`, all of which
 * must hold. They are kept in the register and mean the same everywhere. Where a path meets an array, each of its elements
 * stands for it. Content that travels by reference has no fields.
 */
export type Matcher = Readonly<Record<string, MatchTest>>;

/** Paths of one matcher. */
const maxPaths = 16;
/** Values of one `in`. */
const maxValues = 64;
/** UTF-8 bytes of a matcher as JSON: it lies in the register, which every replica keeps. */
const maxBytes = 4096;
const maxPathLength = 200;

/** What of a message a path may begin with. */
const fields = [
  "id",
  "type",
  "from",
  "writer",
  "to",
  "topic",
  "sentAt",
  "sizeBytes",
  "content",
  "reference",
  "parent",
  "conversation",
  "confidence",
  "metadata",
  "schemaVersion",
  "contentVersion",
  "priority",
  "expiresAt",
  "idempotencyKey",
  "role",
  "sources",
  "labels",
  "problemContext",
  "analysisResults",
  "suggestedActions",
] as const satisfies readonly (keyof Message)[];
type Field = (typeof fields)[number];

/** What a field means that is not there. */
const defaults: Partial<Record<Field, Json>> = { priority: defaultPriority, contentVersion: 1 };

type Scalar = string | number | boolean | null;
type Test = (value: Json) => boolean;

/** How each operator judges one value; `not` and `exists` are of the field as a whole. */
const operators: Readonly<Record<string, (operand: Json) => Test | undefined>> = {
  eq: (operand) => (isScalar(operand) ? (value) => value === operand : undefined),
  in: (operand) => {
    if (!Array.isArray(operand) || operand.length > maxValues || !operand.every(isScalar)) return undefined;
    const values = new Set<Json>(operand);
    return (value) => values.has(value);
  },
  lt: numeric((value, operand) => value < operand),
  lte: numeric((value, operand) => value <= operand),
  gt: numeric((value, operand) => value > operand),
  gte: numeric((value, operand) => value >= operand),
  prefix: (operand) =>
    typeof operand === "string"
      ? (value) => typeof value === "string" && value.startsWith(operand)
      : undefined,
};

function numeric(compare: (value: number, operand: number) => boolean): (operand: Json) => Test | undefined {
  return (operand) =>
    typeof operand === "number" ? (value) => typeof value === "number" && compare(value, operand) : undefined;
}

function isScalar(value: Json): value is Scalar {
  return typeof value !== "object" || value === null;
}

/** What is wrong with a matcher, for whoever wrote it; undefined where nothing is. */
export function faultOf(matcher: unknown): string | undefined {
  if (!isJson(matcher, 4) || typeof matcher !== "object" || matcher === null || Array.isArray(matcher)) {
    return "it is no object of conditions by path";
  }
  const conditions = Object.entries(matcher);
  if (conditions.length > maxPaths) return `it has more than ${maxPaths} paths`;
  if (toUtf8(JSON.stringify(matcher)).length > maxBytes) return `it is past ${maxBytes} bytes as JSON`;
  for (const [path, test] of conditions) {
    if (!pathOf(path)) return `${JSON.stringify(path.slice(0, 100))} is no path of a message's fields`;
    if (!readTest(test)) return `what ${path} must be is neither a value nor operators that are known`;
  }
  return undefined;
}

/** Makes a matcher ready for messages; where it is faulty, as one from elsewhere may be, none fits. */
export function compileMatcher(matcher: unknown): (message: Partial<Message>) => boolean {
  if (faultOf(matcher) !== undefined) return () => false;
  const conditions = Object.entries(matcher as Matcher).flatMap(([text, test]) => {
    const path = pathOf(text);
    const holds = readTest(test);
    return path && holds ? [{ ...path, holds }] : [];
  });
  return (message) =>
    conditions.every(({ field, keys, holds }) =>
      // Whoever is given a message's type is given it as JSON: interfaces lack the index signature.
      holds((message[field] ?? defaults[field]) as Json | undefined, keys),
    );
}

interface Path {
  field: Field;
  keys: readonly string[];
}

function pathOf(text: string): Path | undefined {
  if (text.length > maxPathLength) return undefined;
  const [first, ...keys] = text.split(".");
  const field = fields.find((each) => each === first);
  const isNamed = keys.every((key) => key !== "" && key !== "__proto__");
  return field && isNamed ? { field, keys } : undefined;
}

/** Judges a field by what is at the path in it. */
type Holds = (field: Json | undefined, keys: readonly string[]) => boolean;

function readTest(test: Json | MatchTest): Holds | undefined {
  if (isScalar(test as Json)) return readTest({ eq: test as Scalar });
  const { not, exists, ...rest } = test as { readonly [operator: string]: Json };
  const tests: Test[] = [];
  for (const [operator, operand] of Object.entries(rest)) {
    const made = Object.hasOwn(operators, operator) ? operators[operator]?.(operand) : undefined;
    if (!made) return undefined;
    tests.push(made);
  }
  if (not !== undefined && !isScalar(not)) return undefined;
  if (exists !== undefined && typeof exists !== "boolean") return undefined;
  if (tests.length === 0 && not === undefined && exists === undefined) return undefined;
  // One value must pass them all: of 0 and 9, neither is from 1 to 5.
  const passes: Test = (value) => tests.every((each) => each(value));
  return (field, keys) =>
    (tests.length === 0 || isAny(field, keys, passes)) &&
    (not === undefined || !isAny(field, keys, (value) => value === not)) &&
    (exists === undefined || isAny(field, keys, () => true) === exists);
}

/** Whether a value at the path passes a test; every element of an array is at its path. */
function isAny(value: Json | undefined, keys: readonly string[], test: Test, at = 0): boolean {
  if (value === undefined) return false;
  if (at === keys.length && test(value)) return true;
  if (Array.isArray(value)) return value.some((element) => isAny(element, keys, test, at));
  if (at === keys.length || typeof value !== "object" || value === null) return false;
  const key = keys[at] as string;
  return Object.hasOwn(value, key) && isAny((value as JsonObject)[key], keys, test, at + 1);
}
