import type { CpuProfile } from './inspector.ts';
import { ownerOf, placeOf } from './owner.ts';

const FUNCTIONS = 40;

/** The functions with the most time of their own, and the sums by owner; shares are of the time that was not idle. `perSecond`: the requests. */
export function summaryText({ nodes, samples, timeDeltas }: CpuProfile, perSecond: number): string {
  const requests = (perSecond * timeDeltas.reduce((sum, delta) => sum + delta, 0)) / 1e6;
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const callers = new Map(
    nodes.flatMap(({ callFrame, children = [] }) => children.map((child) => [child, callFrame] as const)),
  );
  const functions = new Map<string, number>();
  const owners = new Map<string, number>();
  const add = (sums: Map<string, number>, key: string, microseconds: number) =>
    sums.set(key, (sums.get(key) ?? 0) + microseconds);
  let busy = 0;
  samples.forEach((id, index) => {
    const frame = byId.get(id)?.callFrame;
    if (!frame) return;
    const microseconds = timeDeltas[index] ?? 0;
    const owner = ownerOf(frame, callers.get(id));
    add(owners, owner, microseconds);
    if (owner === 'idle') return;
    busy += microseconds;
    const where = frame.url === '' ? `(${owner})` : `${placeOf(frame.url)}:${frame.lineNumber + 1}`;
    add(functions, `${frame.functionName || '(anonymous)'}  ${where}`, microseconds);
  });
  const lines = (sums: Map<string, number>, most: number) =>
    [...sums]
      .sort(([, a], [, b]) => b - a)
      .slice(0, most)
      .map(([name, microseconds]) => {
        const share = name === 'idle' ? '' : `${((microseconds * 100) / busy).toFixed(1)} %`;
        return `${share.padStart(7)} ${(microseconds / requests).toFixed(1).padStart(9)} µs  ${name}`;
      })
      .join('\n');
  return (
    `Shares of the busy time of the main thread, and µs a request (${requests.toFixed(0)} requests).\n\n` +
    `${lines(functions, FUNCTIONS)}\n\n${lines(owners, Number.POSITIVE_INFINITY)}\n`
  );
}
