import * as z from "zod/mini";
import { FlockError, isFlockError } from "../../base/index.ts";
import type { Documents, Entry } from "../../crdt/index.ts";
import {
  agentOf,
  type EntryAddress,
  parseEntryId,
  parsePageName,
  type StreamEndBody,
  streamEndKind,
  streamEndSchema,
} from "../../protocol/index.ts";
import type { LayeredStore } from "../../refstore/index.ts";
import { type Assembly, createAssembly, type StreamPiece } from "./assembly.ts";
import { followLane, type LanePlace } from "./follow-lane.ts";
import { opensStream, readPart, streamOf } from "./open-streams.ts";

export interface ReadStreamOptions {
  /** The offset to begin at: `at` and the length of the last piece that one has. Default 0. */
  from?: number;
  signal?: AbortSignal;
}

export interface StreamSource {
  documents: Pick<Documents, "log" | "history" | "registerChanged">;
  refs: Pick<LayeredStore, "get" | "resolve">;
  /** Aborts when the room closes. */
  closed: AbortSignal;
}

/** What nobody can have from history any more; the whole of a stream that has ended still has it. */
const lostCodes = [
  "crdt/history-lost",
  "crdt/history-corrupt",
  "refstore/not-found",
  "refstore/corrupt",
] as const;

/** Reads a stream; see `Room.readStream`. @throws `messaging/invalid-options` */
export function readStream(
  source: StreamSource,
  id: string,
  { from = 0, signal }: ReadStreamOptions = {},
): AsyncIterableIterator<StreamPiece> {
  const opening = parseEntryId(id);
  if (!opening || !Number.isSafeInteger(from) || from < 0) {
    throw new FlockError(
      "messaging/invalid-options",
      "A stream is read by the id of the message that opened it, from an offset of 0 or more.",
    );
  }
  const ends = AbortSignal.any([source.closed, ...(signal ? [signal] : [])]);
  return read(source, { id, opening, from, signal: ends });
}

interface Reading {
  id: string;
  opening: EntryAddress;
  from: number;
  signal: AbortSignal;
}

async function* read(source: StreamSource, reading: Reading): AsyncGenerator<StreamPiece, void, undefined> {
  const { id, opening, from, signal } = reading;
  const { documents, refs } = source;
  const assembly = createAssembly(id, from);
  // Of what is sealed the whole is less to fetch than its pages, where it can be had.
  const end = documents.log.get(id) ? undefined : liveEnd(source, reading);
  const whole = end?.reference && (await refs.get(end.reference, { signal }).catch(() => undefined));
  if (whole) return yield* readWhole(reading, assembly, end, whole);
  let place: LanePlace | undefined = { page: opening.page, index: opening.index, isWhole: false };
  let lost: unknown;
  while (place) {
    try {
      return yield* readParts(source, reading, assembly, place, lost);
    } catch (failure) {
      if (!isLost(failure)) throw failure;
      // What the reader lacks may all be kept, of a stream of which it has the beginning.
      place = lost === undefined ? placeOfKept(source, opening) : undefined;
      lost ??= failure;
    }
  }
  const found = await findEnd(source, reading);
  if (!found?.reference) throw lost;
  yield* readWhole(reading, assembly, found, await refs.resolve(found.reference, { signal }));
}

function isLost(failure: unknown): boolean {
  return lostCodes.some((code) => isFlockError(failure, code));
}

