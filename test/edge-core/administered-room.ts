import { type ErrorCode, FlockError, isFlockError } from "../../src/base/index.ts";
import {
  createInMemoryStorage,
  defaultRoomLimits,
  type Grant,
  type RoomLimits,
  type RoomStorage,
} from "../../src/edge/index.ts";
import {
  type AdministrationHooks,
  createRoomAdministration,
  type RoomAdministration,
} from "../../src/edge/room/administration.ts";
import { createLedger } from "../../src/edge/room/ledger/ledger.ts";
import { parseDocumentName } from "../../src/protocol/index.ts";
import { createManualClock, grantOf, type ManualClock } from "./room-harness.ts";

export const admin: Grant = { ...grantOf("root", "admin"), expiresAt: 2_000_000 };

/** A room's administration over its ledger, without sockets: what the hooks were asked for is kept. */
export interface AdministeredRoom {
  readonly storage: RoomStorage;
  readonly clock: ManualClock;
  readonly administration: RoomAdministration;
  readonly asked: string[];
  /** Offers updates of one document and commits them. */
  write(name: string, updates: readonly Uint8Array[], principal?: string): void;
}

export function administeredRoom(
  storage: RoomStorage = createInMemoryStorage(),
  limits: RoomLimits = defaultRoomLimits,
): AdministeredRoom {
  const clock = createManualClock();
  const asked: string[] = [];
  let seed = 0;
  const ledger = createLedger<unknown>(storage, { clock, limits });

  const hooks: AdministrationHooks = {
    endTurn: () => void ledger.commit(),
    closeAll: (code: ErrorCode) => void asked.push(`close ${code}`),
    tellHalted: (halted) => void asked.push(`halted ${halted}`),
    recheckGrants: () => void asked.push("recheck"),
    reload() {
      asked.push("reload");
      ledger.reload();
    },
  };
  return {
    storage,
    clock,
    asked,
    administration: createRoomAdministration({
      storage,
      limits,
      clock,
      random: (length) => new Uint8Array(length).fill(seed++),
      hooks,
    }),
    write(name, updates, principal = "anon") {
      const grant = grantOf(principal);
      const document = ledger.open(parseDocumentName(name), grant);
      if ("code" in document) throw new FlockError(document.code, document.message);
      for (const update of updates) {
        const refusal = ledger.offer(document, update, { author: undefined, grant });
        if (refusal) throw new FlockError(refusal.code, refusal.message);
      }
      ledger.commit();
    },
  };
}

/** All of a stream of bytes. */
export async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

/** Bytes as a stream, in chunks of one size. */
export async function* inChunks(bytes: Uint8Array, size = 1_000): AsyncIterable<Uint8Array> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}

/** The code of the error that a promise or call ends with. */
export async function codeOf(work: Promise<unknown> | (() => unknown)): Promise<string | undefined> {
  try {
    await (typeof work === "function" ? work() : work);
    return undefined;
  } catch (cause) {
    if (isFlockError(cause)) return cause.code;
    throw cause;
  }
}
