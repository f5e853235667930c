import type { ListedMessage } from "flockstate";
import { readAgentName, roles } from "../flock/names.ts";
import type { FlockRoom } from "../flock/state.ts";
import { h, setAttribute, svg } from "./dom.ts";
import { keyedList, type View } from "./keyed-list.ts";
import { destination, gist, shortName, typeFamily, typeLabel } from "./message-words.ts";
import { createPanel } from "./panel.ts";
import { watch } from "./watch.ts";

const laneHeight = 24;
const padding = 14;
const labelWidth = 104;
const step = 13;
const minWidth = 240;

interface Lane {
  readonly name: string;
  readonly y: number;
}

interface Arc {
  readonly message: ListedMessage;
  readonly x: number;
  readonly from: number;
  readonly to: number;
}

/** The picture of the conversation: a lane for each agent, a stroke for each message, the newest at the right. */
export function createSwimlanes(room: FlockRoom, onChoose: (messageId: string) => void): HTMLElement {
  const lanesLayer = svg("g", { class: "lanes" });
  const arcsLayer = svg("g", { class: "arcs" });
  const picture = svg("svg", { class: "swimlanes", role: "img" }, lanesLayer, arcsLayer);
  const frame = h("div", { class: "swimlanes-frame" }, picture);
  const panel = createPanel("Conversation", "conversation", frame, legend());
  const lanes = keyedList(lanesLayer, { key: ({ name }: Lane) => name, create: laneView });
  const arcs = keyedList(arcsLayer, {
    key: ({ message }: Arc) => message.id,
    create: (arc: Arc) => arcView(arc, onChoose),
  });
  let width = 0;

  function render() {
    const fits = Math.max(4, Math.floor((width - labelWidth - padding) / step));
    const recent = room.messages.get().slice(-fits);
    const names = laneNames(recent);
    const laneOf = new Map(names.map((name, at) => [name, padding + at * laneHeight]));
    const height = padding * 2 + Math.max(0, names.length - 1) * laneHeight;
    setAttribute(picture, "viewBox", `0 0 ${width} ${height}`);
    setAttribute(picture, "height", height);
    setAttribute(picture, "aria-label", `The last ${recent.length} messages between ${names.length} parties`);
    lanes.show(names.map((name) => ({ name, y: laneOf.get(name) ?? 0 })));
    arcs.show(
      recent.map((message, at) => ({
        message,
        x: labelWidth + padding / 2 + at * step,
        from: laneOf.get(shortName(message.from)) ?? 0,
        to: laneOf.get(destination(message)) ?? 0,
      })),
    );
    setAttribute(panel.element, "hidden", recent.length === 0);
    lanesLayer.style.setProperty("--lane-end", `${width}px`);
  }

  new ResizeObserver(() => {
    const measured = Math.max(minWidth, frame.clientWidth);
    if (measured === width) return;
    width = measured;
    render();
  }).observe(frame.parentElement ?? frame);
  width = minWidth;
  watch([room.messages], () => {
    width = Math.max(minWidth, frame.clientWidth || width);
    render();
  });
  return panel.element;
}

/** Topics first, then the agents of each browser in the order of their roles. */
function laneNames(messages: readonly ListedMessage[]): string[] {
  const names = new Set(messages.flatMap((message) => [shortName(message.from), destination(message)]));
  const rank = (name: string): string => {
    if (name.startsWith("#")) return `0${name}`;
    const parts = readAgentName(name.replace(" ", "-"));
    return parts === undefined ? `2${name}` : `1${parts.suffix}${roles.indexOf(parts.role)}`;
  };
  return [...names].sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
}

function laneView({ name }: Lane): View<Lane> {
  const parts = readAgentName(name.replace(" ", "-"));
  const [first, second] = parts === undefined ? [name, ""] : [parts.role, parts.suffix];
  const element = svg(
    "g",
    { class: "lane" },
    svg("line", { x1: labelWidth - 8, x2: 4000 }),
    svg("text", { x: 0, dy: "0.35em" }, first, " ", svg("tspan", { class: "lane-suffix" }, second)),
  );
  return {
    element,
    update: ({ y }) => setAttribute(element, "style", `transform:translate(0,${y}px)`),
  };
}

function arcView({ message }: Arc, onChoose: (messageId: string) => void): View<Arc> {
  const line = svg("line", { class: "arc-line" });
  const source = svg("circle", { class: "arc-source", r: 2 });
  const head =
    message.reference === undefined
      ? svg("circle", { class: "arc-head", r: 4 })
      : svg("rect", { class: "arc-head", x: -4.5, y: -4.5, width: 9, height: 9, rx: 1.5 });
  const title = svg("title", {});
  const element = svg(
    "g",
    { class: "arc", "data-family": typeFamily(message.type), onclick: () => onChoose(message.id) },
    svg("rect", { class: "arc-target", x: -step / 2, width: step, y: 0, height: "100%" }),
    line,
    source,
    head,
    title,
  );
  return {
    element,
    update({ message: { stage, ...rest }, x, from, to }) {
      setAttribute(element, "data-stage", stage);
      setAttribute(element, "style", `transform:translate(${x}px,0)`);
      setAttribute(line, "y1", from);
      setAttribute(line, "y2", to);
      setAttribute(source, "cy", from);
      setAttribute(head, "transform", `translate(0 ${to})`);
      const words = `${typeLabel(rest.type)}, ${shortName(rest.from)} → ${destination(rest)}`;
      const text = `${words}\n${gist(rest)}\n${stage}`;
      if (title.textContent !== text) title.textContent = text;
    },
  };
}

function legend(): HTMLElement {
  const entry = (kind: string, text: string) =>
    h("span", { class: "legend-entry" }, h("span", { class: "legend-mark", "data-kind": kind }), text);
  return h(
    "div",
    { class: "legend", "aria-hidden": "true" },
    entry("data", "data set, by reference"),
    entry("request", "request"),
    entry("result", "result"),
    entry("open", "not yet taken in"),
  );
}
