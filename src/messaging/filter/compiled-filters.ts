import type { ConsumerRecord } from "../../protocol/index.ts";
import { type CompiledFilter, compileFilter } from "./filter.ts";

/** The filters of registers' consumers, each made ready once for as long as its register is not read anew. */
export interface CompiledFilters {
  /** That of a consumer in the register of a writer. */
  of(consumer: ConsumerRecord, writer: string): CompiledFilter;
}

/** Creates them; what goes with a register goes from here too. */
export function createCompiledFilters(): CompiledFilters {
  const compiled = new WeakMap<ConsumerRecord, { writer: string; filter: CompiledFilter }>();
  return {
    of(consumer, writer) {
      const known = compiled.get(consumer);
      if (known?.writer === writer) return known.filter;
      const filter = compileFilter(consumer.filter, writer, consumer);
      compiled.set(consumer, { writer, filter });
      return filter;
    },
  };
}
