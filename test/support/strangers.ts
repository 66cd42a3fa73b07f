import type { TestCaller } from './test-app.ts';
import type { Owner, Things } from './things.ts';

export interface Stranger {
  readonly who: string;
  /** A caller with a scope of its own that nobody has used; its scope is filled when it has rights. null: without a token. */
  readonly caller: () => TestCaller | null;
  readonly theirs: () => Things;
  /** What is hidden from it: the design lets it see the rest. */
  readonly hidden: readonly Owner[];
}

const ALL_ROLES = [
  ...['strongroom:admin', 'secrets:ReadAccess', 'secrets:ValueAccess', 'secrets:FullAccess'],
  ...['kms:ReadAccess', 'kms:FullAccess', 'audit:ReadAccess'],
];
const EVERYTHING: readonly Owner[] = ['secret', 'kmsKey', 'policy', 'event', 'caller'];

let serial = 0;

/** Those from whom something is to be hidden, of the organisation acme and of its project web. */
export function strangers(theirs: () => Things, projects: () => Things): readonly Stranger[] {
  return [
    {
      who: 'a caller without a token',
      caller: () => null,
      theirs,
      hidden: [...EVERYTHING, 'place'],
    },
    {
      who: 'a caller of another organisation with every role',
      caller: () => ({ organisation: `other-${++serial}`, roles: ALL_ROLES }),
      theirs,
      hidden: [...EVERYTHING, 'place'],
    },
    {
      who: 'a caller of another project with every role',
      caller: () => ({ organisation: 'acme', project: `other-${++serial}`, roles: ALL_ROLES }),
      theirs: projects,
      hidden: [...EVERYTHING, 'place'],
    },
    {
      who: "a project's caller with every role, asking for what is the organisation's",
      caller: () => ({ organisation: 'acme', project: `other-${++serial}`, roles: ALL_ROLES }),
      theirs,
      // Policies of the organisation hold in its projects and are listed there.
      hidden: ['secret', 'kmsKey', 'event', 'caller', 'place'],
    },
    {
      who: 'a caller of the same organisation without rights',
      caller: () => ({ organisation: 'acme', roles: [] }),
      theirs,
      hidden: EVERYTHING,
    },
    {
      who: 'a caller of the same organisation who may do everything with KMS keys alone',
      caller: () => ({ organisation: 'acme', roles: ['kms:FullAccess'] }),
      theirs,
      hidden: ['secret', 'policy', 'event'],
    },
    {
      who: 'a caller of the same organisation who may read the metadata of secrets alone',
      caller: () => ({ organisation: 'acme', roles: ['secrets:ReadAccess'] }),
      theirs,
      hidden: ['policy', 'event'],
    },
  ];
}
