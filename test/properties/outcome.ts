import type { ListedMessage } from "../../src/index.ts";
import type { FlockPlan } from "./flock-plan.ts";
import type { FlockLedger } from "./ledger.ts";
import type { Member } from "./member.ts";

/** Everything that a healed flock must not show, besides that its rooms differ. */
export function complaintsOf(plan: FlockPlan, ledger: FlockLedger, members: readonly Member[]): string[] {
  const [first] = members;
  if (!first) return [];
  return [
    ...ledger.violations(new Set(first.room.messages.get().map(({ id }) => id))),
    ...members.flatMap(({ room }) => [
      ...undelivered(plan, ledger, room.messages.get()),
      ...lost(ledger, room.messages.get(), room.state.kept.get()),
    ]),
  ];
}

/** PROP-3: messages that did not reach a consumer that they are for. */
function* undelivered(
  plan: FlockPlan,
  ledger: FlockLedger,
  messages: readonly ListedMessage[],
): Iterable<string> {
  for (const message of messages) {
    for (const consumer of consumersOf(plan, message)) {
      if (message.stage !== "delivered") yield `${message.id} to ${consumer} is shown as ${message.stage}`;
      if (!ledger.isCompleted(consumer, message.id)) yield `${consumer} never completed ${message.id}`;
    }
  }
}

/** PROP-5: what was settled and is not there. */
function* lost(
  ledger: FlockLedger,
  messages: readonly ListedMessage[],
  kept: readonly string[],
): Iterable<string> {
  const present = new Set([
    ...messages.map(({ id }) => `message ${id}`),
    ...kept.map((value) => `kept ${value}`),
  ]);
  for (const [what, stage] of ledger.promised()) {
    if (!present.has(what)) yield `lost: ${what}, which was settled ${stage}`;
  }
}

/** The consumers that a message is for, as `agent/consumer`. */
function* consumersOf(plan: FlockPlan, { to, topic, from }: ListedMessage): Iterable<string> {
  for (const [agent, consumers] of plan.consumers) {
    for (const consumer of consumers) {
      const isFor =
        consumer.topic === undefined
          ? to === agent
          : topic === consumer.topic && from.split(".")[1] !== agent;
      if (isFor) yield `${agent}/${consumer.name}`;
    }
  }
}
