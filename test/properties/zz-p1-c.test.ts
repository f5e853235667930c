import { it, vi } from "vitest";
import { relayCode } from "./flock.ts";
const present = vi.hoisted((): { book: any } => ({ book: undefined }));
vi.mock("../../src/messaging/consumer/position.ts", async (o) => { const s = await o<any>(); return { ...s, forget: (p: any) => p }; });
vi.mock("../../src/messaging/consumer/consumer-positions.ts", async (original) => {
  const positions = await original<any>();
  return {
    ...positions,
    createConsumerPositions(options: any) {
      const { name, writer, documents } = options;
      return positions.createConsumerPositions({
        ...options,
        writer: {
          ...writer,
          get id() { return writer.id; },
          setRegister(record: any) {
            const said = record.consumers[name];
            if (said) present.book?.published({ writer: writer.id, name, record: said, others: documents.registers(), liveIn: (lane: string) => documents.log.pages(lane).flatMap(({ entries }: any) => entries.map(({ id }: any) => id)) });
            writer.setRegister(record);
          },
        },
      });
    },
  };
});
import { messagesScenario } from "./messages-flock.ts";
import { explore } from "../../src/testing/index.ts";
it("x", async () => {
  for (let seed = 0; seed < 30; seed++) {
    try { await explore(messagesScenario({ steps: 40, onBook(b) { present.book = b; } }), { relay: relayCode, seeds: [seed], shrinkRuns: 0 }); }
    catch (e) { console.log("SEED", seed, (e as Error).message.slice(0, 300)); }
  }
}, 600000);
