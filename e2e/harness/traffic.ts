import type { Agent, Write } from "flockstate";
import type { HarnessRoom } from "./state.ts";

/** Writes that go on until they are stopped. */
export interface Traffic {
  /** Ids of the messages that the relay has acknowledged. */
  readonly messages: readonly string[];
  /** Values of the list that the relay has acknowledged. */
  readonly values: readonly string[];
  /** How many writes the relay has not acknowledged yet. */
  readonly open: number;
  /** Resolves once nothing more is written. */
  stop(): Promise<void>;
}

/** While the relay is away no more than this is left to it. */
const maxOpen = 40;

/** Sends messages to a topic and pushes to the list, in turn. */
export function startTraffic(room: HarnessRoom, agent: Agent): Traffic {
  const messages: string[] = [];
  const values: string[] = [];
  let open = 0;
  let stopped = false;
  let next = () => {};

  function follow(write: Write, acknowledged: string[], name: string): void {
    open++;
    write.settled("relayed").then(
      () => {
        acknowledged.push(name);
        open--;
        next();
      },
      // The page is going away, and this write is nobody's to count any more.
      () => undefined,
    );
  }

  async function run(): Promise<void> {
    for (let count = 0; !stopped; count++) {
      if (open >= maxOpen) {
        await new Promise<void>((resolve) => {
          next = resolve;
        });
        continue;
      }
      const sent = await agent.send({ topic: "traffic", type: "STATUS", content: { count } });
      follow(sent, messages, sent.id);
      const value = `${sent.id}#${count}`;
      follow(room.state.log.push(value), values, value);
      await sent.settled("local");
    }
  }

  const running = run();
  return {
    messages,
    values,
    get open() {
      return open;
    },
    async stop() {
      stopped = true;
      next();
      await running;
    },
  };
}
