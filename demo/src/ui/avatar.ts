import { h } from "./dom.ts";
import type { Browser } from "./people.ts";

/** The round sign of a browser: the first letter of its bird in its colour. */
export function avatar({ name, hue, suffix }: Pick<Browser, "name" | "hue" | "suffix">): HTMLElement {
  return h(
    "span",
    { class: "avatar", style: `--hue:${hue}`, title: `${name} ${suffix}`, "aria-hidden": "true" },
    name.slice(0, 1),
  );
}
