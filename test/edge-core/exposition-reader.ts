/** A sample of Prometheus's text format. */
export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

export interface Family {
  help: string;
  type: string;
  samples: Sample[];
}

const sampleLine = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const label = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/y;

/** Reads the text format as strictly as its definition: each family once, its help, its type, then its samples. */
export function readExposition(text: string): Map<string, Family> {
  if (!text.endsWith("\n")) throw new Error("The last line has no end.");
  const families = new Map<string, Family>();
  let current = "";
  for (const line of text.slice(0, -1).split("\n")) {
    const [, kind, metric = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (kind === "HELP") {
      if (families.has(metric)) throw new Error(`The family ${metric} comes twice.`);
      families.set(metric, { help: rest, type: "", samples: [] });
      current = metric;
    } else if (kind === "TYPE") {
      const family = families.get(metric);
      if (metric !== current || !family || family.type)
        throw new Error(`The type of ${metric} is misplaced.`);
      family.type = rest;
    } else {
      const sample = readSample(line);
      const family = families.get(current);
      const own =
        family?.type === "histogram" ? sample.name.replace(/_(bucket|sum|count)$/, "") : sample.name;
      if (!family || own !== current) throw new Error(`The sample ${sample.name} is not with its family.`);
      family.samples.push(sample);
    }
  }
  return families;
}

function readSample(line: string): Sample {
  const [, name, labels, value] = sampleLine.exec(line) ?? [];
  if (name === undefined || value === undefined) throw new Error(`No sample: ${line}`);
  return { name, labels: readLabels(labels ?? ""), value: value === "+Inf" ? Infinity : Number(value) };
}

function readLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  label.lastIndex = 0;
  for (let at = 0; at < text.length; at = label.lastIndex) {
    const [, name, value] = label.exec(text) ?? [];
    if (name === undefined || value === undefined) throw new Error(`No labels: ${text}`);
    const unescaped = { "\\\\": "\\", '\\"': '"', "\\n": "\n" } as Record<string, string>;
    labels[name] = value.replace(/\\[\\"n]/g, (escaped) => unescaped[escaped] ?? "");
  }
  return labels;
}
