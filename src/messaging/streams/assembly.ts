import { concatBytes, FlockError, fromBase64Url, fromUtf8, sha256Hex, toUtf8 } from "../../base/index.ts";
import {
  maxReferenceBytes,
  type Reference,
  type StreamEndBody,
  type StreamPart,
} from "../../protocol/index.ts";
import { pairStart, partUnits } from "./part-buffer.ts";

/** A piece of a stream, and where it begins: in UTF-16 code units of text, or in bytes. */
export type StreamPiece =
  | { readonly at: number; readonly text: string }
  | { readonly at: number; readonly bytes: Uint8Array };

/** Puts the parts of a stream together, and believes none that does not fit. */
export interface Assembly {
  /** What the reader has, or asked for: behind it the next piece begins. */
  readonly position: number;
  /**
   * What a part adds; undefined where the reader has it.
   *
   * @throws `messaging/stream-corrupt` where it does not follow what came before
   */
  take(part: StreamPart): StreamPiece | undefined;
  /** The parts before this offset are lost, and the reader has them. */
  begin(at: number): void;
  /** The rest, from the whole. @throws `messaging/stream-corrupt` */
  rest(end: StreamEndBody, whole: Uint8Array): Iterable<StreamPiece>;
  /** @throws `messaging/stream-corrupt`; `messaging/invalid-options` where the reader began behind the end */
  finish(end: StreamEndBody): Promise<void>;
}

/** Creates the assembly of a reader that begins at an offset, of a stream of at most `maxBytes`. */
export function createAssembly(id: string, from: number, maxBytes: number = maxReferenceBytes): Assembly {
  let position = from;
  /** Where the next part must begin. */
  let expected = 0;
  /** What came, for its digest; undefined for a reader that did not begin at 0. */
  let collected: Uint8Array[] | undefined = from === 0 ? [] : undefined;
  let collectedBytes = 0;
  let unit: "text" | "bytes" | undefined;

  function corrupt(why: string): FlockError {
    return new FlockError("messaging/stream-corrupt", `The stream ${id} does not add up: ${why}.`, {
      details: { id },
    });
  }

  function collect(encoded: Uint8Array): void {
    if (!collected) return;
    collectedBytes += encoded.length;
    if (collectedBytes > maxBytes) throw corrupt(`it is past ${maxBytes} bytes`);
    collected.push(encoded);
  }

  /** What of a part that begins at `at` the reader lacks. */
  function pieceOf(content: string | Uint8Array, at: number): StreamPiece | undefined {
    const end = at + content.length;
    if (end <= position) return undefined;
    const skipped = Math.max(0, position - at);
    position = end;
    if (typeof content !== "string") return { at: at + skipped, bytes: content.subarray(skipped) };
    const begin = pairStart(content, skipped);
    return { at: at + begin, text: content.slice(begin) };
  }

  return {
    get position() {
      return position;
    },
    take(part) {
      if (part.at !== expected) throw corrupt(`a part begins at ${part.at}, not at ${expected}`);
      const content = "text" in part ? part.text : fromBase64Url(part.bytes);
      if (content.length === 0) return undefined;
      const given = "text" in part ? "text" : "bytes";
      if (unit !== undefined && unit !== given) throw corrupt("text and bytes are mixed");
      unit = given;
      expected += content.length;
      collect(typeof content === "string" ? toUtf8(content) : content);
      return pieceOf(content, part.at);
    },
    begin(at) {
      if (at !== expected) collected = undefined;
      expected = at;
    },
    *rest({ at, unit: wanted = "text" }, whole) {
      const content = wanted === "text" ? textOf(whole) : whole;
      if (content?.length !== at) throw corrupt(`its whole is not ${at} long`);
      for (let begin = 0; begin < at; ) {
        let end = Math.min(at, begin + partUnits);
        if (typeof content === "string") end = pairStart(content, end);
        const piece = pieceOf(content.slice(begin, end), begin);
        if (piece) yield piece;
        begin = end;
      }
      expected = at;
      collected = undefined;
    },
    async finish({ at, reference }) {
      if (expected !== at) throw corrupt(`it ends at ${at}, not at ${expected}`);
      if (position > at) {
        throw new FlockError(
          "messaging/invalid-options",
          `The stream ${id} ends at ${at}: it can't be read from ${position}.`,
        );
      }
      if (collected && !(await isWhole(collected, reference))) throw corrupt("its digest is another");
    },
  };
}

function isWhole(parts: readonly Uint8Array[], reference: Reference | undefined): Promise<boolean> {
  return sha256Hex(concatBytes(parts)).then((digest) => digest === reference?.id);
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return fromUtf8(bytes);
  } catch {
    // Its length tells.
    return undefined;
  }
}
