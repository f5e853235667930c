/**
 * Views, from the entries to the states:
 *
 * - `order.ts` gives each entry its effective clock, once for all views (`effective.ts`, `place.ts`); what rests on sealed
 *   entries asks `sealed-clocks.ts`, and what waits for a parent is kept there.
 * - `open-view.ts` is one view: it hears of arrivals, of pages that were let go of, and of marks, and hands on. Its parts:
 *   `definition.ts` is what an application declares, `guarded.ts` the same that never throws, `view.ts` what it gets back.
 *   `view-keys.ts` has the keys, each a `key-fold.ts`; `coverage.ts` counts which entries were dealt with;
 *   `view-reader.ts` reads what the view lacks of history, whole lanes through `catching-up.ts` and single keys through
 *   `sealed-reading.ts`, and `retry.ts` tries again; `keeping.ts` writes the snapshot, `snapshots.ts` knows its rows;
 *   `hooks.ts` tells of effective changes.
 * - `replay.ts` folds entries at hand, without a room.
 */
import { type Clock, type Closable, createScope, type Emitter, FlockError } from "../../base/index.ts";
import type { ViewDefinition } from "./definition.ts";
import type { Lanes } from "./lanes.ts";
import { openView } from "./open-view.ts";
import { createOrder, type Order } from "./order.ts";
import type { SnapshotStorage } from "./snapshots.ts";
import type { BoundedViewOptions, View } from "./view.ts";

/** The views of a room, over one order of its entries. */
export interface Views extends Closable {
  readonly order: Order;
  /** Opens a view; it closes with the room, if not before. @throws `crdt/closed` */
  open<State>(definition: ViewDefinition<State>, options?: BoundedViewOptions): View<State>;
}

export interface ViewsOptions {
  lanes: Lanes;
  clock: Clock;
  /** Where snapshots are kept. */
  storage: SnapshotStorage;
  /** Told when what was out of reach may be had again. */
  reachable: Emitter<void>;
  onProblem(error: FlockError): void;
}

/** Creates the views of a room. */
export function createViews(options: ViewsOptions): Views {
  const { lanes, clock, reachable, onProblem } = options;
  const scope = createScope();
  const open = new Set<Closable>();
  const order = createOrder({ lanes, clock, reachable, onProblem });
  scope.add(() => order.close());
  scope.add(() => Promise.all([...open].map((view) => view.close())));

  return {
    order,
    open(definition, bounds) {
      if (scope.closed) throw new FlockError("crdt/closed", "The room is closed: no view can be opened.");
      const view = openView({ ...options, order }, definition, bounds);
      open.add(view);
      return {
        ...view,
        close() {
          open.delete(view);
          return view.close();
        },
      };
    },
    close: () => scope.close(),
  };
}
