import { type ChainVerification, verifyAuditChain } from '../../resolvers/audit/verify-audit-chain.ts';
import { builder } from '../builder.ts';
import { regionOption } from '../input-options.ts';

const AuditChainVerification = builder.objectRef<ChainVerification>('AuditChainVerification').implement({
  description: 'The result of recomputing the hashes of a whole audit chain.',
  fields: (t) => ({
    valid: t.exposeBoolean('valid', {
      description:
        'Whether every event is as it was when it was recorded, none is missing and none was added.',
    }),
    checked: t.field({
      type: 'SafeInt',
      description: 'How many events were found in order. Retention may have removed older ones.',
      resolve: ({ checked }) => checked,
    }),
    headSequence: t.field({
      type: 'SafeInt',
      description: 'The sequence number of the newest event; 0 if there is none.',
      resolve: ({ headSequence }) => headSequence,
    }),
    headHash: t.string({
      description:
        'The hash at the head of the chain, in hexadecimal. Keep a copy elsewhere: it fixes all events up to the head.',
      resolve: ({ headHash }) => Buffer.from(headHash).toString('hex'),
    }),
    firstBrokenSequence: t.field({
      type: 'SafeInt',
      nullable: true,
      description:
        'The sequence number of the first event that is changed, missing or surplus; null for a valid chain.',
      resolve: ({ firstBrokenSequence }) => firstBrokenSequence,
    }),
  }),
});

builder.queryField('verifyAuditChain', (t) =>
  t.field({
    type: AuditChainVerification,
    nullable: true,
    description:
      'Verifies the audit chain of the whole organisation in a region, up to now. Needs AUDIT_READ in organisation scope.',
    args: { region: t.arg.string(regionOption) },
    resolve: (_, args, ctx) => verifyAuditChain(ctx, args),
  }),
);
