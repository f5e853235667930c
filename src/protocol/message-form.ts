import { parseEntryId } from "./batch.ts";
import { isJson } from "./json.ts";
import { jsonBytes } from "./json-size.ts";
import {
  addresseePattern,
  labelPattern,
  maxConversationLength,
  maxKeyLength,
  maxLabels,
  maxParentLength,
  maxPriority,
  maxSources,
  maxSuggestedActions,
  messageVersionPattern,
  topicPattern,
  typePattern,
} from "./message-bounds.ts";
import { type Reference, readReference } from "./reference.ts";

/*
 * The message schema by hand, because each message is checked where it is sent and where it is read, and the schema takes
 * some microseconds of the three that both may take. `messageBodySchema` is the definition, and says what is wrong.
 */

/** How to take a field that the schema does not name: `drop` reads what a later 1.x wrote, `refuse` what is sent. */
export type UnknownFields = "drop" | "refuse";

/**
 * Copies the fields of a message's body that are there into `target`, which may have the schema's version already;
 * returns the bytes of its content, or undefined where it does not fit the schema, and `target` is then of no use.
 */
export function copyMessageBody(
  source: object,
  target: Record<string, unknown>,
  unknown: UnknownFields,
): number | undefined {
  const fields = source as Record<string, unknown>;
  let contentBytes: number | undefined;
  let addressees = 0;
  let contents = 0;
  let hasType = false;
  let hasVersion = target.schemaVersion !== undefined;
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    switch (name) {
      case "type":
        if (typeof value !== "string" || !typePattern.test(value)) return undefined;
        hasType = true;
        break;
      case "schemaVersion":
        if (typeof value !== "string" || !messageVersionPattern.test(value)) return undefined;
        hasVersion = true;
        break;
      case "content":
        if (value === undefined) continue;
        contentBytes = jsonBytes(value);
        if (contentBytes === undefined) return undefined;
        contents++;
        break;
      case "reference":
        if (value === undefined) continue;
        target[name] = readReference(value);
        if (target[name] === undefined) return undefined;
        contentBytes = (target[name] as Reference).size;
        contents++;
        continue;
      default: {
        if (value === undefined && isOptional(name)) continue;
        const fits = fitsOptional(name, value);
        if (fits === undefined && unknown === "drop") continue;
        if (!fits) return undefined;
        if (name === "to" || name === "topic") addressees++;
      }
    }
    target[name] = value;
  }
  return hasType && hasVersion && addressees === 1 && contents === 1 ? contentBytes : undefined;
}

function isOptional(name: string): boolean {
  return fitsOptional(name, undefined) !== undefined;
}

/** Whether an optional field may have this value; undefined where there is no such field. */
function fitsOptional(name: string, value: unknown): boolean | undefined {
  switch (name) {
    case "to":
      return typeof value === "string" && addresseePattern.test(value);
    case "topic":
      return typeof value === "string" && topicPattern.test(value);
    case "parent":
      return typeof value === "string" && value.length <= maxParentLength;
    case "conversation":
      return isText(value, maxConversationLength);
    case "idempotencyKey":
      return isText(value, maxKeyLength);
    case "sources":
      return isListOf(value, maxSources, isEntryId);
    case "labels":
      return isListOf(value, maxLabels, isLabel);
    case "confidence":
      return typeof value === "number" && value >= 0 && value <= 1;
    case "priority":
      return isWhole(value) && value <= maxPriority;
    case "expiresAt":
      return isWhole(value);
    case "contentVersion":
      return isWhole(value) && value > 0;
    case "role":
      return value === "request" || value === "reply" || value === "stream";
    case "metadata":
    case "problemContext":
    case "analysisResults":
      return isJsonObject(value);
    case "suggestedActions":
      return Array.isArray(value) && value.length <= maxSuggestedActions && value.every(isJsonObject);
    default:
      return undefined;
  }
}

function isText(value: unknown, maxLength: number): boolean {
  return typeof value === "string" && value.length > 0 && value.length <= maxLength;
}

function isListOf(value: unknown, maxLength: number, fits: (each: unknown) => boolean): boolean {
  return Array.isArray(value) && value.length > 0 && value.length <= maxLength && value.every(fits);
}

function isEntryId(value: unknown): boolean {
  return typeof value === "string" && parseEntryId(value) !== undefined;
}

function isLabel(value: unknown): boolean {
  return typeof value === "string" && labelPattern.test(value);
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isJsonObject(value: unknown): boolean {
  return typeof value === "object" && !Array.isArray(value) && value !== null && isJson(value);
}
