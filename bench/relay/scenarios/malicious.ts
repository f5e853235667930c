import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { Connection } from "../connection.ts";
import { readUsage } from "../usage.ts";
import { newRoom, percentile, type Sample, type Scenario, type Target, withConnections } from "./scenario.ts";
import { chat } from "./writers.ts";

const honest = 4;
const perSecond = 50;

/** Four honest clients, without and with one that sends what must be refused at full speed. */
export function malicious(attackerScript: string): Scenario {
  return {
    id: "malicious",
    title: `One malicious client beside ${honest} honest ones`,
    about: `The honest ones write ${perSecond} updates a second each, first alone, then beside a client in a process of its own that sends refused updates as fast as they are taken, and comes back whenever it is thrown out. The limits are the defaults. Nothing honest is lost: every update is counted at every other.`,
    columns: [
      { key: "alone", title: "p95 µs alone" },
      { key: "beside", title: "p95 µs beside it" },
      { key: "ratio", title: "ratio" },
      { key: "cpu", title: "CPU ms/s beside it" },
      { key: "thrown", title: "times thrown out" },
    ],
    relays: ["ours-default-limits"],
    run: (target, { loadMs }) =>
      withConnections(async (open): Promise<Sample> => {
        const room = newRoom();
        const connections: Connection[] = [];
        for (let client = 0; client < honest; client++) connections.push(await open(target, room));
        const alone = await chat({ target, room, connections, perSecond, loadMs });
        const attacker = await startAttacker(attackerScript, target, room);
        const before = readUsage(target.pid).cpuUs;
        try {
          const beside = await chat({ target, room, connections, perSecond, loadMs, from: alone.sentBy });
          const cpu = (readUsage(target.pid).cpuUs - before) / loadMs;
          const [quiet, loud] = [percentile(alone.times, 0.95), percentile(beside.times, 0.95)];
          return { alone: quiet, beside: loud, ratio: loud / quiet, cpu, thrown: attacker.thrownOut() };
        } finally {
          await attacker.stop();
        }
      }),
  };
}

async function startAttacker(
  script: string,
  { url }: Target,
  room: string,
): Promise<{ thrownOut(): number; stop(): Promise<void> }> {
  const child: ChildProcess = fork(script, [url, room]);
  let thrownOut = 0;
  child.on("message", (message) => {
    if (message === "thrown out") thrownOut++;
  });
  await once(child, "message");
  return {
    thrownOut: () => thrownOut,
    async stop() {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    },
  };
}
