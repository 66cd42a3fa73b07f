import { expect, test } from 'vitest';
import { uuidV7 } from '../src/uuid-v7.ts';

test('a UUID of version 7 holds the time in milliseconds, and no two are the same', () => {
  const from = Date.now();
  const made = Array.from({ length: 10_000 }, uuidV7);
  const to = Date.now();
  for (const uuid of made) {
    expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const time = Number.parseInt(uuid.slice(0, 13).replace('-', ''), 16);
    expect(time).toBeGreaterThanOrEqual(from);
    expect(time).toBeLessThanOrEqual(to);
  }
  expect(new Set(made).size).toBe(made.length);
});
