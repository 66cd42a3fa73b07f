import { describe, expect, it } from 'vitest';
import { regionOf } from '../../../src/resolvers/input/region-of.ts';
import { CANARY, refusedAt } from './refusal.ts';
import { withRegions } from './regions.ts';

const ctx = withRegions('local-1', 'eu-1');
const FIELD = ['input', 'region'];

describe('regionOf', () => {
  it.each([CANARY, '', 'LOCAL-1', ' local-1', 'local-1 ', 'local-1\0', 'local', '__proto__', '*'])(
    'refuses %j',
    (name) => {
      expect(refusedAt(() => regionOf(ctx, name, FIELD), 'there is local-1, eu-1')).toEqual(FIELD);
    },
  );

  it('is the one named, or the first', () => {
    expect(regionOf(ctx, 'eu-1', FIELD).name).toBe('eu-1');
    expect(regionOf(ctx, null, FIELD).name).toBe('local-1');
    expect(regionOf(ctx, undefined, FIELD).name).toBe('local-1');
  });
});
