/** The tables that a run prints. */
import type { MachineFacts } from './machine-facts.ts';
import { BATCH } from './exchanges.ts';
import type { MeasuredLoad } from './load/measurement.ts';
import type { Ratio } from './ratios.ts';

const HEAD = [
  ...['row', 'requests/s', 'values/s', 'p50 ms', 'p99 ms'],
  ...['service µs', 'Postgres µs', 'load µs', 'RSS MB', 'errors'],
];

export function factsText({ date, commit, node, postgres, cores, cpu, platform }: MachineFacts): string {
  return `${date}, commit ${commit}\n${cores} cores of ${cpu}, ${platform}, Node ${node}, Postgres ${postgres}\n`;
}

export function rowsText(rows: ReadonlyMap<string, MeasuredLoad>): string {
  const lines = [...rows].map(([name, load]) => [
    name,
    load.perSecond.toFixed(0),
    name.startsWith('getSecretValues@') ? (load.perSecond * BATCH).toFixed(0) : '',
    load.p50Ms.toFixed(2),
    load.p99Ms.toFixed(2),
    whole(load.serviceMicroseconds),
    whole(load.postgresMicroseconds),
    name.startsWith('pg-put@') ? '-' : whole(load.loadMicroseconds),
    whole(load.residentBytes === null ? null : load.residentBytes / 1e6),
    load.errors === 0 ? '0' : `${load.errors} !!`,
  ]);
  const errors = [...rows].flatMap(([name, { firstError }]) =>
    firstError === null ? [] : [`!! ${name}: ${firstError}`],
  );
  return [table([HEAD, ...lines]), ...errors, ''].join('\n');
}

export function ratiosText(ratios: readonly Ratio[]): string {
  if (ratios.length === 0) return '';
  const lines = ratios.map(({ name, value, rounds, bound, target, met }) => [
    name,
    value.toFixed(3),
    `${bound} ${target}`,
    met ? 'met' : 'MISSED',
    rounds.map((round) => round.toFixed(3)).join(' '),
  ]);
  return `${table([['ratio', 'median', 'target', '', 'rounds'], ...lines])}\n`;
}

function whole(figure: number | null): string {
  return figure === null ? '-' : figure.toFixed(0);
}

/** The first column to the left, the others to the right. */
function table(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0)),
  );
  return lines
    .map((line) =>
      line
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
