import type { RoomObjectStorage } from "../../../src/edge/index.ts";
import type { FailPoints } from "./fail-points.ts";

const statement =
  /^\s*(INSERT(?: OR \w+)? INTO|DELETE FROM|UPDATE|(?:CREATE|ALTER|DROP) \w+)(?: IF(?: NOT)? EXISTS)? (\w+)/i;

/** The storage of a room with a step before, within and after each transaction, and after each statement that writes. */
export function failingStorage(driver: RoomObjectStorage, points: FailPoints): RoomObjectStorage {
  return withMethods(driver, {
    async setAlarm(atMs) {
      await driver.setAlarm(atMs);
      points.reach("alarm set");
    },
    sql: {
      exec(query: string, ...bindings: unknown[]) {
        const result = driver.sql.exec(query, ...bindings);
        const [, verb, table] = statement.exec(query) ?? [];
        if (verb && table) points.reach(`${verb.split(" ")[0]?.toLowerCase()} ${table}`);
        return result;
      },
    },
    transactionSync<T>(run: () => T): T {
      points.reach("transaction begins");
      const result = driver.transactionSync(() => {
        const returned = run();
        points.reach("transaction ends");
        return returned;
      });
      points.reach("transaction over");
      return result;
    },
  });
}

/** A platform object with some of its properties replaced; the others keep the object as their `this`. */
export function withMethods<T extends object>(target: T, replaced: Partial<T>): T {
  return new Proxy(target, {
    get(object, key) {
      if (Object.hasOwn(replaced, key)) return Reflect.get(replaced, key);
      const value: unknown = Reflect.get(object, key, object);
      return typeof value === "function" ? value.bind(object) : value;
    },
  });
}
