/** A process that has a PKCS#11 provider, says the pid of its child, and waits until it is killed. */
import { Pkcs11Provider } from '../../src/kms/providers/pkcs11/provider.ts';
import { pkcs11ConfigSchema } from '../../src/kms/providers/pkcs11/config.ts';

const [config = ''] = process.argv.slice(2);
const provider = await Pkcs11Provider.open(pkcs11ConfigSchema.parse(JSON.parse(config)));
const scope = { organisation: 'acme', region: 'local-1', project: '', identity: 'kms-1' };
const call = provider.create({ ...scope, keyType: 'AES256_GCM96', externalKeyId: 'payments' });
// A module that hangs is asked by now; one that works has answered.
await Promise.race([call.catch(() => null), new Promise((resolve) => setTimeout(resolve, 500))]);
process.stdout.write(`${provider.pid ?? 0}\n`);
await new Promise((resolve) => setTimeout(resolve, 60_000));
