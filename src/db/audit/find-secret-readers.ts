import { Prisma } from '../generated/client.ts';
import type { Transaction } from '../transaction.ts';

/** Somebody who read values of a secret: how often, and when last. */
export interface SecretReaderRow {
  readonly issuer: string;
  readonly subject: string;
  readonly reads: bigint;
  readonly lastReadAt: Date;
}

interface ReaderPlace {
  readonly issuer: string;
  readonly subject: string;
}

/** The readers between two places, in the order of issuer and subject or backwards, from the index for readers alone. */
export function findSecretReaders(
  tx: Transaction,
  secret: { readonly organisation: string; readonly id: string },
  since: Date | null,
  walk: {
    readonly after: ReaderPlace | null;
    readonly before: ReaderPlace | null;
    readonly descending: boolean;
    readonly limit: number;
  },
): Promise<SecretReaderRow[]> {
  const direction = walk.descending ? Prisma.sql`DESC` : Prisma.sql`ASC`;
  const place = ({ issuer, subject }: ReaderPlace) => Prisma.sql`(${issuer}, ${subject})`;
  const identity = Prisma.sql`(e.actor_issuer, e.actor_subject)`;
  return tx.$queryRaw<SecretReaderRow[]>`
    SELECT e.actor_issuer AS issuer, e.actor_subject AS subject, count(*) AS reads, max(e.at) AS "lastReadAt"
    FROM audit_event e
    WHERE e.organisation = ${secret.organisation} AND e.resource_id = ${secret.id}
      AND e.action = 'secret.getValue' AND e.outcome = 'SUCCESS'
      ${since === null ? Prisma.empty : Prisma.sql`AND e.at >= ${since}::timestamptz`}
      ${walk.after === null ? Prisma.empty : Prisma.sql`AND ${identity} > ${place(walk.after)}`}
      ${walk.before === null ? Prisma.empty : Prisma.sql`AND ${identity} < ${place(walk.before)}`}
    GROUP BY e.actor_issuer, e.actor_subject
    ORDER BY e.actor_issuer ${direction}, e.actor_subject ${direction} LIMIT ${walk.limit}`;
}
