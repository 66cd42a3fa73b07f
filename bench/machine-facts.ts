/** What the figures hold for. */
import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';

export interface MachineFacts {
  readonly date: string;
  readonly commit: string;
  readonly node: string;
  readonly postgres: string;
  readonly cores: number;
  readonly cpu: string;
  readonly platform: string;
}

export function machineFacts(postgres: string): MachineFacts {
  return {
    date: new Date().toISOString(),
    commit: git('describe', '--always', '--dirty', '--exclude=*') ?? 'unknown',
    node: process.versions.node,
    postgres,
    cores: availableParallelism(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    platform: `${process.platform} ${process.arch}`,
  };
}

function git(...args: string[]): string | null {
  try {
    return execFileSync('git', args, {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
      .toString()
      .trim();
  } catch {
    return null;
  }
}
