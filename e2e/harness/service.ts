import { type Agent, defineService, isFlockError } from "flockstate";
import * as z from "zod/mini";

const calculator = defineService("calculator", {
  divide: { input: z.object({ by: z.number(), of: z.number() }), output: z.number() },
  /** Gives its input back, sooner or never. */
  brood: { input: z.number(), output: z.number() },
});

/** What a call came to: the output, or the code of the failure. */
export type Outcome = { readonly output: number } | { readonly failure: string };

/** Calls of a service that this page serves, or another one. */
export interface Calls {
  /** With `hasIdeas` brooding comes to an end. */
  serve(agent: Agent, options?: { hasIdeas?: boolean }): void;
  /** Divides one number by another. */
  divide(agent: Agent, to: string, of: number, by: unknown): Promise<Outcome>;
  /** Has a number brooded over. */
  brood(agent: Agent, to: string): Promise<Outcome>;
  /** The same until progress tells that somebody does: then it is taken back. */
  takeBack(agent: Agent, to: string): Promise<Outcome>;
  /** How often a method began here. */
  readonly runs: number;
  /** The codes of what aborted methods of this page. */
  readonly aborted: readonly string[];
}

/** Creates the calls of a page. */
export function createCalls(): Calls {
  const aborted: string[] = [];
  let runs = 0;

  function told(call: Promise<number>): Promise<Outcome> {
    return call.then(
      (output) => ({ output }),
      (failure: unknown) => ({ failure: isFlockError(failure) ? failure.code : String(failure) }),
    );
  }

  return {
    get runs() {
      return runs;
    },
    aborted,
    serve(agent, { hasIdeas = false } = {}) {
      agent.serve(calculator, {
        divide({ by, of }) {
          runs++;
          if (by === 0) throw new Error("Nothing is divided by 0.");
          return of / by;
        },
        brood(number, { signal, progress }) {
          runs++;
          if (hasIdeas) return number;
          progress({ data: number });
          return new Promise((_, reject) => {
            signal.addEventListener("abort", () => {
              aborted.push(isFlockError(signal.reason) ? signal.reason.code : String(signal.reason));
              reject(signal.reason);
            });
          });
        },
      });
    },
    divide: (agent, to, of, by) => told(agent.service(calculator, { to }).divide({ of, by: by as number })),
    brood: (agent, to) => told(agent.service(calculator, { to }).brood(7)),
    takeBack(agent, to) {
      const taking = new AbortController();
      const { signal } = taking;
      const onProgress = () => taking.abort("taken back");
      return told(agent.service(calculator, { to }).brood(7, { signal, onProgress }));
    },
  };
}
