import './scalars.ts';
import './audit-chain-verification.ts';
import './audit-event.ts';
import './folder.ts';
import './kms-key.ts';
import './node.ts';
import './secret.ts';
import './secret-payload.ts';
import './secret-value.ts';
import './secret-version.ts';
import './viewer.ts';
import { builder } from './builder.ts';

export const schema = builder.toSchema({ sortSchema: true });
