import { describe, expect, it, vi } from "vitest";
import type { ConsumerPositionsOptions } from "../../src/messaging/consumer/consumer-positions.ts";
import type { MessagesBook } from "./messages-book.ts";
import { messagesScenario } from "./messages-flock.ts";
import { forSeeds, seedsFor } from "./seeds.ts";

/** The book of the present run: what every consumer publishes goes into it. */
const present = vi.hoisted((): { book: MessagesBook | undefined } => ({ book: undefined }));

vi.mock("../../src/messaging/consumer/consumer-positions.ts", async (original) => {
  const positions =
    await original<typeof import("../../src/messaging/consumer/consumer-positions.ts")>();
  return {
    ...positions,
    createConsumerPositions(options: ConsumerPositionsOptions) {
      const { name, writer, documents } = options;
      return positions.createConsumerPositions({
        ...options,
        writer: {
          ...writer,
          get id() {
            return writer.id;
          },
          setRegister(record) {
            const said = record.consumers[name];
            if (said) {
              present.book?.published({
                writer: writer.id,
                name,
                record: said,
                others: documents.registers(),
                liveIn: (lane) => liveIn(documents, lane),
              });
            }
            writer.setRegister(record);
          },
        },
      });
    },
  };
});

const watched = {
  onBook(book: MessagesBook) {
    present.book = book;
  },
};

describe("messages, their consumers and what becomes of them", () => {
  forSeeds(
    "PROP-30 PROP-31 PROP-32 PROP-33 PROP-34 PROP-35 each message ends, once, in order, and is known to",
    seedsFor(500),
    messagesScenario(watched),
  );
});

function liveIn({ register, log }: ConsumerPositionsOptions["documents"], lane: string): string[] | undefined {
  const pages = log.pages(lane);
  if (!register(lane) && pages.length === 0) return undefined;
  return pages.flatMap(({ entries }) => entries.map(({ id }) => id));
}
