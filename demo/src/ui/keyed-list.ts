/** How a list shows its items. */
export interface KeyedListOptions<T, E extends Element> {
  key(item: T): string;
  create(item: T): E;
  /** Called for a new element as well, right after `create`. */
  update(element: E, item: T): void;
}

/**
 * Keeps the children of an element equal to a list of items: an element lives as long as its key is in the list and
 * moves only when it is out of place, so focus, selection and transitions survive.
 */
export function keyedList<T, E extends Element>(
  parent: Element,
  { key, create, update }: KeyedListOptions<T, E>,
): (items: readonly T[]) => void {
  const elements = new Map<string, E>();
  return (items) => {
    const wanted = new Set(items.map(key));
    for (const [id, element] of elements) {
      if (wanted.has(id)) continue;
      element.remove();
      elements.delete(id);
    }
    let previous: Element | null = null;
    for (const item of items) {
      const id = key(item);
      const element = elements.get(id) ?? create(item);
      elements.set(id, element);
      update(element, item);
      const next: ChildNode | null = previous === null ? parent.firstChild : previous.nextSibling;
      if (next !== element) parent.insertBefore(element, next);
      previous = element;
    }
  };
}
