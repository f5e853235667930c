import { setImmediate as turn } from "node:timers/promises";
import { openConnection } from "./connection.ts";
import { ourProtocol } from "./protocols/ours.ts";

const burst = 64;
/** What may wait in this process's own socket: beyond it the attack would only fill its own memory. */
const waitingBytes = 4 * 1024 * 1024;

/** Sends what must be refused, as fast as the relay takes it, and comes back whenever it is thrown out. */
async function attack(url: string, room: string): Promise<never> {
  const protocol = ourProtocol("attacker", "lanes");
  const frames = protocol.invalid?.(room) ?? [];
  for (;;) {
    try {
      const connection = await openConnection({ url, protocol }, room);
      process.send?.("attacking");
      let thrownOut = false;
      connection.lost.catch(() => {
        thrownOut = true;
      });
      for (let sent = 0; !thrownOut; sent++) {
        if (connection.waitingBytes() < waitingBytes) {
          connection.send(
            ...Array.from({ length: burst }, (_, index) => frames[(sent + index) % frames.length]!),
          );
        }
        await turn();
      }
      process.send?.("thrown out");
    } catch {
      // Refused at the door: the next attempt follows.
      process.send?.("refused");
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

const [, , url = "", room = ""] = process.argv;
process.once("disconnect", () => process.exit(0));
await attack(url, room);
