import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as Y from "yjs";
import * as z from "zod/mini";
import { bindState, list, map, type StateSchema, table } from "../../src/crdt/index.ts";
import { createWrite } from "../../src/crdt/write.ts";
import { emptyUpdate } from "../../src/protocol/index.ts";

const written = createWrite({ local: async () => undefined, relayed: async () => undefined });

function bind<S extends StateSchema>(document: Y.Doc, schema: S) {
  return bindState(
    {
      document,
      transact(change) {
        document.transact(change);
        return written;
      },
    },
    schema,
  );
}

const oldPerson = z.object({ id: z.string(), name: z.string() });
const newPerson = z.object({
  id: z.string(),
  first: z.string(),
  last: z.string(),
  email: z.optional(z.string()),
});
type NewPerson = z.infer<typeof newPerson>;

const older = { people: table(oldPerson, { key: "id" }) };
const newer = {
  people: table(newPerson, {
    key: "id",
    upgrade({ name, ...rest }) {
      const [first = "", ...last] = String(name).split(" ");
      return { ...rest, first, last: last.join(" ") };
    },
    downgrade: ({ first, last }: NewPerson) => ({ name: `${first} ${last}` }),
  }),
};

describe("versions of an application on one state", () => {
  it("STATE-11: a newer version reads what older ones wrote, and opening writes nothing", () => {
    const document = new Y.Doc();
    bind(document, older).people.set({ id: "1", name: "Ada Lovelace" });
    const before = Y.encodeStateAsUpdate(document);
    const { people } = bind(document, newer);
    expect(people.get()).toEqual([{ id: "1", first: "Ada", last: "Lovelace" }]);
    expect(Y.encodeStateAsUpdate(document)).toEqual(before);
  });

  it("STATE-12: older versions go on reading and writing what newer ones wrote, and lose none of it", () => {
    const document = new Y.Doc();
    const [then, now] = [bind(document, older).people, bind(document, newer).people];
    now.set({ id: "1", first: "Ada", last: "Lovelace", email: "ada@example.com" });
    expect(then.row("1")).toEqual({ id: "1", name: "Ada Lovelace" });
    then.set({ id: "1", name: "Ada King" });
    expect(now.row("1")).toEqual({ id: "1", first: "Ada", last: "King", email: "ada@example.com" });
    now.set({ id: "1", first: "Augusta", last: "King" });
    expect(then.row("1")).toEqual({ id: "1", name: "Augusta King" });
    expect(now.row("1")).toEqual({ id: "1", first: "Augusta", last: "King" });
  });

  it("STATE-12: in any order of writes the last word is read by both versions alike", () => {
    const name = fc.string({ minLength: 1, maxLength: 8, unit: fc.constantFrom("a", "b", "c") });
    const writes = fc.array(fc.record({ isOld: fc.boolean(), first: name, last: name }), { minLength: 1 });
    fc.assert(
      fc.property(writes, (all) => {
        const document = new Y.Doc();
        const [then, now] = [bind(document, older).people, bind(document, newer).people];
        for (const { isOld, first, last } of all) {
          if (isOld) then.set({ id: "1", name: `${first} ${last}` });
          else now.set({ id: "1", first, last });
          expect(then.row("1")).toEqual({ id: "1", name: `${first} ${last}` });
          expect(now.row("1")).toEqual({ id: "1", first, last });
        }
      }),
    );
  });

  it("STATE-12 control: without a downgrade the older version does not see what the newer one wrote", () => {
    const document = new Y.Doc();
    bind(document, { people: table(newPerson, { key: "id" }) }).people.set({
      id: "1",
      first: "Ada",
      last: "King",
    });
    expect(bind(document, older).people.row("1")).toBeUndefined();
  });

  it("STATE-13: defaults are read and never written", () => {
    const document = new Y.Doc();
    const options = { defaults: { retries: 3, budget: 10 } };
    const settings = bind(document, { settings: map(z.number(), options) }).settings;
    expect(settings.get()).toEqual({ retries: 3, budget: 10 });
    expect(Y.encodeStateAsUpdate(document)).toEqual(emptyUpdate);
    settings.set("retries", 5);
    expect(settings.get()).toEqual({ retries: 5, budget: 10 });
    settings.delete("retries");
    expect(settings.get()).toEqual({ retries: 3, budget: 10 });
    expect(Object.isFrozen(options.defaults)).toBe(false);
  });

  it("STATE-14: maps and lists evolve as tables do; an upgrade that throws leaves its value out", () => {
    const document = new Y.Doc();
    const oldNote = z.object({ text: z.string() });
    const newNote = z.object({ body: z.string() });
    const evolution = {
      upgrade({ text }: Record<string, unknown>) {
        if (text === "broken") throw new Error("no");
        return { body: text };
      },
      downgrade: ({ body }: { body: string }) => ({ text: body }),
    };
    const then = bind(document, { notes: map(oldNote), log: list(oldNote) });
    const now = bind(document, { notes: map(newNote, evolution), log: list(newNote, evolution) });
    then.notes.set("a", { text: "one" });
    then.notes.set("b", { text: "broken" });
    then.log.push({ text: "two" });
    now.log.push({ body: "three" });
    expect(now.notes.get()).toEqual({ a: { body: "one" } });
    expect(now.log.get()).toEqual([{ body: "two" }, { body: "three" }]);
    expect(then.log.get()).toEqual([{ text: "two" }, { text: "three" }]);
  });
});
