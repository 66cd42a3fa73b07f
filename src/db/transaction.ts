import type { Prisma } from './generated/client.ts';

/** A Prisma client inside a transaction. */
export type Transaction = Prisma.TransactionClient;
