/** Prints the public keys that sign a region's audit checkpoints, the newest first: `npm run --silent audit:public-key`. */
import { AuditSigner } from '../src/resolvers/audit/audit-signer.ts';
import { withRegion } from './audit-region.ts';
import { command, readOptions } from './command-line.ts';

const USAGE = `
npm run --silent audit:public-key -- [--region <name>]

Prints the public keys that sign the audit checkpoints of a region, the newest first.

  --region <name>  a region of STRONGROOM_REGIONS; default: the first
`;

await command('audit:public-key', async () => {
  const values = readOptions(USAGE, { region: { type: 'string' } });
  const keys = await withRegion(values.region, async (region) => {
    const signer = await AuditSigner.openToSign(region, new Date());
    return signer.publicKeys.map(
      ({ id, publicKey }) => `${id} ${Buffer.from(publicKey).toString('base64')}\n`,
    );
  });
  process.stdout.write(keys.join(''));
});
