import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const ROOT = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8');
const ADVISORY = /CVE-\d{4}-\d+|GHSA(?:-[0-9a-z]{4}){3}|OpenBao [\d.]+\d/g;

const rows = [...read('docs/threats.md').matchAll(/^\| (.+?) \| (.+?) \| `(.+?)` \| `(.+?)` \|$/gm)].map(
  ([, advisories = '', guarantee = '', file = '', title = '']) => ({ advisories, guarantee, file, title }),
);

describe('docs/threats.md', () => {
  it('is read by this test row by row', () => {
    const lines = read('docs/threats.md')
      .split('\n')
      .filter((line) => /^\| (?!advisory|---)/.test(line));
    expect(rows.length).toBe(lines.length);
    expect(rows.length).toBeGreaterThan(30);
  });

  it.each(rows)('names a test that is there: $title', ({ advisories, file, title }) => {
    expect(existsSync(new URL(file, ROOT)), file).toBe(true);
    // Quotes are escaped where the source needs it.
    expect(read(file).replaceAll("\\'", "'")).toContain(title);
    const named: readonly string[] = title.match(ADVISORY) ?? [];
    expect(named.filter((each) => advisories.includes(each))).not.toEqual([]);
  });
});
