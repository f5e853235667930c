/** An element that can show the newer state of what it stands for. */
export interface View<T> {
  readonly element: Element;
  update(item: T): void;
}

/** The children of an element, kept equal to a list of items. */
export interface KeyedList<T, V extends View<T>> {
  show(items: readonly T[]): void;
  /** The view of the item with this key, while it is in the list. */
  view(key: string): V | undefined;
}

/** How items are told apart and first shown; `update` follows every `create`. */
export interface KeyedListOptions<T, V extends View<T>> {
  key(item: T): string;
  create(item: T): V;
}

/**
 * Keeps the children of an element equal to a list of items: an element lives as long as its key is in the list and
 * moves only when it is out of place, so focus, selection and transitions survive.
 */
export function keyedList<T, V extends View<T>>(
  parent: Element,
  { key, create }: KeyedListOptions<T, V>,
): KeyedList<T, V> {
  const views = new Map<string, V>();

  function show(items: readonly T[]): void {
    const wanted = new Set(items.map(key));
    for (const [id, { element }] of views) {
      if (wanted.has(id)) continue;
      element.remove();
      views.delete(id);
    }
    let previous: Element | null = null;
    for (const item of items) {
      const id = key(item);
      const view = views.get(id) ?? create(item);
      views.set(id, view);
      view.update(item);
      const next: ChildNode | null = previous === null ? parent.firstChild : previous.nextSibling;
      if (next !== view.element) parent.insertBefore(view.element, next);
      previous = view.element;
    }
  }

  return { show, view: (id) => views.get(id) };
}
