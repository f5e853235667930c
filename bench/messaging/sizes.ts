import { WebSocket } from "ws";
import {
  type Agent,
  createInMemoryPersistence,
  type Persistence,
  type RoomPlatform,
} from "../../src/index.ts";
import { encodeEntry, messageKind, messageSchemaVersion } from "../../src/protocol/index.ts";
import { content } from "../limits.ts";
import { openApart, turn } from "./agents.ts";
import { type Line, printTable } from "./table.ts";

/** Fewer than fill a page, so that nothing is sealed meanwhile. */
const messages = 512;
/** Longer than registers wait to be stored. */
const settleMs = 300;

/** What a message takes, alone and 64 a turn: frames whole, with marks, credits and the names of documents. */
export async function measureSizes(relay: string): Promise<void> {
  const body = { type: "SIZE", to: "receiver", content, schemaVersion: messageSchemaVersion };
  const json = encodeEntry({ kind: messageKind, parents: [], body }).length;
  const lines: Line[] = [];
  for (const perTurn of [1, 64]) {
    const beside = { name: "the entry's JSON", values: [json] };
    for (const [what, bytes] of Object.entries(await bytesOf(relay, perTurn))) {
      const told = perTurn === 1 ? "alone" : `${perTurn} a turn`;
      lines.push({ path: `${what}, ${told}`, unit: "B", ours: [bytes], beside });
    }
  }
  printTable("Bytes a message", lines);
}

async function bytesOf(relay: string, perTurn: number): Promise<Record<string, number>> {
  const [sent, received, stored] = [{ bytes: 0 }, { bytes: 0 }, { bytes: 0 }];
  const unwatched = { bytes: 0 };
  const pair = await openApart(
    [
      { WebSocket: countingSocket(sent, unwatched), persistence: countingPersistence(stored) },
      { WebSocket: countingSocket(unwatched, received) },
    ],
    relay,
  );
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  for (const count of [sent, received, stored]) count.bytes = 0;
  await sendAll(pair.sender, perTurn);
  const each = (count: Count): number => count.bytes / messages;
  const bytes = {
    "sent to the relay": each(sent),
    "received from it": each(received),
    "in the sender's database": each(stored),
  };
  await pair.close();
  return bytes;
}

/** Nobody handles them: what the receiver says in its register is not the message's. */
async function sendAll(sender: Agent, perTurn: number): Promise<void> {
  for (let done = 0; done < messages; done += perTurn) {
    const batch = Array.from({ length: perTurn }, () =>
      sender.send({ to: "receiver", type: "SIZE", content }),
    );
    await (await batch.at(-1))?.settled("relayed");
    await turn();
  }
  // Until the receiver has the last as well.
  await new Promise((resolve) => setTimeout(resolve, settleMs));
}

interface Count {
  bytes: number;
}

/** The class `ws` with its frames counted. */
function countingSocket(sent: Count, received: Count): NonNullable<RoomPlatform["WebSocket"]> {
  class CountingSocket extends WebSocket {
    constructor(url: string, protocols?: string[]) {
      super(url, protocols);
      this.on("message", (frame: ArrayBuffer | Buffer) => {
        received.bytes += frame.byteLength;
      });
    }

    override send(frame: Uint8Array): void {
      sent.bytes += frame.length;
      super.send(frame);
    }
  }
  return CountingSocket as unknown as NonNullable<RoomPlatform["WebSocket"]>;
}

/** Memory, with the bytes of keys and updates counted as they are written. */
function countingPersistence(written: Count): Persistence {
  const persistence = createInMemoryPersistence();
  return {
    ...persistence,
    async open(name) {
      const store = await persistence.open(name);
      return {
        ...store,
        write(change) {
          for (const [key, value] of change.put ?? []) {
            if (key.startsWith("page/") && value instanceof Uint8Array) {
              written.bytes += key.length + value.length;
            }
          }
          return store.write(change);
        },
      };
    },
  };
}
