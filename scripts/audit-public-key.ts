/** Prints the public keys that sign a region's audit checkpoints, the newest first: `npm run --silent audit:public-key`. */
import { parseArgs } from 'node:util';
import { AuditSigner } from '../src/resolvers/audit/audit-signer.ts';
import { command, withRegion } from './audit-region.ts';

await command('audit:public-key', async () => {
  const { values } = parseArgs({ options: { region: { type: 'string' } } });
  const keys = await withRegion(values.region, async (region) => {
    const signer = await AuditSigner.openToSign(region, new Date());
    return signer.publicKeys.map(
      ({ id, publicKey }) => `${id} ${Buffer.from(publicKey).toString('base64')}\n`,
    );
  });
  process.stdout.write(keys.join(''));
});
