/** CPU time and memory of a process and its descendants, from /proc. Where there is no /proc they are not known. */
import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ is 100 on every architecture that Node runs on. */
const MICROSECONDS_PER_TICK = 10_000;

interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  /** Of the process and of its children that have ended and were waited for. */
  readonly cpuMicroseconds: number;
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

/** proc_pid_stat(5): the name, in parentheses, may itself hold spaces and parentheses. */
export function readStat(pid: number): ProcessStat | null {
  const text = readText(`/proc/${pid}/stat`);
  if (text === null) return null;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = [11, 12, 13, 14].reduce((sum, field) => sum + Number(fields[field]), 0);
  return { pid, parent: Number(fields[1]), cpuMicroseconds: ticks * MICROSECONDS_PER_TICK };
}

function readAll(): readonly ProcessStat[] {
  try {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return pids.flatMap((pid) => readStat(Number(pid)) ?? []);
  } catch {
    return [];
  }
}

/** The process and its descendants; empty where there is no /proc, or no such process. */
function readTree(root: number): readonly ProcessStat[] {
  const children = Map.groupBy(readAll(), ({ parent }) => parent);
  const stat = readStat(root);
  const tree = stat ? [stat] : [];
  for (const member of tree) tree.push(...(children.get(member.pid) ?? []));
  return tree;
}

/** CPU time that the process, its descendants and those that have ended have used; null where it is not known. */
export function cpuMicrosecondsOf(root: number | null): number | null {
  const tree = root === null ? [] : readTree(root);
  return tree.length === 0 ? null : tree.reduce((sum, { cpuMicroseconds }) => sum + cpuMicroseconds, 0);
}

/** Resident memory in bytes of the process and of each descendant, by process id; empty where it is not known. */
export function residentBytesOf(root: number | null): ReadonlyMap<number, number> {
  const resident = new Map<number, number>();
  for (const { pid } of root === null ? [] : readTree(root)) {
    const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readText(`/proc/${pid}/status`) ?? '')?.[1];
    if (kibibytes !== undefined) resident.set(pid, Number(kibibytes) * 1_024);
  }
  return resident;
}
