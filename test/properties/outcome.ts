import type { ListedMessage } from "../../src/index.ts";
import type { FlockPlan } from "./flock-plan.ts";
import type { FlockLedger } from "./ledger.ts";

/** What one replica shows at the end. */
export interface Final {
  name: string;
  /** The whole state as JSON, by its names; empty where the room is not open. */
  state: string;
  /** The values of the list from which nothing is ever deleted. */
  kept: readonly string[];
  messages: readonly ListedMessage[];
  pending: number;
}

/** What a run left behind. */
export interface FlockOutcome {
  plan: FlockPlan;
  ledger: FlockLedger;
  /** By replica, after the heal. */
  finals: readonly Final[];
  fingerprint: string;
  events: number;
}

/** Everything that a healed flock must not show. */
export function complaintsOf(outcome: Pick<FlockOutcome, "plan" | "ledger" | "finals">): string[] {
  const { plan, ledger, finals } = outcome;
  const [first] = finals;
  if (!first) return [];
  return [
    ...ledger.violations(new Set(idsOf(first))),
    ...finals.flatMap((final) => [
      ...differences(first, final),
      ...undelivered(plan, ledger, final),
      ...lost(ledger, final),
    ]),
  ];
}

/** PROP-1: what one replica has and another has not. */
function* differences(first: Final, final: Final): Iterable<string> {
  const { name, state, messages, pending } = final;
  if (pending !== 0) yield `${name} has ${pending} writes pending`;
  if (state !== first.state) yield `the state differs:\n  ${first.name} ${first.state}\n  ${name} ${state}`;
  const firstIds = idsOf(first);
  const ids = idsOf(final);
  if (new Set(ids).size !== ids.length) yield `${name} lists a message twice`;
  if (ids.join() !== firstIds.join()) {
    const lacking = firstIds.filter((id) => !ids.includes(id)).join(" ") || "nothing";
    const surplus = ids.filter((id) => !firstIds.includes(id)).join(" ") || "nothing";
    yield `${name} against ${first.name}: lacks ${lacking}, has besides ${surplus}`;
  }
  const contents = new Map(first.messages.map((message) => [message.id, contentOf(message)]));
  for (const message of messages) {
    if ((contents.get(message.id) ?? contentOf(message)) !== contentOf(message)) {
      yield `${name} and ${first.name} have different contents of ${message.id}`;
    }
  }
}

/** PROP-3: messages that did not reach a consumer that they are for. */
function* undelivered(plan: FlockPlan, ledger: FlockLedger, { name, messages }: Final): Iterable<string> {
  for (const message of messages) {
    for (const consumer of consumersOf(plan, message)) {
      if (message.stage !== "delivered") {
        yield `${name} shows ${message.id} to ${consumer} as ${message.stage}`;
      }
      if (!ledger.isCompleted(consumer, message.id)) yield `${consumer} never completed ${message.id}`;
    }
  }
}

/** PROP-5: what was settled and is not there. */
function* lost(ledger: FlockLedger, final: Final): Iterable<string> {
  const present = new Set([
    ...idsOf(final).map((id) => `message ${id}`),
    ...final.kept.map((value) => `kept ${value}`),
  ]);
  for (const [what, stage] of ledger.promised()) {
    if (!present.has(what)) yield `${final.name} lacks ${what}, which was settled ${stage}`;
  }
}

function idsOf({ messages }: Final): string[] {
  return messages.map(({ id }) => id);
}

function contentOf({ content, reference }: ListedMessage): string {
  return JSON.stringify([content, reference]);
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
