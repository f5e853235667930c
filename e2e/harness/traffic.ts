import type { Agent, Write } from "flockstate";
import type { HarnessRoom } from "./state.ts";

/** What the relay has acknowledged, by kind. */
export interface Acknowledged {
  /** Ids of messages. */
  readonly messages: readonly string[];
  /** Values pushed to the list. */
  readonly values: readonly string[];
  /** Keys of the board whose deletion was acknowledged. */
  readonly deletions: readonly string[];
  /** Ids of references that were uploaded. */
  readonly references: readonly string[];
}

/** Writes that go on until they are stopped. */
export interface Traffic {
  readonly acknowledged: Acknowledged;
  /** How many writes the relay has not acknowledged yet. */
  readonly open: number;
  /** Resolves once nothing more is written. */
  stop(): Promise<void>;
}

/** While the relay is away no more than this is left to it. */
const maxOpen = 40;
const referenceBytes = 20_000;

/** Sends messages to a topic, pushes to the list, sets and deletes keys of the board, and puts references. */
export function startTraffic(room: HarnessRoom, agent: Agent): Traffic {
  const messages: string[] = [];
  const values: string[] = [];
  const deletions: string[] = [];
  const references: string[] = [];
  const { log, board } = room.state;
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

  async function write(count: number): Promise<void> {
    const sent = await agent.send({ topic: "traffic", type: "STATUS", content: { count } });
    follow(sent, messages, sent.id);
    follow(log.push(sent.id), values, sent.id);
    board.set(`${sent.id} stays`, count);
    board.set(`${sent.id} goes`, count);
    follow(board.delete(`${sent.id} goes`), deletions, `${sent.id} goes`);
    if (count % 8 === 0) await room.refs.put(crypto.getRandomValues(new Uint8Array(referenceBytes)));
    await sent.settled("local");
  }

  async function run(): Promise<void> {
    for (let count = 0; !stopped; count++) {
      while (open >= maxOpen && !stopped) {
        await new Promise<void>((resolve) => {
          next = resolve;
        });
      }
      await write(count);
    }
  }

  room.refs.onChange(({ id, state }) => {
    if (state === "remote") references.push(id);
  });
  const running = run();
  return {
    acknowledged: { messages, values, deletions, references },
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
