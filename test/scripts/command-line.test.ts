import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const SCRIPTS = join(import.meta.dirname, '../../scripts');
/** Modules that the scripts share. */
const SHARED = ['audit-region.ts', 'command-line.ts'];
const names = readdirSync(SCRIPTS).filter((name) => /\.(ts|js)$/.test(name) && !SHARED.includes(name));
let dataDir: string;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'strongroom-scripts-'));
});
afterAll(() => rm(dataDir, { recursive: true }));

interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(script: string, ...args: readonly string[]): Promise<Outcome> {
  const env = {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    STRONGROOM_DATA_DIR: dataDir,
    PORT: '0',
  };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(SCRIPTS, script), ...args],
      { env, timeout: 20_000 },
      (error, stdout, stderr) => resolve({ status: error ? Number(error.code ?? -1) : 0, stdout, stderr }),
    );
  });
}

describe.each(names)('scripts/%s', (script) => {
  test('refuses an option that it has not, and a word without one, and does nothing', async () => {
    for (const args of [['--frobnicate'], ['--frobnicate', 'x'], ['one', 'two']]) {
      const { status, stderr } = await run(script, ...args);
      expect(status).toBeGreaterThan(0);
      expect(stderr.trim().split('\n')).toHaveLength(1);
      expect(stderr).not.toContain('    at ');
    }
    expect(await readdir(dataDir)).toEqual([]);
  });

  test('says how it is used with --help, ends with 0, and does nothing', async () => {
    const { status, stdout, stderr } = await run(script, '--help');
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^npm (run|start)/);
    expect(await readdir(dataDir)).toEqual([]);
  });
});
