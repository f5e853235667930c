import { connect, createServer, type Server, type Socket } from "node:net";
import { findFreePort } from "../../scripts/lib/ports.mjs";

/** A connection to the relay that a test can pull out: every byte, of sockets and requests alike, goes through it. */
export interface Cable {
  /** The relay's address at this end. */
  readonly url: string;
  /** Ends every connection and accepts no new one. */
  cut(): Promise<void>;
  heal(): Promise<void>;
}

/** Lays a cable to a port of this machine. */
export async function layCable(relayPort: number): Promise<Cable> {
  const port = await findFreePort();
  const ends = new Set<Socket>();
  let server: Server | undefined;

  function join(near: Socket): void {
    const far = connect({ host: "localhost", port: relayPort });
    for (const [end, other] of [
      [near, far],
      [far, near],
    ] as const) {
      ends.add(end);
      end.pipe(other);
      // The `close` that follows says all that the other end needs to know.
      end.on("error", () => undefined);
      end.on("close", () => {
        ends.delete(end);
        other.destroy();
      });
    }
  }

  async function heal(): Promise<void> {
    const listening = createServer(join);
    server = listening;
    await new Promise<void>((resolve, reject) => {
      listening.once("error", reject);
      listening.listen(port, "localhost", resolve);
    });
  }

  async function cut(): Promise<void> {
    const closing = server;
    server = undefined;
    if (!closing) return;
    const closed = new Promise<void>((resolve) => closing.close(() => resolve()));
    for (const end of ends) end.destroy();
    await closed;
  }

  await heal();
  return { url: `http://localhost:${port}`, cut, heal };
}
