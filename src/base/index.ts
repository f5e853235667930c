/**
 * Owns what every folder needs and the platform lacks: coded errors, clocks, ids, bytes, disposal, events.
 * Refuses everything that knows of rooms, documents or networks. Imports nothing of ours.
 */
export { abortable } from "./abort.ts";
export { type Backoff, backoffMs } from "./backoff.ts";
export {
  concatBytes,
  equalBytes,
  fromBase64Url,
  fromHex,
  fromUtf8,
  sha256,
  sha256Hex,
  toBase64Url,
  toHex,
  toUtf8,
  writeUtf8,
} from "./bytes.ts";
export {
  type Clock,
  createHybridClock,
  type HybridClock,
  maxClockDriftMs,
  systemClock,
  type Timestamp,
  timestampFromMs,
  timestampToMs,
  type Undo,
} from "./clock.ts";
export { type Closable, createScope, type Scope } from "./disposal.ts";
export { type ErrorCode, type ErrorDetails, FlockError, isFlockError } from "./errors.ts";
export { createEmitter, createStore, type Emitter, type Store, type WritableStore } from "./events.ts";
export {
  isId,
  parseId,
  parseWriterId,
  type RandomBytes,
  randomId,
  systemRandom,
  type WriterParts,
  writerId,
} from "./ids.ts";
