import { EmbeddedPostgresError } from '../db/embedded/place.ts';
import { errorFacts } from '../http/log.ts';
import { WorkerError } from './cluster/worker-error.ts';
import { ConfigError } from './config/config-error.ts';
import { StartError } from './start-error.ts';

const FOR_OPERATORS = [ConfigError, StartError, EmbeddedPostgresError, WorkerError];

/** Why a start failed: what an operator can act on; of anything else, what is safe to print. */
export function explainFailure(error: unknown): string {
  if (error instanceof Error && FOR_OPERATORS.some((kind) => error instanceof kind)) return error.message;
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code === 'EADDRINUSE') return 'Another process listens at this address already: set PORT, or stop it.';
  if (code === 'EACCES')
    return 'The address or a file is not allowed to this user: see HOST, PORT and STRONGROOM_DATA_DIR.';
  return `Strongroom could not start: ${JSON.stringify(errorFacts(error))}`;
}
