import * as Y from "yjs";
import { type Clock, createStore, type Store } from "../../base/index.ts";
import type { Write } from "../write.ts";

/** On whose behalf a change is made. Nothing of it leaves this device: it is what undo goes by. */
export interface ChangeOrigin {
  agent?: string;
  conversation?: string;
}

/** Whose changes: those that no agent made, an agent's, or a conversation's. */
export type UndoneBy = "mine" | { agent: string } | { conversation: string };

export interface UndoOptions {
  /** Default `mine`. */
  of?: UndoneBy;
  /** Handles of the parts of the state to undo in; default all. */
  parts?: readonly { readonly y: unknown }[];
  /** Changes that follow each other within this are undone together, in milliseconds. Default 500. */
  mergeMs?: number;
}

/** The changes of one origin, made on this device since this was opened. Others' changes in between stay. */
export interface UndoHistory {
  /** Takes back the latest change of the origin; undefined where there is none. */
  undo(): Write | undefined;
  /** Makes the change again that was undone last; undefined where there is none, or another was made since. */
  redo(): Write | undefined;
  /** How many steps can be taken either way. */
  readonly steps: Store<{ readonly undo: number; readonly redo: number }>;
  /** The next change begins a step of its own. */
  split(): void;
  close(): void;
}

const mark = Symbol("a change of a room's state");

/** Marks a transaction with whom it is made for. */
export function createOrigin({ agent, conversation }: ChangeOrigin): object {
  return { [mark]: true, agent, conversation };
}

/** Editors bring origins of their own. */
function readOrigin(origin: unknown): ChangeOrigin {
  return typeof origin === "object" && origin !== null && mark in origin ? (origin as ChangeOrigin) : {};
}

function isBy(of: UndoneBy, origin: ChangeOrigin): boolean {
  if (of === "mine") return origin.agent === undefined;
  return "agent" in of ? origin.agent === of.agent : origin.conversation === of.conversation;
}

/** What the history of changes needs of the document. */
export interface UndoHost {
  document: Y.Doc;
  clock: Pick<Clock, "now">;
  /** A handle on what was just written. */
  written(): Write;
}

/** Opens the history of one origin over a document; it knows of changes from now on. */
export function openUndoHistory(
  { document, clock, written }: UndoHost,
  { of = "mine", parts, mergeMs = 500 }: UndoOptions = {},
): UndoHistory {
  const steps = createStore({ undo: 0, redo: 0 });
  let changedAt = Number.NEGATIVE_INFINITY;

  function isCaptured({ origin, local, changedParentTypes }: Y.Transaction): boolean {
    // An undo with nothing to undo is a transaction as well, and so is the forgetting of what can be done again.
    if (changedParentTypes.size === 0) return false;
    if (origin === manager) return true;
    if (!local || origin instanceof Y.UndoManager || !isBy(of, readOrigin(origin))) return false;
    // By the clock that is handed in; Yjs would take the machine's.
    if (clock.now() - changedAt >= mergeMs) manager.stopCapturing();
    changedAt = clock.now();
    return true;
  }

  const manager: Y.UndoManager = new Y.UndoManager(
    parts ? parts.map(({ y }) => y as Y.AbstractType<unknown>) : document,
    {
      captureTimeout: Number.POSITIVE_INFINITY,
      captureTransaction: isCaptured,
      trackedOrigins: everyOrigin(),
    },
  );

  function tell(): void {
    steps.set(Object.freeze({ undo: manager.undoStack.length, redo: manager.redoStack.length }));
  }
  for (const event of ["stack-item-added", "stack-item-popped", "stack-cleared"] as const)
    manager.on(event, tell);

  return {
    undo: () => (manager.undo() ? written() : undefined),
    redo: () => (manager.redo() ? written() : undefined),
    steps,
    split: () => manager.stopCapturing(),
    close() {
      manager.clear();
      manager.destroy();
    },
  };
}

/** Yjs compares origins by identity, or by their class; here `captureTransaction` alone decides. */
function everyOrigin(): Set<unknown> {
  return Object.assign(new Set(), { has: () => true });
}
