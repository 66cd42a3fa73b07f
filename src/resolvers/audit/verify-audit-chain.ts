import { readChainState } from '../../audit/read-chain.ts';
import { chainBase, type ChainVerification, verifyChain } from '../../audit/verify-chain.ts';
import { RequestError } from '../../errors.ts';
import type { RequestContext } from '../context/request-context.ts';
import { regionOf } from '../input/region-of.ts';
import { requireAuditRead } from './audit-access.ts';
import { AuditSigner } from './audit-signer.ts';

export type { ChainVerification };

/** What one request may verify, and how many at once a process: longer chains are verified by an export. */
export const VERIFY_LIMITS = { events: 1_000_000, atOnce: 2 } as const;

let running = 0;

/** Verifies the whole chain of the organisation and region, up to the head of now. */
export async function verifyAuditChain(
  ctx: RequestContext,
  args: { readonly region?: string | null },
): Promise<ChainVerification> {
  const region = regionOf(ctx, args.region, ['region']);
  await requireAuditRead(ctx, region);
  const { organisation, project } = ctx.principal;
  if (project !== '') {
    throw new RequestError(
      'FORBIDDEN',
      'A chain is that of a whole organisation: verifying it needs organisation scope.',
    );
  }
  if (running >= VERIFY_LIMITS.atOnce) {
    throw new RequestError('SERVICE_UNAVAILABLE', 'Other audit chains are being verified now; try again.');
  }
  running += 1;
  try {
    const { trusts } = await AuditSigner.open(region);
    const question = { tx: region.db.client, organisation, region: region.name, trusts };
    const [state, base] = await Promise.all([readChainState(question.tx, organisation), chainBase(question)]);
    if (state.headSequence - base.sequence > BigInt(VERIFY_LIMITS.events)) {
      const most = VERIFY_LIMITS.events.toLocaleString('en');
      const message = `A request verifies at most ${most} events: verify an export of this chain.`;
      throw new RequestError('QUERY_TOO_COMPLEX', message);
    }
    return await verifyChain(question);
  } finally {
    running -= 1;
  }
}
