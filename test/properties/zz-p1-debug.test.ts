import { it, vi } from "vitest";
import { explore, createSimulation } from "../../src/testing/index.ts";
import type { ConsumerPositionsOptions } from "../../src/messaging/consumer/consumer-positions.ts";
import type { MessagesBook } from "./messages-book.ts";
import { messagesScenario } from "./messages-flock.ts";
import { relayCode } from "./flock.ts";
import { createSimulatedRandom } from "../../src/testing/index.ts";
const present = vi.hoisted((): { book: MessagesBook | undefined; log: (t: string) => void } => ({ book: undefined, log: () => {} }));
vi.mock("../../src/messaging/consumer/consumer-positions.ts", async (original) => {
  const positions = await original<typeof import("../../src/messaging/consumer/consumer-positions.ts")>();
  return {
    ...positions,
    createConsumerPositions(options: ConsumerPositionsOptions) {
      const { name, writer, documents } = options;
      return positions.createConsumerPositions({
        ...options,
        writer: {
          ...writer,
          get id() { return writer.id; },
          setRegister(record) {
            const said = record.consumers[name];
            if (said) {
              present.log(`PUBLISH ${writer.id} ${name} ${JSON.stringify(said.lanes)}`);
              present.book?.published({ writer: writer.id, name, record: said, others: documents.registers(),
                liveIn: (lane) => liveIn(documents, lane) });
            }
            writer.setRegister(record);
          },
        },
      });
    },
  };
});
it("debug", async () => {
  const scenario = messagesScenario({ onBook(book) { present.book = book; const b = book.begin; book.begin = (x) => { present.log(`BEGIN ${x.life} ${x.consumer} ${x.id} ${x.attempt}`); const say = b(x); return (w) => { present.log(`SAY ${x.life} ${x.consumer} ${x.id} ${w}`); say(w); }; }; } });
  const seed = Number(process.env["P1_SEED"]);
  const steps = process.env["P1_STEPS"] ? JSON.parse(process.env["P1_STEPS"]) : scenario.plan(createSimulatedRandom(seed));
  const lines: string[] = [];
  let simulation = createSimulation({ ...scenario.world?.(createSimulatedRandom(seed)), seed, relay: relayCode, trace: (l) => void lines.push(l) });
  present.log = (t) => void lines.push(`${simulation.now() - Date.UTC(2030, 0, 1)} ${t}`);
  try { await scenario.play(simulation, steps); console.log("PASSED"); } catch (e) { lines.push(`FAILED ${(e as Error).stack}`); }
  await simulation.close();
  const fs = await import("node:fs");
  fs.writeFileSync(process.env["P1_OUT"] ?? "/tmp/p1.log", lines.join("\n"));
}, 600000);

function liveIn({ register, log }: ConsumerPositionsOptions["documents"], lane: string): string[] | undefined {
  const pages = log.pages(lane);
  if (!register(lane) && pages.length === 0) return undefined;
  return pages.flatMap(({ entries }) => entries.map(({ id }) => id));
}
