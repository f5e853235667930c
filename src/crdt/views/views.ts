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
