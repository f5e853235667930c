import { toUtf8 } from "../../src/base/index.ts";
import type { Room } from "../../src/index.ts";

/** A stream as its writer knows it. */
export interface Stream {
  readonly id: string;
  readonly isText: boolean;
  /** The room that it is written in, and the replica. */
  readonly room: Room;
  readonly writtenBy: string;
  /** What was written and not refused. */
  readonly tokens: string[];
  /** How much was to be written. */
  offered: number;
  isEnding: boolean;
  /** By its writer, or because it could not be ended. */
  isGivenUp: boolean;
}

/** A reader over its readings, and over its replica's lives. */
export interface Reader {
  readonly name: string;
  readonly stream: Stream;
  /** What it has read, as it was stored. */
  text: string;
  outcome: "whole" | "failed" | undefined;
}

/** What was written and read, kept outside the simulated world. */
export interface StreamsBook {
  readonly streams: readonly Stream[];
  opened(id: string, stream: Pick<Stream, "room" | "isText" | "writtenBy">): Stream;
  /** A token is written; the result says that it was refused. */
  wrote(stream: Stream, token: string): () => void;
  /** It was ended, and its whole has so many bytes. */
  ended(stream: Stream, size: number): void;
  reader(name: string, stream: Stream): Reader;
  got(reader: Reader, at: number, content: string): void;
  /** Of what was read only a first part was stored. */
  rewind(reader: Reader, part: number): void;
  finished(reader: Reader, outcome: "whole" | "failed", at?: number): void;
  complain(what: string): void;
  /** What must never be and was. */
  readonly complaints: readonly string[];
}

export function createStreamsBook(): StreamsBook {
  const streams: Stream[] = [];
  const readers = new Map<Stream, Map<string, Reader>>();
  const complaints: string[] = [];

  function complain(what: string): void {
    complaints.push(what);
  }

  return {
    streams,
    opened(id, opening) {
      const stream = { ...opening, id, tokens: [], offered: 0, isEnding: false, isGivenUp: false };
      streams.push(stream);
      return stream;
    },
    wrote({ tokens }, token) {
      const at = tokens.push(token) - 1;
      return () => {
        tokens[at] = "";
      };
    },
    ended(stream, size) {
      const { id, isText } = stream;
      const text = textOf(stream);
      const expected = isText ? toUtf8(text).length : text.length;
      if (size !== expected) complain(`The whole of ${id} has ${size} bytes, not ${expected}`);
    },
    reader(name, stream) {
      const known = readers.get(stream) ?? new Map<string, Reader>();
      readers.set(stream, known);
      const reader = known.get(name) ?? { name, stream, text: "", outcome: undefined };
      known.set(name, reader);
      return reader;
    },
    got(reader, at, content) {
      const { name, stream, text } = reader;
      if (at !== text.length) complain(`${name} reading ${stream.id} has ${text.length} and is given ${at}`);
      reader.text += content;
      if (!textOf(stream).startsWith(reader.text)) {
        complain(
          `${name} reading ${stream.id} has ${JSON.stringify(reader.text)} of ${JSON.stringify(textOf(stream))}`,
        );
      }
    },
    rewind(reader, part) {
      const { text } = reader;
      const at = Math.floor(text.length * part);
      // Where a piece ended nothing was in the middle of a pair.
      reader.text = text.slice(0, isInside(text, at) ? at - 1 : at);
    },
    finished(reader, outcome, at) {
      const { name, stream, text } = reader;
      reader.outcome = outcome;
      const what = `${name} reading ${stream.id}`;
      if (outcome === "whole" && (text !== textOf(stream) || !stream.isEnding)) {
        complain(`${what} ended with ${text.length} of ${textOf(stream).length}`);
      }
      // In the page that wrote it may have been read what that page had not stored when it died.
      const isShort = name === stream.writtenBy ? text.length < Number(at) : text.length !== at;
      if (outcome === "failed" && isShort) complain(`${what} failed at ${at} and has ${text.length}`);
    },
    complain,
    complaints,
  };
}

/** All that a stream has to be, in its end. */
function textOf({ tokens, isText }: Stream): string {
  const text = tokens.join("");
  if (isText) return text.replace(/\p{Surrogate}/gu, "\uFFFD");
  return Array.from({ length: text.length }, (_, index) =>
    String.fromCharCode(text.charCodeAt(index) & 0xff),
  ).join("");
}

function isInside(text: string, at: number): boolean {
  const [before, after] = [text.charCodeAt(at - 1), text.charCodeAt(at)];
  return before >= 0xd800 && before <= 0xdbff && after >= 0xdc00 && after <= 0xdfff;
}
