import type { LaneMarks, RegisterRecord } from "../../protocol/index.ts";
import type { ReceivedDocuments } from "../lanes/received.ts";
import type { WriterPool } from "./writer-pool.ts";

/**
 * The latest word of every writer known here; that of one's own writers from their databases, but for those that are
 * written elsewhere too.
 */
export interface Registers {
  all(): Map<string, RegisterRecord>;
  get(writer: string): RegisterRecord | undefined;
  /** How far a writer's lane is sealed, by the furthest word of this session: a register that goes back unseals nothing. */
  marks(writer: string): LaneMarks | undefined;
}

/** Creates the registers over what was received and what is written here. */
export function createRegisters(
  received: Pick<ReceivedDocuments, "writers" | "register">,
  pool: Pick<WriterPool, "registers" | "register" | "isFrozen">,
): Registers {
  function get(writer: string): RegisterRecord | undefined {
    const heard = pool.isFrozen(writer) ? received.register(writer) : undefined;
    return heard ?? pool.register(writer) ?? received.register(writer);
  }

  const furthest = new Map<string, LaneMarks>();

  function marks(writer: string): LaneMarks | undefined {
    const record = get(writer);
    if (!record) furthest.delete(writer);
    const known = furthest.get(writer);
    const lane = record?.lane;
    if (!lane || (known && isBehind(lane, known))) return known;
    furthest.set(writer, lane);
    return lane;
  }

  return {
    all() {
      const all = new Map<string, RegisterRecord>();
      const pooled = [...pool.registers()].map(([writer]) => writer);
      for (const writer of new Set([...received.writers(), ...pooled])) {
        const record = get(writer);
        if (record) all.set(writer, record);
      }
      return all;
    },
    get,
    marks,
  };
}

function isBehind(marks: LaneMarks, known: LaneMarks): boolean {
  return marks.low < known.low || (marks.low === known.low && marks.first < known.first);
}
