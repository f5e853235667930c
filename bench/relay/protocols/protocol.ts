/** What a client of one kind of relay says: everything that differs between the relays. */
export interface Protocol {
  readonly name: string;
  path(room: string): string;
  readonly subprotocols: string[];
  /** The first frames of a connection; none where an open socket is all there is to joining. */
  greet(room: string): Uint8Array[];
  /** Whether this frame is the last of the answer to the greeting. */
  isReady(frame: Buffer): boolean;
  /** Says how many bytes were taken, where the relay wants to hear it. */
  credit?(bytes: number): Uint8Array;
  /** The frame that carries a writer's message of this index. Frames of one connection are sent in order, from 0. */
  message(room: string, writer: number, index: number): Uint8Array;
  /** What one of many clients announces on joining. */
  presence(room: string, client: number): Uint8Array;
  /** What an idle client says again and again. */
  renewal?: { everyMs: number; frame(room: string, client: number, round: number): Uint8Array };
  /** Frames that the relay must refuse, each another kind. */
  invalid?(room: string): Uint8Array[];
}

/** The frame of a writer's message. */
export type Messages = (writer: number, index: number) => Uint8Array;

/** Many frames share a slab: a buffer for each would keep the generator's collector busy. */
const slabBytes = 1024 * 1024;

/** Prepares each frame once, and keeps it for the other runs. */
export function prepared(make: Messages): Messages {
  const frames: Uint8Array[][] = [];
  let slab = Buffer.alloc(0);

  function keep(bytes: Uint8Array): Uint8Array {
    if (slab.length < bytes.length) slab = Buffer.allocUnsafeSlow(Math.max(slabBytes, bytes.length));
    const kept = slab.subarray(0, bytes.length);
    kept.set(bytes);
    slab = slab.subarray(bytes.length);
    return kept;
  }

  return (writer, index) => {
    const ofWriter = frames[writer] ?? [];
    frames[writer] = ofWriter;
    const frame = ofWriter[index] ?? keep(make(writer, index));
    ofWriter[index] = frame;
    return frame;
  };
}
