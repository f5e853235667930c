import { concatBytes, FlockError, toUtf8 } from "../../base/index.ts";
import { maxReferenceBytes } from "../../protocol/index.ts";

/** What a stream is made of: text, counted in UTF-16 code units, or bytes. */
export type StreamUnit = "text" | "bytes";

/** A part that becomes one entry. */
export type BufferedPart = { readonly length: number; readonly encoded: Uint8Array } & (
  | { readonly text: string }
  | { readonly bytes: Uint8Array }
);

/** Gathers what is written into parts that no emoji is split between. */
export interface PartBuffer {
  /** Undefined until something was written. */
  readonly unit: StreamUnit | undefined;
  /** What can be taken, in the stream's unit. */
  readonly length: number;
  /**
   * Returns how many bytes came to what can be taken: text as UTF-8.
   *
   * @throws `messaging/invalid-options` where text follows bytes, or bytes text; `messaging/stream-too-large`
   */
  push(part: string | Uint8Array): number;
  /** The next part; with `isFull`, only one as long as parts become. */
  take(options?: { isFull?: boolean }): BufferedPart | undefined;
  /** Nothing follows: half a surrogate pair that waited for the other becomes U+FFFD. Returns its bytes, or 0. */
  finish(): number;
}

/**
 * The longest part: of text, whose every unit JSON may spell with six bytes, 96 KiB of the 128 KiB that an entry may
 * take.
 */
export const partUnits = 16 * 1024;

const replacement = "\uFFFD";
/** With the `u` flag no surrogate of a pair. */
const loneSurrogates = /\p{Surrogate}/gu;
const replacementBytes = 3;

/** Text whose lone surrogates are U+FFFD, as UTF-8 would have them. */
export function wellFormed(text: string): string {
  return text.replace(loneSurrogates, replacement);
}

/** The index itself, or that of the pair in whose middle it is. */
export function pairStart(text: string, index: number): number {
  const isInside = isLow(text.charCodeAt(index)) && isHigh(text.charCodeAt(index - 1));
  return isInside ? index - 1 : index;
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

/** Creates an empty buffer for a stream of at most `maxBytes` in all. */
export function createPartBuffer(maxBytes: number = maxReferenceBytes): PartBuffer {
  let unit: StreamUnit | undefined;
  let text = "";
  let bytes: Uint8Array = new Uint8Array();
  /** A high surrogate whose other half has not come. */
  let held = "";
  let total = 0;

  function count(addedBytes: number): void {
    const sizeBytes = total + addedBytes;
    if (sizeBytes > maxBytes) {
      throw new FlockError(
        "messaging/stream-too-large",
        `A stream of ${sizeBytes} bytes is past ${maxBytes}: end it, and go on in another.`,
        { details: { sizeBytes, maxBytes } },
      );
    }
  }

  function pushText(part: string): number {
    let whole = held + part;
    const isOpen = isHigh(whole.charCodeAt(whole.length - 1));
    const next = isOpen ? whole.slice(-1) : "";
    if (isOpen) whole = whole.slice(0, -1);
    whole = wellFormed(whole);
    const added = toUtf8(whole).length;
    count(added + (isOpen ? replacementBytes : 0));
    held = next;
    text += whole;
    total += added;
    return added;
  }

  function pushBytes(part: Uint8Array): number {
    count(part.length);
    bytes = concatBytes([bytes, part]);
    total += part.length;
    return part.length;
  }

  function takeText(units: number): BufferedPart {
    const taken = text.slice(0, units);
    text = text.slice(units);
    return { text: taken, length: taken.length, encoded: toUtf8(taken) };
  }

  function takeBytes(units: number): BufferedPart {
    const taken = bytes.slice(0, units);
    bytes = bytes.subarray(units);
    return { bytes: taken, length: taken.length, encoded: taken };
  }

  return {
    get unit() {
      return unit;
    },
    get length() {
      return text.length + bytes.length;
    },
    push(part) {
      const isText = typeof part === "string";
      if (!isText && !(part instanceof Uint8Array)) throw mixed("A stream takes strings and Uint8Arrays.");
      if (part.length === 0) return 0;
      const given = isText ? "text" : "bytes";
      if (unit !== undefined && unit !== given)
        throw mixed(`The stream is of ${unit}, and takes no ${given}.`);
      const added = isText ? pushText(part) : pushBytes(part);
      unit = given;
      return added;
    },
    take({ isFull = false } = {}) {
      const { length } = unit === "bytes" ? bytes : text;
      if (length === 0 || (isFull && length < partUnits)) return undefined;
      if (unit === "bytes") return takeBytes(partUnits);
      return takeText(pairStart(text, partUnits));
    },
    finish() {
      if (!held) return 0;
      held = "";
      text += replacement;
      total += replacementBytes;
      return replacementBytes;
    },
  };
}

function mixed(message: string): FlockError {
  return new FlockError("messaging/invalid-options", message);
}
