import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const PKCS11 = resolve(import.meta.dirname, '../../../../src/kms/providers/pkcs11');

it('where pkcs11js is not installed, an error says what to install', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'strongroom-no-package-'));
  try {
    for (const name of ['module.ts', 'messages.ts']) await cp(join(PKCS11, name), join(folder, name));
    const script = `
      import { loadCryptoki } from ${JSON.stringify(join(folder, 'module.ts'))};
      await loadCryptoki().catch((error) => process.stdout.write(error.message));`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
      cwd: folder,
    });
    expect(stdout).toMatch(
      /needs the package pkcs11js.*compiler.*npm install --no-save --save-prod pkcs11js@/,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
