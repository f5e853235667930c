/** A source's item, and what was read for it. */
export interface ReadItem<Item, Value> {
  item: Item;
  value: Value;
}

/**
 * Reads something for each item of a source, up to `ahead` of them at once, and gives it in the order of the source.
 * What fails, be it the source or a reading, is thrown in its place, after all that comes before it.
 */
export async function* readAhead<Item, Value>(
  source: AsyncIterator<Item>,
  read: (item: Item) => Promise<Value>,
  ahead: number,
): AsyncGenerator<ReadItem<Item, Value>, void, undefined> {
  const flights: Promise<ReadItem<Item, Value>>[] = [];
  let isOver = false;

  function fly(flight: Promise<ReadItem<Item, Value>>): void {
    // Whoever stops reading early never hears of it.
    flight.catch(() => undefined);
    flights.push(flight);
  }

  while (true) {
    while (!isOver && flights.length < ahead) {
      try {
        const { done, value: item } = await source.next();
        if (done) isOver = true;
        else fly(read(item).then((value) => ({ item, value })));
      } catch (failure) {
        isOver = true;
        fly(Promise.reject(failure));
      }
    }
    const next = flights.shift();
    if (!next) return;
    yield await next;
  }
}
