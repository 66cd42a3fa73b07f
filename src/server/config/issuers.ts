import type { IssuerConfig } from '../../auth/issuer-config.ts';
import { issuerListSchema } from '../../auth/issuer-list.ts';
import type { EnvironmentReader } from './environment-reader.ts';
import { jsonText } from './text-schemas.ts';

/** Whose tokens are accepted. null: those of the development issuer, which production has not. */
export function readIssuers(reader: EnvironmentReader, production: boolean): readonly IssuerConfig[] | null {
  const isSet = reader.get('STRONGROOM_ISSUERS') !== undefined;
  if (production && !isSet) reader.problems.push('STRONGROOM_ISSUERS must be set in production');
  return reader.read<readonly IssuerConfig[] | null>(
    'STRONGROOM_ISSUERS',
    jsonText.pipe(issuerListSchema(production)),
    null,
  );
}
