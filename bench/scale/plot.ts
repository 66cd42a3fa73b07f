import type { Series } from './results.ts';

const [WIDTH, HEIGHT] = [1_080, 640];
const FRAME = { left: 80, right: 360, top: 60, bottom: 70 };
const FIT = { width: WIDTH - FRAME.left - FRAME.right, height: HEIGHT - FRAME.top - FRAME.bottom };
const COLOURS = [
  '#1f5fa8',
  '#b5442b',
  '#2f7d4f',
  '#7a4fa3',
  '#9a6b00',
  '#00798c',
  '#a83279',
  '#4d5358',
  '#e07b00',
];
/** The lines of callers who do not see all. */
const DASHES: Readonly<Record<string, string>> = { auditor: '7 4', starred: '2 3' };
const LABEL_PX = 17;

/** An SVG: the median latency of each measure over the number of secrets, both axes logarithmic. */
export function plotOf(series: readonly Series[]): string {
  const sizes = series[0]?.points.map(({ size }) => size) ?? [];
  const values = series.flatMap(({ points }) => points.map(({ p50Ms }) => p50Ms));
  const x = logScale(Math.min(...sizes), Math.max(...sizes), FRAME.left, FRAME.left + FIT.width);
  const [low, high] = [10 ** Math.floor(Math.log10(Math.min(...values))), 1.15 * Math.max(...values)];
  const y = logScale(low, high, FRAME.top + FIT.height, FRAME.top);
  const names = [...new Set(series.map(({ name }) => name))];
  const parts = [
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    text(FRAME.left, 34, 'Median latency of one request over the number of secrets', 18),
    ...ticksOf(low, high).map((tick) => horizontal(y(tick), `${tick} ms`)),
    ...sizes.map((size) => vertical(x(size), size.toLocaleString('en'))),
    text(FRAME.left + FIT.width / 2, HEIGHT - 18, 'secrets in the database', 14, 'middle'),
  ];
  const places = placesOf(series.map(({ points }) => y(points.at(-1)?.p50Ms ?? low)));
  for (const [index, { name, caller, points, ratio }] of series.entries()) {
    const colour = COLOURS[names.indexOf(name) % COLOURS.length] ?? '';
    const path = points.map(({ size, p50Ms }) => `${round(x(size))},${round(y(p50Ms))}`);
    const dashes = DASHES[caller] === undefined ? '' : ` stroke-dasharray="${DASHES[caller]}"`;
    parts.push(
      `<polyline points="${path.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"${dashes}/>`,
    );
    for (const { size, p50Ms } of points)
      parts.push(`<circle cx="${round(x(size))}" cy="${round(y(p50Ms))}" r="3.5" fill="${colour}"/>`);
    const [from, to] = [y(points.at(-1)?.p50Ms ?? low), places[index] ?? 0];
    const edge = FRAME.left + FIT.width;
    parts.push(
      `<path d="M${edge + 6},${round(from)} L${edge + 22},${round(to)}" stroke="${colour}" fill="none"/>`,
      text(edge + 28, to + 4, `${name}, ${caller} (× ${ratio.toFixed(2)})`, 13, 'start', colour),
    );
  }
  const size = `width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif">\n${parts.join('\n')}\n</svg>\n`;
}

/** 1, 2 and 5 of each decade between the ends. */
function ticksOf(low: number, high: number): number[] {
  const decades = Array.from({ length: 8 }, (_, power) => 10 ** (power - 2));
  return decades
    .flatMap((decade) => [decade, 2 * decade, 5 * decade])
    .filter((tick) => tick >= low && tick <= high);
}

function logScale(low: number, high: number, from: number, to: number): (value: number) => number {
  const span = Math.log(high / low) || 1;
  return (value) => from + (Math.log(value / low) / span) * (to - from);
}

/** Where labels go, so that none covers another: as near to their lines as there is room. */
function placesOf(wanted: readonly number[]): number[] {
  const order = wanted.map((at, index) => ({ at, index })).sort((a, b) => a.at - b.at);
  let free = -Infinity;
  const placed = order.map(({ at, index }) => ({ index, at: (free = Math.max(at, free + LABEL_PX)) }));
  let most = HEIGHT - FRAME.bottom + LABEL_PX;
  for (const label of placed.toReversed()) most = (label.at = Math.min(label.at, most)) - LABEL_PX;
  return placed.sort((a, b) => a.index - b.index).map(({ at }) => at);
}

function horizontal(at: number, label: string): string {
  const edge = FRAME.left + FIT.width;
  return (
    `<path d="M${FRAME.left},${round(at)} H${edge}" stroke="#d9dce0"/>` +
    text(FRAME.left - 8, at + 4, label, 13, 'end')
  );
}

function vertical(at: number, label: string): string {
  const base = FRAME.top + FIT.height;
  return (
    `<path d="M${round(at)},${FRAME.top} V${base}" stroke="#d9dce0"/>` +
    text(at, base + 22, label, 13, 'middle')
  );
}

function text(x: number, y: number, label: string, px: number, anchor = 'start', colour = '#22262a'): string {
  return `<text x="${round(x)}" y="${round(y)}" font-size="${px}" text-anchor="${anchor}" fill="${colour}">${label}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
