import type { PolicyRow } from '../../db/policy-row.ts';
import type { Policy } from '../../policy/policy.ts';
import type { Region } from '../context/request-context.ts';

/** A policy in its region, as operations answer it: built in, the organisation's, or a project's. */
export interface NamedPolicy extends Policy {
  /** A stored policy's id, or the name of a built-in one. */
  readonly key: string;
  readonly region: Region;
  /** '' for one that holds in the whole organisation. */
  readonly project: string;
  readonly description: string | null;
  readonly objectVersion: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface PolicyPayload {
  readonly policy: NamedPolicy;
}

export function namedPolicy(row: PolicyRow, region: Region): NamedPolicy {
  const { id, project, name, description, statements, subjects, objectVersion, createdAt, updatedAt } = row;
  return {
    ...{ key: id, region, builtIn: false, project, name, description, statements, subjects },
    ...{ objectVersion, createdAt, updatedAt },
  };
}

/** Built-in policies were never made nor changed: they carry the epoch. */
export function namedBuiltIn(policy: Policy, region: Region): NamedPolicy {
  const epoch = new Date(0);
  return {
    ...policy,
    ...{ key: policy.name, region, project: '', objectVersion: 1, createdAt: epoch, updatedAt: epoch },
    description: 'Built in: bound to the role of its name, in every organisation.',
  };
}
