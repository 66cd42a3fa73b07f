import './scalars.ts';
import './access-decision.ts';
import './audit-chain-verification.ts';
import './audit-event.ts';
import './folder.ts';
import './kms-key.ts';
import './kms-key-lifecycle.ts';
import './node.ts';
import './policy.ts';
import './policy-payload.ts';
import './secret.ts';
import './secret-event.ts';
import './secret-payload.ts';
import './secret-value.ts';
import './secret-version.ts';
import './viewer.ts';
import { builder } from './builder.ts';

export const schema = builder.toSchema({ sortSchema: true });
