/**
 * Every message carries a mark in its content: eight letters that say which writer sent it and its index. A reader
 * finds the marks in whatever a relay made of the bytes, merged or not, at a cost that is the same for all.
 */
const marker = Buffer.from("@mark:");
const letters = 6;
const firstLetter = 97;
const indexBits = 18;

/** The most messages that one writer can mark. */
export const maxMarks = 2 ** indexBits;
/** The bytes of a mark in a message. */
export const markLength = marker.length + letters;

/** The mark of a writer's message. */
export function encodeMark(writer: number, index: number): string {
  const value = writer * maxMarks + index;
  let text = marker.toString();
  for (let shift = (letters - 1) * 4; shift >= 0; shift -= 4) {
    text += String.fromCharCode(firstLetter + ((value >>> shift) & 15));
  }
  return text;
}

/** Calls `hear` with each mark in a frame. */
export function readMarks(frame: Buffer, hear: (writer: number, index: number) => void): void {
  let at = frame.indexOf(marker);
  let stride = 0;
  while (at >= 0) {
    let value = 0;
    for (let letter = at + marker.length; letter < at + markLength; letter++) {
      value = value * 16 + (frame[letter] as number) - firstLetter;
    }
    hear(value >>> indexBits, value & (maxMarks - 1));
    // Messages of one writer are equally long nearly always.
    const next =
      stride > 0 && isMarker(frame, at + stride) ? at + stride : frame.indexOf(marker, at + markLength);
    stride = next - at;
    at = next;
  }
}

function isMarker(frame: Buffer, at: number): boolean {
  if (at + markLength > frame.length) return false;
  for (let offset = 0; offset < marker.length; offset++) {
    if (frame[at + offset] !== marker[offset]) return false;
  }
  return true;
}

/** What one reader has received. */
export interface Tally {
  /** How many different messages. */
  readonly count: number;
  /** How many came that were there already. */
  readonly repeats: number;
  hear(writer: number, index: number): void;
  /** Whether the messages 0 to `count` - 1 of each of so many writers have come, and no others. */
  holds(counts: readonly number[]): boolean;
}

/** Creates the tally of a reader that has had so many messages of each writer before; order does not matter. */
export function createTally(before: readonly number[] = []): Tally {
  const heard = before.map((count) => new Uint8Array(count * 2).fill(1, 0, count));
  const counts = [...before];
  let count = 0;
  let repeats = 0;

  function roomFor(writer: number, index: number): Uint8Array {
    const known = heard[writer];
    if (known && index < known.length) return known;
    const larger = new Uint8Array((index + 1) * 2);
    if (known) larger.set(known);
    heard[writer] = larger;
    return larger;
  }

  return {
    get count() {
      return count;
    },
    get repeats() {
      return repeats;
    },
    hear(writer, index) {
      const known = roomFor(writer, index);
      if (known[index] === 1) {
        repeats++;
        return;
      }
      known[index] = 1;
      counts[writer] = (counts[writer] ?? 0) + 1;
      count++;
    },
    holds: (sent) =>
      sent.every((own, writer) => {
        const first = heard[writer]?.indexOf(0) ?? 0;
        return (counts[writer] ?? 0) === own && (first < 0 || first >= own);
      }),
  };
}
