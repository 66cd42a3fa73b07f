import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const script = (name: string) => join(import.meta.dirname, '../../scripts', name);

interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

test('export, public key and verification work beside a service with the embedded Postgres, and after it', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'strongroom-audit-'));
  await chmod(dataDir, 0o711); // root's Postgres runs as another user
  const env = {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    PORT: '0',
    STRONGROOM_DATA_DIR: dataDir,
  };
  const run = (name: string, ...args: readonly string[]): Promise<Outcome> =>
    new Promise((resolve) => {
      execFile(process.execPath, [script(name), ...args], { env }, (error, stdout, stderr) =>
        resolve({ status: error ? Number(error.code) : 0, stdout, stderr }),
      );
    });
  const missing = join(dataDir, 'none');
  const child = spawn(process.execPath, [script('start.js')], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
    await expect.poll(() => /^GraphiQL: /m.test(output), { timeout: 60_000, interval: 50 }).toBe(true);
    const url = /^Strongroom listens at (\S+)$/m.exec(output)?.[1] ?? '';
    const beside = await run(
      'audit-export.ts',
      '--organisation',
      'acme',
      '--out',
      join(dataDir, 'one.jsonl'),
    );
    expect(beside).toMatchObject({ status: 0, stdout: '' });
    const { stdout } = await run('audit-public-key.ts');
    const key = stdout.trim().split(' ')[1] ?? '';
    const verified = await run('audit-verify.ts', join(dataDir, 'one.jsonl'), '--public-key', key);
    expect(verified).toMatchObject({ status: 0 });
    expect(verified.stdout).toContain('holds, 1 to 1');
    // The service is there as before.
    expect((await fetch(new URL('/ready', url))).status).toBe(200);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
    const after = await run('audit-export.ts', '--organisation', 'acme', '--out', '-');
    expect([after.status, after.stdout.split('\n').length]).toEqual([0, 4]);
    const nowhere = await new Promise<number>((resolve) => {
      const none = { ...env, STRONGROOM_DATA_DIR: missing };
      const args = [script('audit-export.ts'), '--organisation', 'acme', '--out', '-'];
      execFile(process.execPath, args, { env: none }, (error) => resolve(error ? Number(error.code) : 0));
    });
    expect(nowhere).toBe(1);
  } finally {
    if (child.exitCode === null) child.kill('SIGKILL');
    await rm(dataDir, { recursive: true, force: true });
  }
}, 90_000);
