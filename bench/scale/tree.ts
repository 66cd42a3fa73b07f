/**
 * Where the secrets of a database stand. For every size the same folders: 40 teams with their services by environment, a
 * folder of small siblings, and among these one flat folder with 30 % of all. What an auditor may see is 1 % of it, in
 * the same 65 places at every size; of 1,000 secrets it is 65, so that a page of the auditor's is full there too.
 */
export interface Tree {
  readonly size: number;
  /** The place at a position from 0 to size - 1; neighbours in position are neighbours in no order of the service. */
  at(position: number): Place;
}

export interface Place {
  readonly path: string;
  readonly labels: Readonly<Record<string, string>>;
}

export const TEAMS = 40;
const SIBLINGS = [...names('app', 10), ...names('zone', 30)];
/** What the auditor sees of them is on both sides of the huge folder, and not next to it. */
const AUDITED_SIBLINGS = [...names('app', 9), ...names('zone', 16)];
const ENVIRONMENTS = ['dev', 'prod', 'staging'] as const;
const SECRETS_A_SERVICE = 10;
const GENERATED_SHARE = 0.3;
const AUDITED_SHARE = 0.01;

/** On one secret of ten. */
export const COMMON_LABEL = { key: 'tier', value: 'web' } as const;
/** On 25 secrets, however many there are; the auditor sees them all. */
export const RARE_LABEL = { key: 'review', value: 'due' } as const;
const RARE = 25;

/** Above 40 subtrees, of which the smallest is as large as the others. */
export const ABOVE = '/teams';
/** Beside a subtree that holds 30 % of all. */
export const BESIDE = '/shared';
/** The subtree itself: all its secrets are its children. */
export const FLAT = `${BESIDE}/generated`;

/** The resources of the auditor's policy. */
export const AUDITED: readonly string[] = [
  ...names('team', TEAMS).map((team) => `secret:${ABOVE}/${team}/prod/payments/**`),
  ...AUDITED_SIBLINGS.map((name) => `secret:${BESIDE}/${name}/**`),
];

/** The same of the teams alone, by one pattern. */
export const STARRED: readonly string[] = [`secret:${ABOVE}/*/prod/payments/**`];

/** A tree of `size` secrets, 1,000 at least. */
export function treeOf(size: number): Tree {
  const flat = Math.round(size * GENERATED_SHARE);
  const payments = Math.max(1, Math.floor((size * AUDITED_SHARE - AUDITED_SIBLINGS.length) / TEAMS));
  const place = (index: number): Place => {
    let rest = index;
    if (rest < SIBLINGS.length) return sibling(rest);
    rest -= SIBLINGS.length;
    if (rest < TEAMS * payments) return payment(rest);
    rest -= TEAMS * payments;
    if (rest < flat) return generated(rest);
    return ofService(rest - flat);
  };
  const step = stepFor(size);
  return { size, at: (position) => place((position * step) % size) };
}

function sibling(index: number): Place {
  return place(
    `${BESIDE}/${SIBLINGS[index] ?? ''}/config`,
    { team: 'platform', environment: 'shared' },
    index,
  );
}

function payment(index: number): Place {
  const team = nameOf('team', index % TEAMS);
  const name = `account-${String(Math.floor(index / TEAMS)).padStart(5, '0')}`;
  const labels = { team, environment: 'prod', ...(index < RARE && { [RARE_LABEL.key]: RARE_LABEL.value }) };
  return place(`${ABOVE}/${team}/prod/payments/${name}`, labels, index);
}

function generated(index: number): Place {
  const name = `token-${String(index).padStart(7, '0')}`;
  return place(`${FLAT}/${name}`, { team: 'platform', environment: 'shared', kind: 'token' }, index);
}

function ofService(index: number): Place {
  const team = nameOf('team', index % TEAMS);
  const own = Math.floor(index / TEAMS);
  const environment = ENVIRONMENTS[own % ENVIRONMENTS.length] ?? 'dev';
  const number = Math.floor(own / ENVIRONMENTS.length);
  const service = `service-${String(Math.floor(number / SECRETS_A_SERVICE)).padStart(4, '0')}`;
  const name = `key-${number % SECRETS_A_SERVICE}`;
  return place(`${ABOVE}/${team}/${environment}/${service}/${name}`, { team, environment, service }, index);
}

function place(path: string, labels: Readonly<Record<string, string>>, index: number): Place {
  return { path, labels: index % 10 === 0 ? { ...labels, [COMMON_LABEL.key]: COMMON_LABEL.value } : labels };
}

function names(kind: string, count: number): string[] {
  return Array.from({ length: count }, (_, number) => nameOf(kind, number));
}

function nameOf(kind: string, number: number): string {
  return `${kind}-${String(number).padStart(2, '0')}`;
}

/** A step that visits every number below `size` once, far from the last one each time. */
function stepFor(size: number): number {
  let step = Math.floor(size * 0.618);
  while (divisor(step, size) !== 1) step++;
  return step;
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}
