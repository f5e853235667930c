import { median } from "../measure.ts";
import { markdown, type Results } from "./report.ts";

/** One ratio that is to be reached: ours over a peer's, or a figure of ours by itself. */
interface Mark {
  what: string;
  scenario: string;
  key: string;
  ours: string;
  beside?: string;
  least?: number;
  most?: number;
}

const marks: readonly Mark[] = [
  ...(
    [
      ["y-partyserver", 10, 10],
      ["y-partyserver", 50, 20],
      ["hocuspocus", 10, 4],
      ["hocuspocus", 50, 2.5],
    ] as const
  ).map(([beside, readers, least]) => ({
    what: `updates a second to ${readers} readers, over ${beside}`,
    scenario: `readers-${readers}`,
    key: "rate",
    ours: "ours",
    beside,
    least,
  })),
  {
    what: "ping-pong p50, over a workerd broadcast that inserts one row a turn",
    scenario: "ping-pong",
    key: "p50",
    ours: "ours",
    beside: "broadcast-workerd-row",
    most: 1.25,
  },
  {
    what: "time of a join of 100,000 messages, over plain bytes from workerd",
    scenario: "join",
    key: "ms",
    ours: "ours",
    beside: "broadcast-workerd",
    most: 1.5,
  },
  {
    what: "idle memory a connection, over a bare workerd socket that told as much",
    scenario: "idle",
    key: "memory",
    ours: "ours",
    beside: "broadcast-workerd",
    most: 1.1,
  },
  {
    what: "p95 of honest clients beside a malicious one, over their own alone",
    scenario: "malicious",
    key: "ratio",
    ours: "ours-default-limits",
    most: 2,
  },
];

/** The ratios of medians beside what they are to reach, as Markdown; those that were not measured are left out. */
export function barTable(measured: ReadonlyMap<string, Results>): string {
  const middle = (scenario: string, id: string, key: string): number | undefined => {
    const samples = measured.get(scenario)?.get(id);
    return samples && samples.length > 0
      ? median(samples.map((sample) => sample[key] ?? Number.NaN))
      : undefined;
  };
  const rows = marks.flatMap(({ what, scenario, key, ours, beside, least, most }) => {
    const own = middle(scenario, ours, key);
    const other = beside === undefined ? 1 : middle(scenario, beside, key);
    if (own === undefined || other === undefined) return [];
    const ratio = own / other;
    const reached = least === undefined ? ratio <= (most ?? 0) : ratio >= least;
    const bar = least === undefined ? `≤ ${most}` : `≥ ${least}`;
    return [[what, bar, ratio.toFixed(2), reached ? "yes" : "no"]];
  });
  if (rows.length === 0) return "";
  return [
    "### Against the bar",
    "",
    ...markdown([["ratio of medians", "bar", "measured", "reached"], ...rows]),
  ].join("\n");
}
