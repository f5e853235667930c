import { concatBytes } from "../../../base/index.ts";
import {
  type ControlMessage,
  controlChannel,
  encodeControl,
  encodeFrame,
  maxFrameBytes,
} from "../../../protocol/index.ts";

/** One control message as an encoded part of a frame. */
export function controlPart(message: ControlMessage): Uint8Array {
  return encodeFrame([{ channel: controlChannel, payload: encodeControl(message) }]);
}

/** Joins encoded parts, in order, into as few frames as the limit of a frame allows. */
export function packFrames(parts: readonly Uint8Array[]): Uint8Array[] {
  const frames: Uint8Array[] = [];
  let run: Uint8Array[] = [];
  let bytes = 0;
  const close = () => {
    if (run.length > 0) frames.push(run.length === 1 && run[0] ? run[0] : concatBytes(run));
    run = [];
    bytes = 0;
  };
  for (const part of parts) {
    if (bytes + part.length > maxFrameBytes) close();
    run.push(part);
    bytes += part.length;
  }
  close();
  return frames;
}

/** How many bytes parts come to. */
export function bytesOf(parts: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const part of parts) bytes += part.length;
  return bytes;
}
