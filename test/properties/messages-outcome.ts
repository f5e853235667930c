import type { DeadLetter, DeliveryStatus, HistoryRecord, Message } from "../../src/index.ts";
import {
  type DeadLetterBody,
  deadLetterKind,
  parseEntryId,
  type RedriveBody,
  redriveKind,
} from "../../src/protocol/index.ts";
import type { MessagesBook } from "./messages-book.ts";
import type { MessagesMember } from "./messages-member.ts";
import { type MessagesPlan, maxDeliver, type PlannedConsumer, sharedName } from "./messages-plan.ts";

/** A healed flock, and everything that is in its lanes. */
export interface Outcome {
  plan: MessagesPlan;
  book: MessagesBook;
  members: readonly MessagesMember[];
  history: readonly HistoryRecord[];
  /** What the first member says of messages that are sealed there, by id. */
  sealed: ReadonlyMap<string, readonly DeliveryStatus[]>;
}

/** A consumer, over the writers that share its position, that a message is for. */
interface Addressee {
  readonly planned: PlannedConsumer;
  /** By the book. */
  readonly shared: string;
  /** `anon.planner`; undefined of a group, for which any member's may speak. */
  readonly agent: string | undefined;
}

/** Everything that a healed flock must not show. */
export function* complaintsOf(outcome: Outcome): Iterable<string> {
  yield* outcome.book.violations;
  yield* unsettled(outcome);
  yield* unrecorded(outcome);
  yield* disordered(outcome);
  yield* misburied(outcome);
}

function* messagesOf({ history }: Outcome): Iterable<Message> {
  for (const { message } of history) if (message) yield message;
}

/** Whom a message is for: a reading of filters of its own. */
function addresseesOf({ agents, consumers }: MessagesPlan, message: Message): Addressee[] {
  const { to, topic, writer } = message;
  const author = writer.split(".")[1];
  return consumers.flatMap((planned): Addressee[] => {
    const { group } = planned;
    if (group !== undefined) {
      return topic === "work" ? [{ planned, shared: planned.name, agent: undefined }] : [];
    }
    const takers = agents.filter((agent) => {
      if (planned.name === "news") return topic?.startsWith("news.") === true && author !== agent;
      if (to === "*") return author !== agent;
      return to === agent || to?.startsWith(`anon.${agent}.`) === true;
    });
    return takers.map((agent) => ({ planned, shared: sharedName(planned, agent), agent: `anon.${agent}` }));
  });
}

function statusOf(
  statuses: readonly DeliveryStatus[],
  { planned, agent }: Addressee,
): DeliveryStatus | undefined {
  return statuses.find(
    (each) => each.consumer === planned.name && (agent === undefined || each.agent === agent),
  );
}

/** PROP-30, PROP-34: messages of which it is not known, or not truly, what became of them. */
function* unsettled(outcome: Outcome): Iterable<string> {
  const { plan, book, members, sealed } = outcome;
  for (const message of messagesOf(outcome)) {
    for (const [index, { name, room }] of members.entries()) {
      const read = index === 0 ? sealed.get(message.id) : undefined;
      const statuses = read ?? room.deliveryStatus(message.id);
      if (!statuses) continue;
      for (const addressee of addresseesOf(plan, message)) {
        const { shared } = addressee;
        const status = statusOf(statuses, addressee);
        const what = `${message.id} to ${shared} is shown by ${name} as ${status?.state ?? "unknown"}`;
        if (!status || !isTrue(book, shared, message, status)) yield what;
      }
    }
    for (const { planned, shared, agent } of addresseesOf(plan, message)) {
      if (!book.isPassed(planned.name, agent, message.id)) yield `${shared} has not passed ${message.id}`;
      const isSettled = book.isAcknowledged(shared, message.id) || isGivenUp(outcome, shared, message.id);
      if (!isSettled) yield `${shared} neither acknowledged nor gave up ${message.id}`;
    }
  }
}

/** Whether the handlers' own words, or the message, bear a status out. */
function isTrue(
  book: MessagesBook,
  consumer: string,
  { id, expiresAt }: Message,
  { state, attempts }: DeliveryStatus,
): boolean {
  switch (state) {
    case "acknowledged":
      return book.isAcknowledged(consumer, id);
    case "terminated":
      return book.isTerminated(consumer, id);
    case "dead":
      return attempts >= maxDeliver;
    case "expired":
      return expiresAt !== undefined;
    default:
      return false;
  }
}

/** What a writer says of messages that it gave up. */
type SaidLetter = DeadLetterBody & { readonly agent: string };

function* lettersIn(history: readonly HistoryRecord[]): Iterable<SaidLetter> {
  for (const { kind, body, writer } of history) {
    if (kind !== deadLetterKind) continue;
    yield { ...(body as unknown as DeadLetterBody), agent: writer.slice(0, writer.lastIndexOf(".")) };
  }
}

function isGivenUp({ history }: Outcome, shared: string, id: string): boolean {
  return [...lettersIn(history)].some(
    (letter) => letter.messages.includes(id) && sharedBy(letter) === shared,
  );
}

/** As the book names the consumer of a letter. */
export function sharedBy({ consumer, agent }: Pick<DeadLetter, "consumer" | "agent">): string {
  return consumer.startsWith("group:") ? consumer : `${agent.split(".")[1]}/${consumer}`;
}

