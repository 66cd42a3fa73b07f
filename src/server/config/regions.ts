import { z } from 'zod';
import type { RootKey } from '../../kms/keys/root-keys.ts';
import type { EnvironmentReader } from './environment-reader.ts';
import { rootKeySource } from './root-keys.ts';
import { jsonText } from './text-schemas.ts';

export interface RegionConfig {
  readonly name: string;
  /** null: the embedded Postgres. */
  readonly databaseUrl: string | null;
  /** null: the one in the data directory. */
  readonly rootKeys: readonly RootKey[] | null;
}

const REGION_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;

const regionList = z
  .array(
    z.strictObject({
      name: z.string().regex(REGION_NAME, 'must be 1 to 63 of a-z 0-9 and -'),
      databaseUrl: z.string().min(1).optional(),
      rootKey: z.string().optional(),
      rootKeyFile: z.string().optional(),
    }),
  )
  .min(1, 'must name at least one region')
  .refine(
    (regions) => new Set(regions.map(({ name }) => name)).size === regions.length,
    'must have names of their own',
  );
type RegionEntry = z.output<typeof regionList>[number];

const regionName = z
  .string()
  .transform((name) => [{ name }])
  .pipe(regionList);
const regionsInJson = jsonText.pipe(regionList);

/** The regions, the default one first, whose database and root keys may have variables of their own. */
export function readRegions(reader: EnvironmentReader, production: boolean): readonly RegionConfig[] {
  const text = reader.get('STRONGROOM_REGIONS') ?? 'local-1';
  const schema = text.startsWith('[') ? regionsInJson : regionName;
  const regions = reader.check('STRONGROOM_REGIONS', schema, text, []).map((entry, index) => ({
    name: entry.name,
    databaseUrl: entry.databaseUrl ?? (index === 0 ? (reader.get('DATABASE_URL') ?? null) : null),
    rootKeys: rootKeysOf(reader, entry, index === 0),
  }));
  if (production) requireOwn(reader, regions);
  if (regions.filter(({ databaseUrl }) => !databaseUrl).length > 1) {
    reader.problems.push(
      'STRONGROOM_REGIONS needs a databaseUrl for every region but one: there is one embedded database',
    );
  }
  return regions;
}

function requireOwn({ problems }: EnvironmentReader, regions: readonly RegionConfig[]): void {
  if (regions.some(({ databaseUrl }) => !databaseUrl)) {
    problems.push(
      'DATABASE_URL, or a databaseUrl for every region in STRONGROOM_REGIONS, must be set in production',
    );
  }
  if (regions.some(({ rootKeys }) => !rootKeys)) {
    problems.push(
      'STRONGROOM_ROOT_KEY or STRONGROOM_ROOT_KEY_FILE, or one for every region, must be set in production',
    );
  }
}

function rootKeysOf(
  reader: EnvironmentReader,
  { rootKey, rootKeyFile }: RegionEntry,
  isDefault: boolean,
): readonly RootKey[] | null {
  if (rootKey !== undefined || rootKeyFile !== undefined)
    return reader.check('STRONGROOM_REGIONS', rootKeySource, { text: rootKey, file: rootKeyFile }, null);
  if (!isDefault) return null;
  const text = reader.get('STRONGROOM_ROOT_KEY');
  const file = reader.get('STRONGROOM_ROOT_KEY_FILE');
  const variable = text === undefined ? 'STRONGROOM_ROOT_KEY_FILE' : 'STRONGROOM_ROOT_KEY';
  return reader.check(variable, rootKeySource, { text, file }, null);
}
