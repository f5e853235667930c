import { readdirSync, readFileSync } from "node:fs";

/** What a group of processes has used so far. */
export interface Usage {
  /** Of all threads that are alive, in microseconds. */
  cpuUs: number;
  /** Resident now. */
  rssBytes: number;
}

const pageBytes = 4096;
const [groupField, rssField] = [2, 1];

/** Reads from /proc what a process group uses; zeros where the system has none. */
export function readUsage(group: number): Usage {
  const usage = { cpuUs: 0, rssBytes: 0 };
  for (const pid of processesOf(group)) {
    usage.rssBytes += Number(readFields(`/proc/${pid}/statm`)[rssField] ?? 0) * pageBytes;
    for (const thread of list(`/proc/${pid}/task`)) {
      usage.cpuUs += Number(readFields(`/proc/${pid}/task/${thread}/schedstat`)[0] ?? 0) / 1_000;
    }
  }
  return usage;
}

function processesOf(group: number): string[] {
  return list("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    const stat = read(`/proc/${name}/stat`);
    // The name in parentheses may hold spaces.
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[groupField]) === group;
  });
}

function readFields(path: string): string[] {
  return read(path).split(" ");
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // The process or thread has ended since it was listed.
    return "";
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    // As above.
    return [];
  }
}