/** PROP-31: what was acknowledged is on record, and nothing is that no handler has done. */
function* unrecorded(outcome: Outcome): Iterable<string> {
  const { plan, book, members } = outcome;
  const wanted = new Map<string, string>();
  for (const message of messagesOf(outcome)) {
    for (const { planned, shared } of addresseesOf(plan, message)) {
      if (planned.records && book.isAcknowledged(shared, message.id)) {
        wanted.set(`${shared} ${message.id}`, `${shared} acknowledged ${message.id}`);
      }
    }
  }
  for (const { name, room } of members) {
    const effects = room.state.effects.get().map(({ key }) => key);
    if (new Set(effects).size < effects.length) yield `${name} has an effect twice`;
    const present = new Set(effects);
    for (const [key, why] of wanted)
      if (!present.has(key)) yield `${name} lacks the effect of ${key}: ${why}`;
  }
}

/** PROP-33: consumers that keep order were called first with a message before they were done with one ahead of it. */
function* disordered(outcome: Outcome): Iterable<string> {
  const { plan, book } = outcome;
  const lines = new Map<string, Message[]>();
  for (const message of messagesOf(outcome)) {
    for (const { planned, shared } of addresseesOf(plan, message)) {
      if (planned.delivery.order !== "lane") continue;
      const line = `${shared} ${message.writer}`;
      lines.set(line, [...(lines.get(line) ?? []), message]);
    }
  }
  for (const [line, messages] of lines) {
    const shared = line.slice(0, line.indexOf(" "));
    messages.sort((a, b) => placeOf(a.id) - placeOf(b.id));
    let [latest, before] = [0, ""];
    for (const { id, expiresAt } of messages) {
      const begun = book.firstBegun(shared, id);
      if (begun !== undefined && begun < latest) {
        yield `${shared} was called with ${id} before it was done with ${before}`;
      }
      // One that expires may be passed without a call; of one that kills its page the last calls may not come.
      const finished = expiresAt === undefined ? book.firstFinished(shared, id) : undefined;
      if (finished !== undefined && finished > latest && !isExhaustedUnseen(outcome, shared, id)) {
        [latest, before] = [finished, id];
      }
    }
  }
}

function isExhaustedUnseen({ book, history }: Outcome, shared: string, id: string): boolean {
  const isCalled = book.begins(shared, id).some(({ attempt }) => attempt >= maxDeliver);
  if (isCalled) return false;
  return [...lettersIn(history)].some(
    (letter) => letter.outcome === "exhausted" && letter.messages.includes(id) && sharedBy(letter) === shared,
  );
}

function placeOf(id: string): number {
  const { page, index } = parseEntryId(id) ?? { page: { number: 0 }, index: 0 };
  return page.number * 10_000 + index;
}

/** PROP-35: all replicas list the same letters, which are those that the lanes have and nobody asked for again. */
function* misburied({ history, members }: Outcome): Iterable<string> {
  const said = new Set<string>();
  const asked = new Set<string>();
  for (const letter of lettersIn(history)) {
    for (const id of letter.messages) said.add(letterText({ ...letter, id }));
  }
  for (const { kind, body } of history) {
    if (kind !== redriveKind) continue;
    const redrive = body as unknown as RedriveBody;
    asked.add(letterText({ ...redrive, id: redrive.message }));
  }
  const [first] = members;
  const shownBy = (member: MessagesMember): string => JSON.stringify(member.room.deadLetters.get());
  for (const member of members) {
    const listed = new Set(member.room.deadLetters.get().map(letterText));
    for (const text of said) {
      if (!listed.has(text) && !asked.has(text)) yield `${member.name} does not list the letter ${text}`;
    }
    for (const text of listed) if (!said.has(text)) yield `${member.name} lists ${text}, which nobody said`;
    if (first && shownBy(member) !== shownBy(first)) {
      yield `dead letters differ:\n  ${first.name} ${shownBy(first)}\n  ${member.name} ${shownBy(member)}`;
    }
    yield* misjudged(member);
  }
}

/** Letters whose message is shown as something else. */
function* misjudged({ name, room }: MessagesMember): Iterable<string> {
  const letters = room.deadLetters.get();
  for (const letter of letters) {
    const shared = sharedBy(letter);
    // Of a group several members may have given up the same message, each for its reason.
    const outcomes = letters.filter((each) => each.id === letter.id && sharedBy(each) === shared);
    const states = outcomes.map(({ outcome }) => (outcome === "exhausted" ? "dead" : outcome));
    const shown = room
      .deliveryStatus(letter.id)
      ?.filter(
        ({ agent, consumer, group }) =>
          consumer === letter.consumer && (group !== undefined || agent === letter.agent),
      );
    if (shown && !shown.some(({ state }) => states.some((each) => each === state))) {
      yield `${name} lists ${letterText(letter)} as ${letter.outcome} and shows it as ${shown[0]?.state}`;
    }
  }
}

function letterText({ agent, consumer, id }: Pick<DeadLetter, "agent" | "consumer" | "id">): string {
  return `${agent} ${consumer} ${id}`;
}
