import { maxUpdateBytes, type TokenScope } from "../../protocol/index.ts";

/** What became of an upload. */
export type UploadOutcome =
  /** The relay has it in its storage. */
  | { kind: "acknowledged" }
  /** The relay will not have it; after `gate/gap` and `gate/overlap` a sync step 1 tells what it has. */
  | { kind: "refused"; code: string; message: string }
  /** The connection went before the answer, or the room is halted: the relay may have it or not. */
  | { kind: "lost" };

/** The uploads of one connection: those that wait for their turn, and those that wait for an answer. */
export interface Uploads {
  add(name: string, payload: Uint8Array): Promise<UploadOutcome>;
  /** Whether the frame that is being written holds an upload of no mark yet; the mark is this number. */
  mark(): number | undefined;
  /** A refusal; it belongs to the next answer. */
  refuse(concerns: (name: string) => boolean, code: string, message: string): void;
  /** Everything up to this mark is answered. */
  acknowledge(number: number): void;
  /** The connection is gone. */
  lose(): void;
}

interface Waiting {
  name: string;
  payload: Uint8Array;
  resolve(outcome: UploadOutcome): void;
}

interface Sent {
  mark: number;
  name: string;
  bytes: number;
  refusal: { code: string; message: string } | undefined;
  resolve(outcome: UploadOutcome): void;
}

/** Unanswered bytes past which uploads wait here: after long offline a replica must not pass the relay's rates. */
const windowBytes = 1024 * 1024;

/** Creates the uploads of a connection; `place` puts one into the present frame. */
export function createUploads(place: (name: string, payload: Uint8Array) => void): Uploads {
  let waiting: Waiting[] = [];
  let sent: Sent[] = [];
  let sentBytes = 0;
  let marked = 0;

  function pump(): void {
    let taken = 0;
    for (const { name, payload, resolve } of waiting) {
      const bytes = payload.length;
      if (sentBytes > 0 && sentBytes + bytes > windowBytes) break;
      taken++;
      // A full frame goes out within `place`, and must not carry the mark of what is not in it.
      place(name, payload);
      sent.push({ mark: marked + 1, name, bytes, refusal: undefined, resolve });
      sentBytes += bytes;
    }
    if (taken > 0) waiting = waiting.slice(taken);
  }

  return {
    add: (name, payload) =>
      new Promise((resolve) => {
        waiting.push({ name, payload, resolve });
        pump();
      }),
    mark: () => (sent.some(({ mark }) => mark > marked) ? ++marked : undefined),
    refuse(concerns, code, message) {
      for (const upload of sent) if (concerns(upload.name)) upload.refusal ??= { code, message };
    },
    acknowledge(number) {
      const answered = sent.filter(({ mark }) => mark <= number);
      sent = sent.filter(({ mark }) => mark > number);
      // A refusal belongs to the first answer after it.
      for (const upload of sent) upload.refusal = undefined;
      for (const { bytes, refusal, resolve } of answered) {
        sentBytes -= bytes;
        if (!refusal) resolve({ kind: "acknowledged" });
        // Not for good: it is sent again at the release.
        else if (refusal.code === "edge/halted") resolve({ kind: "lost" });
        else resolve({ kind: "refused", ...refusal });
      }
      pump();
    },
    lose() {
      const lost = [...sent, ...waiting];
      waiting = [];
      sent = [];
      sentBytes = 0;
      for (const { resolve } of lost) resolve({ kind: "lost" });
    },
  };
}

/** What the relay would answer to an upload, where that is known beforehand: it is not sent then. */
export function refusalOfUpload(
  name: string,
  payload: Uint8Array,
  allows: (scope: TokenScope) => boolean,
): UploadOutcome | undefined {
  const scope = name.startsWith("shared") ? "write:shared" : "write:own";
  if (!allows(scope)) {
    return { kind: "refused", code: "edge/forbidden", message: `The token lacks the scope ${scope}.` };
  }
  if (payload.length <= maxUpdateBytes) return undefined;
  return {
    kind: "refused",
    code: "protocol/update-too-large",
    message: `An update of ${payload.length} bytes is past ${maxUpdateBytes}: make smaller changes, or send large content by reference.`,
  };
}
