import type { SecretChangeAction } from '../../audit/event.ts';

/** A change of a secret as its audit event has it: the audit chain is the outbox, its sequence the order of commits. */
export interface SecretChange {
  readonly sequence: bigint;
  readonly id: string;
  readonly at: Date;
  readonly action: SecretChangeAction;
  readonly resource: string;
  readonly version: number | null;
  readonly details: Readonly<Record<string, string>>;
}

/** Reads the changes of a region for those who follow them. */
export interface ChangeFeed {
  read(
    scope: { readonly organisation: string; readonly project: string },
    after: bigint,
  ): Promise<readonly SecretChange[]>;
}

/** One open stream: it sleeps until there may be something to read, or until it ends. */
export interface Follower {
  wait(milliseconds: number): Promise<void>;
  goesOn(): boolean;
}
