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
 * Creates an attendance for those who come and go by the million: a `Set` of few members makes a new table every few
 * additions, and V8 keeps what the old ones name until a full collection (seen with Node 20).
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
