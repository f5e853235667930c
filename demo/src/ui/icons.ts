import { svg } from "./dom.ts";

const paths = {
  mark: "M2.5 6.5 7 3.5l4.5 3M8.5 11.5l4.5-3 4.5 3M2.5 16.5l4.5-3 4.5 3",
  sun: "M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7ZM10 1.8v1.6M10 16.6v1.6M1.8 10h1.6M16.6 10h1.6M4.2 4.2l1.1 1.1M14.7 14.7l1.1 1.1M15.8 4.2l-1.1 1.1M5.3 14.7l-1.1 1.1",
  moon: "M16.8 11.9A7 7 0 0 1 8.1 3.2a7 7 0 1 0 8.7 8.7Z",
  auto: "M10 2.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15ZM10 2.5v15M10 5.5h4.5M10 8.5h7M10 11.5h7M10 14.5h4.5",
  plus: "M10 4v12M4 10h12",
  link: "M8.5 11.5a3 3 0 0 0 4.3 0l2.7-2.7a3 3 0 0 0-4.3-4.3l-.9.9M11.5 8.5a3 3 0 0 0-4.3 0l-2.7 2.7a3 3 0 0 0 4.3 4.3l.9-.9",
  check: "M4.5 10.5l3.5 3.5 7.5-8",
  delivered: "M1.8 10.8l3.2 3.2 6.6-7.5M8.8 13.6l.6.4 7.6-7.8",
  close: "M5 5l10 10M15 5L5 15",
  shield: "M10 2.5l6 2.2v4.6c0 3.8-2.5 6.8-6 8.2-3.5-1.4-6-4.4-6-8.2V4.7zM7.2 10l2 2 3.6-4",
} as const;

/** The icons of the page. */
export type IconName = keyof typeof paths;

/** Creates an icon that inherits its colour; it says nothing to a screen reader. */
export function icon(name: IconName, sizePx = 16): SVGSVGElement {
  return svg(
    "svg",
    { class: "icon", viewBox: "0 0 20 20", width: sizePx, height: sizePx, "aria-hidden": "true" },
    svg("path", { d: paths[name] }),
  );
}
