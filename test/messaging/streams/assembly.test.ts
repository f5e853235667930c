import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Assembly, createAssembly, type StreamPiece } from "../../../src/messaging/streams/assembly.ts";
import type { StreamEndBody, StreamPart } from "../../../src/protocol/index.ts";
import { endOf, partsOf, streamId } from "./stream-lane.ts";

type Create = (id: string, from: number) => Pick<Assembly, "take">;

/** Gives every part as it is, whatever the reader has. */
const careless: Create = () => ({ take: (part) => part as StreamPiece });
/** Cuts at the very offset, in the middle of a pair too. */
const splitting: Create = (_, from) => ({
  take(part) {
    const text = "text" in part ? part.text.slice(Math.max(0, from - part.at)) : "";
    return text ? { at: Math.max(part.at, from), text } : undefined;
  },
});
/** Takes what comes for what follows. */
const trusting: Create = (id, from) => {
  let end = 0;
  const inner = createAssembly(id, from);
  return {
    take(part) {
      const piece = inner.take({ ...part, at: end });
      end += "text" in part ? part.text.length : 0;
      return piece;
    },
  };
};

function read(create: Create, parts: readonly StreamPart[], from: number): { at: number; text: string }[] {
  const assembly = create(streamId, from);
  return parts.flatMap((part) => (assembly.take(part) as { at: number; text: string } | undefined) ?? []);
}

const texts = fc.array(fc.string({ unit: "grapheme", minLength: 1, maxLength: 5 }), {
  minLength: 1,
  maxLength: 8,
});
const bodiesOf = (words: readonly string[]) => partsOf(words).map(({ body }) => body as StreamPart);

/** From any offset a reader gets the rest, whole characters, and says where it begins. */
function resumes(create: Create): void {
  fc.assert(
    fc.property(texts, (words) => {
      const whole = words.join("");
      for (let from = 0; from <= whole.length; from++) {
        const pieces = read(create, bodiesOf(words), from);
        const at = pieces[0]?.at ?? whole.length;
        const rest = pieces.map(({ text }) => text).join("");
        if (whole.slice(0, at) + rest !== whole) throw new Error(`not the rest from ${from}`);
        if (
          at > from ||
          from - at > 1 ||
          rest !== new TextDecoder("utf-8", { ignoreBOM: true }).decode(new TextEncoder().encode(rest))
        )
          throw new Error(`${at} is no beginning for ${from}`);
      }
    }),
  );
}

/** Parts of which one is left out are not believed. */
function misses(create: Create): void {
  fc.assert(
    fc.property(texts, fc.nat(), fc.nat(), (words, lost, from) => {
      const bodies = bodiesOf([...words, "end"]);
      bodies.splice(lost % words.length, 1);
      expect(() => read(create, bodies, from % 20)).toThrow(
        expect.objectContaining({ code: "messaging/stream-corrupt" }),
      );
    }),
  );
}

describe("parts put together", () => {
  it("STREAM-14: from any offset come whole characters, without a gap or anything twice", () =>
    resumes(createAssembly));

  it.each([
    ["forgets the offset", careless],
    ["splits a pair", splitting],
  ])("STREAM-14: a reader that %s is caught", (_, create) => expect(() => resumes(create)).toThrow());

  it("STREAM-16: a part that is missing is noticed wherever the reader began", () => misses(createAssembly));

  it("STREAM-16: parts that are read again from an earlier one, after a loss, are no other digest", async () => {
    const bodies = bodiesOf(["a", "b", "c"]);
    const assembly = createAssembly(streamId, 0);
    for (const body of bodies) assembly.take(body);
    assembly.begin(1);
    expect(bodies.slice(1).map((body) => assembly.take(body))).toEqual([undefined, undefined]);
    await assembly.finish((await endOf("abc")).body as StreamEndBody);
    const joined = createAssembly(streamId, 0);
    joined.take(bodies[0] as StreamPart);
    joined.begin(1);
    for (const body of bodiesOf(["?", "x", "c"]).slice(1)) joined.take(body);
    await expect(joined.finish((await endOf("abc")).body as StreamEndBody)).rejects.toMatchObject({
      code: "messaging/stream-corrupt",
    });
  });

  it("STREAM-16: a stream past the largest reference is not believed by who holds it", () => {
    const bodies = bodiesOf(["éé", "é"]);
    const assembly = createAssembly(streamId, 0, 5);
    expect(assembly.take(bodies[0] as StreamPart)).toMatchObject({ at: 0 });
    expect(() => assembly.take(bodies[1] as StreamPart)).toThrow(
      expect.objectContaining({ code: "messaging/stream-corrupt" }),
    );
    expect(read((id, from) => createAssembly(id, from, 5), bodies, 1)).toHaveLength(2);
  });

  it("STREAM-16: a reader that forgets to check where parts begin is caught", () =>
    expect(() => misses(trusting)).toThrow());
});
