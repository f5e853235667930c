import type { Agent, HandlerContext, MessageFilter, OnMessageOptions, ReceivedMessage } from "flockstate";

/**
 * What a handler does with one delivery: `ack`, a throw (`fail`), no word before it is let go (`hold`), the same with
 * `working()` all the while (`work`), a page that never gets its turn back (`hang`) or is loaded anew (`reload`).
 */
export type Step =
  | "ack"
  | "fail"
  | "hold"
  | "work"
  | "hang"
  | "reload"
  | { readonly nakMs: number }
  | { readonly term: string };

/** Content of a message that says what becomes of its deliveries, the first first; what is not said is `ack`. */
export interface Job {
  readonly number?: number;
  readonly steps?: readonly Step[];
}

/** A delivery of a message to a handler of this page. */
export interface Delivered {
  readonly id: string;
  /** The name of the agent whose handler had it. */
  readonly agent: string;
  readonly attempt: number;
  readonly content: unknown;
  /** Whether its handler has come to its end. */
  readonly ended: boolean;
  /** The code of what aborted its signal. */
  readonly aborted?: string;
}

/** How a worker takes jobs. */
export interface WorkOptions extends OnMessageOptions {
  /** Default what names the agent. */
  readonly filter?: MessageFilter;
  /** Whatever a job says, it is done at once. */
  readonly mended?: boolean;
}

/** The handlers of a page that do as jobs say. */
export interface Workshop {
  /** Every delivery, in the order in which they began. */
  readonly deliveries: readonly Delivered[];
  /** Has an agent take jobs; whoever asked is told of each attempt, and answered with the one that was done. */
  open(agent: Agent, options: WorkOptions): void;
  /** Lets go what is held. */
  letGo(): void;
}

/** What `console` says when a handler begins: a page that hangs can't be asked any more. */
export const beginning = (id: string, attempt: number): string => `attempt ${attempt} of ${id} begins`;

const sayWorkingMs = 200;

/** Creates the workshop of a page. */
export function createWorkshop(): Workshop {
  const deliveries: Delivered[] = [];
  const held: (() => void)[] = [];
  const released = () => new Promise<void>((resolve) => held.push(resolve));

  async function handle(
    agent: Agent,
    options: WorkOptions,
    message: ReceivedMessage,
    context: HandlerContext,
  ) {
    const { id, content, role } = message;
    const { attempt, signal } = context;
    const record: { -readonly [K in keyof Delivered]: Delivered[K] } = {
      id,
      agent: agent.name,
      attempt,
      content,
      ended: false,
    };
    deliveries.push(record);
    signal.addEventListener("abort", () => {
      record.aborted = (signal.reason as { code?: string }).code ?? String(signal.reason);
    });
    console.info(beginning(id, attempt));
    if (role === "request") context.progress({ data: attempt });
    const { steps = [] } = (content ?? {}) as Job;
    await perform(options.mended ? "ack" : (steps[attempt - 1] ?? "ack"), context);
    if (role === "request") await context.respond({ attempt });
    record.ended = true;
  }

  async function perform(step: Step, context: HandlerContext): Promise<void> {
    if (step === "fail") throw new Error("The job says so.");
    if (step === "hold") await released();
    if (step === "work") {
      const working = setInterval(() => context.working(), sayWorkingMs);
      await released();
      clearInterval(working);
    }
    if (step === "hang") for (;;);
    if (step === "reload") {
      location.reload();
      await new Promise(() => {});
    }
    if (typeof step === "string") return;
    if ("term" in step) context.term(step.term);
    else context.nak({ delayMs: step.nakMs });
  }

  return {
    deliveries,
    open(agent, options) {
      const { filter = {}, mended: _, ...rest } = options;
      agent.onMessage(filter, (message, context) => handle(agent, options, message, context), rest);
    },
    letGo() {
      for (const release of held.splice(0)) release();
    },
  };
}