/** Reads parts from a place on; with `lost`, what lies before it can't be had, for that reason. */
async function* readParts(
  source: StreamSource,
  reading: Reading,
  assembly: Assembly,
  place: LanePlace,
  lost?: unknown,
): AsyncGenerator<StreamPiece, void, undefined> {
  const { id, opening, signal } = reading;
  let isJoining = lost !== undefined;
  const onIdle = (): void => {
    if (isJoining) throw lost;
    const failure = failureElsewhere(source, reading);
    if (failure) throw failure;
  };
  const wants = (entry: Entry): boolean => entry.id === id || streamOf(entry) === id;
  const entries = followLane(source.documents, opening.writer, place, { wants, signal, onIdle });
  for await (const entry of entries) {
    if (entry.id === id) {
      if (!opensStream(entry)) throw notStream(id);
      continue;
    }
    const end = readEnd(entry);
    if (end) {
      if (isJoining && !end.failure) throw lost;
      if (!end.reference) throw failed(id, end);
      await assembly.finish(end);
      return;
    }
    const part = readPart(entry);
    if (!part) continue;
    if (isJoining) {
      if (part.at > assembly.position) throw lost;
      assembly.begin(part.at);
      isJoining = false;
    }
    const piece = assembly.take(part);
    if (piece) yield piece;
    signal.throwIfAborted();
  }
}

async function* readWhole(
  { signal }: Reading,
  assembly: Assembly,
  end: StreamEndBody,
  whole: Uint8Array,
): AsyncGenerator<StreamPiece, void, undefined> {
  for (const piece of assembly.rest(end, whole)) {
    yield piece;
    signal.throwIfAborted();
  }
  await assembly.finish(end);
}

/** The end of a stream among what is live. */
function liveEnd({ documents }: StreamSource, { id, opening }: Reading): StreamEndBody | undefined {
  return endIn(documents.log.pages(opening.writer), id);
}

function endIn(pages: readonly { entries: readonly Entry[] }[], id: string): StreamEndBody | undefined {
  for (const { entries } of pages) {
    const found = entries.find((entry) => entry.kind === streamEndKind && streamOf(entry) === id);
    const end = found && readEnd(found);
    if (end) return end;
  }
  return undefined;
}

/** Where what is kept of a lane begins, behind the opening of a stream; undefined where nothing there is lost. */
function placeOfKept({ documents }: StreamSource, { writer, page }: EntryAddress): LanePlace | undefined {
  const marks = documents.history.marks(writer);
  if (!marks || marks.first <= page.number) return undefined;
  const head = parsePageName(marks.head.page);
  // Where retention took all that was sealed, the live pages follow the newest of that.
  if (marks.first >= marks.low && head) return { page: head, index: marks.head.length, isWhole: true };
  return { page: { number: marks.first - 1, client: 0 }, index: 0, isWhole: true };
}

/** Looks for the end in all that is kept, the newest first. */
async function findEnd(source: StreamSource, reading: Reading): Promise<StreamEndBody | undefined> {
  const { id, opening, signal } = reading;
  const live = liveEnd(source, reading);
  if (live) return live;
  try {
    for await (const page of source.documents.history.pagesBack(opening.writer, { signal })) {
      const end = endIn([page], id);
      if (end) return end;
      if (page.name.number <= opening.page.number) break;
    }
  } catch (failure) {
    if (!isLost(failure)) throw failure;
  }
  return undefined;
}

/** What another writer of the agent said of a stream that it could not go on with: its lane was written elsewhere too. */
function failureElsewhere({ documents }: StreamSource, { id, opening }: Reading): FlockError | undefined {
  const { log } = documents;
  const agent = agentOf(opening.writer);
  for (const writer of log.writers()) {
    if (writer === opening.writer || agentOf(writer) !== agent) continue;
    const end = endIn(log.pages(writer), id);
    if (end?.failure !== undefined) return failed(id, end);
  }
  return undefined;
}

function readEnd({ kind, body }: Entry): StreamEndBody | undefined {
  return kind === streamEndKind ? z.safeParse(streamEndSchema, body).data : undefined;
}

function failed(id: string, { at, failure = "No reason was given." }: StreamEndBody): FlockError {
  return new FlockError("messaging/stream-failed", `The stream ${id} was given up: ${failure}`, {
    details: { id, at, reason: failure },
  });
}

function notStream(id: string): FlockError {
  return new FlockError("messaging/invalid-options", `The message ${id} opens no stream.`);
}
