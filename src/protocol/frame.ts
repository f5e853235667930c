import * as decoding from "lib0/decoding";
import { FlockError } from "../base/index.ts";
import { maxFrameBytes } from "./limits.ts";

/** Channel 0 carries control messages; any other the y-websocket messages of one document. */
export const controlChannel = 0;
const maxChannel = 2 ** 31 - 1;

/** One message in a frame. */
export interface FramePart {
  channel: number;
  payload: Uint8Array;
}

/**
 * Encodes a frame: a run of `channel, length, payload`.
 *
 * @throws `protocol/frame-too-large` past 1 MiB.
 */
export function encodeFrame(parts: readonly FramePart[]): Uint8Array {
  let bytes = 0;
  for (const { channel, payload } of parts) bytes += partBytes(channel, payload.length);
  assertFrameSize(bytes);
  // At once in its size: an encoder that grows costs more than what it encodes, and a relay does this every turn.
  const frame = new Uint8Array(bytes);
  let at = 0;
  for (const { channel, payload } of parts) {
    at = writeVarUint(frame, at, channel);
    at = writeVarUint(frame, at, payload.length);
    frame.set(payload, at);
    at += payload.length;
  }
  return frame;
}

/** The bytes that a part takes in a frame. */
export function partBytes(channel: number, payloadBytes: number): number {
  return varUintBytes(channel) + varUintBytes(payloadBytes) + payloadBytes;
}

/** The bytes of an unsigned integer in lib0's variable length. */
export function varUintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

/** Writes an unsigned integer in lib0's variable length, and returns the offset after it. */
export function writeVarUint(into: Uint8Array | number[], offset: number, value: number): number {
  let at = offset;
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) into[at++] = (rest % 128) + 128;
  into[at++] = rest;
  return at;
}

function assertFrameSize(bytes: number): void {
  if (bytes <= maxFrameBytes) return;
  throw new FlockError(
    "protocol/frame-too-large",
    `A frame of ${bytes} bytes is past the limit of ${maxFrameBytes}: send large content by reference.`,
    { details: { bytes, maxFrameBytes } },
  );
}

/**
 * Decodes a frame. The payloads are views into `frame`.
 *
 * @throws `protocol/frame-too-large`, `protocol/malformed-frame`
 */
export function decodeFrame(frame: Uint8Array): FramePart[] {
  assertFrameSize(frame.length);
  const decoder = decoding.createDecoder(frame);
  const parts: FramePart[] = [];
  try {
    while (decoding.hasContent(decoder)) {
      const channel = decoding.readVarUint(decoder);
      const length = decoding.readVarUint(decoder);
      if (channel > maxChannel || length > frame.length - decoder.pos) throw new RangeError("past the end");
      parts.push({ channel, payload: decoding.readUint8Array(decoder, length) });
    }
  } catch (cause) {
    throw new FlockError("protocol/malformed-frame", "The frame is no run of channel, length, payload.", {
      cause,
    });
  }
  if (parts.length === 0) throw new FlockError("protocol/malformed-frame", "The frame is empty.");
  return parts;
}
