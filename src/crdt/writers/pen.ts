import type { RegisterRecord } from "../../protocol/index.ts";
import type { Writer } from "./writer.ts";

/** What an agent writes with: its writer here, which another one may follow at any time. */
export type Pen = Pick<Writer, "id" | "append" | "register" | "setRegister" | "leave" | "flush">;

/** A pen in the hands of whoever opens its writers. */
export interface OwnPen extends Pen {
  /** Goes on with another writer, which takes over what the register says of the agent. */
  goOn(next: Writer, now: number): void;
}

/** Creates a pen over a first writer. What was appended keeps its handle: it settles as its own writer says. */
export function createPen(first: Writer): OwnPen {
  let writer = first;
  const all = [first];
  return {
    get id() {
      return writer.id;
    },
    append: (record, options) => writer.append(record, options),
    register: () => writer.register(),
    setRegister: (record) => writer.setRegister(record),
    leave: () => writer.leave(),
    async flush() {
      for (const each of all) await each.flush();
    },
    goOn(next, now) {
      const before = writer.register();
      writer = next;
      all.push(next);
      if (before) next.setRegister(successorOf(before, now));
    },
  };
}

/** The register of a writer that goes on for another: what is the agent's, without what is the lane's. */
function successorOf({ version, capabilities, consumers }: RegisterRecord, now: number): RegisterRecord {
  return { version, capabilities, consumers, since: now };
}
