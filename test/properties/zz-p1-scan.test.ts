import { it, vi } from "vitest";
import { explore } from "../../src/testing/index.ts";
import type { ConsumerPositionsOptions } from "../../src/messaging/consumer/consumer-positions.ts";
import type { MessagesBook } from "./messages-book.ts";
import { messagesScenario } from "./messages-flock.ts";
import { relayCode } from "./flock.ts";
const present = vi.hoisted((): { book: MessagesBook | undefined } => ({ book: undefined }));
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
it("scan", async () => {
  const scenario = messagesScenario({ onBook(book) { present.book = book; } });
  const [from, to] = (process.env["P1_RANGE"] ?? "0-20").split("-").map(Number) as [number, number];
  let events = 0;
  const t0 = performance.now();
  for (let seed = from; seed < to; seed++) {
    const t = performance.now();
    try { const r = await explore(scenario, { relay: relayCode, seeds: [seed], shrinkRuns: 0 }); events += r.events; }
    catch (e) { console.log(`SEED ${seed} ${(performance.now()-t).toFixed(0)}ms: ${(e as Error).message.split("\n\n")[0]!.slice(0, 700)}`); }
  }
  const cpu = process.cpuUsage();
  console.log(`SCANNED ${to - from} in ${((performance.now()-t0)/1000).toFixed(1)}s cpu ${(cpu.user/1e6).toFixed(1)} events ${events}`);
}, 3_600_000);

function liveIn({ register, log }: ConsumerPositionsOptions["documents"], lane: string): string[] | undefined {
  const pages = log.pages(lane);
  if (!register(lane) && pages.length === 0) return undefined;
  return pages.flatMap(({ entries }) => entries.map(({ id }) => id));
}
