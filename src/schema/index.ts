import './scalars.ts';
import './policy/access-decision.ts';
import './audit/audit-chain-verification.ts';
import './audit/audit-event.ts';
import './secret/folder.ts';
import './kms-key/kms-key.ts';
import './kms-key/kms-key-lifecycle.ts';
import './node.ts';
import './policy/policy.ts';
import './policy/policy-payload.ts';
import './secret/secret.ts';
import './secret/secret-event.ts';
import './secret/secret-payload.ts';
import './secret/secret-value.ts';
import './secret/secret-version.ts';
import './viewer.ts';
import { builder } from './builder.ts';

export const schema = builder.toSchema({ sortSchema: true });
