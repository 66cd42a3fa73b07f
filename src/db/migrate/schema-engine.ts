import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import type { SchemaEngine } from '@prisma/schema-engine-wasm';
import * as bindings from '@prisma/schema-engine-wasm/schema_engine_bg';
import type pg from 'pg';

/**
 * The adapter splits scripts at every semicolon, those in comments and function bodies too, and runs the pieces one by
 * one. Sent whole, Postgres parses the script itself and runs it as one transaction: a migration applies or does not.
 */
class WholeScriptPg extends PrismaPg {
  readonly #onScriptError: (error: unknown) => void;

  constructor(pool: pg.Pool, onScriptError: (error: unknown) => void) {
    super(pool);
    this.#onScriptError = onScriptError;
  }

  override async connect() {
    const adapter = await super.connect();
    adapter.executeScript = async (script) => {
      try {
        await adapter.underlyingDriver().query(script);
      } catch (error) {
        // The engine passes on neither PostgreSQL's code nor its words.
        this.#onScriptError(error);
        throw error;
      }
    };
    return adapter;
  }
}

let loaded: Promise<typeof SchemaEngine> | undefined;

/**
 * Prisma's own schema engine, compiled to WebAssembly: it keeps the `_prisma_migrations` table just as
 * `prisma migrate deploy` does, but needs no binary that npm would have to download. The pool stays its owner's to end.
 * `onScriptError` gets the error of a migration's script as `pg` throws it.
 */
export async function openSchemaEngine(
  pool: pg.Pool,
  onScriptError: (error: unknown) => void = () => undefined,
): Promise<SchemaEngine> {
  loaded ??= load();
  const engine = await loaded;
  const adapter = bindMigrationAwareSqlAdapterFactory(new WholeScriptPg(pool, onScriptError));
  return engine.new({ datamodels: undefined }, () => undefined, adapter);
}

async function load(): Promise<typeof SchemaEngine> {
  // The package's entry imports its .wasm as a module, which Node does only with a warning: instantiated here instead.
  const file = createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm/schema_engine_bg');
  const module = await WebAssembly.compile(await readFile(file.replace(/\.js$/, '.wasm')));
  const instance = await WebAssembly.instantiate(module, { './schema_engine_bg.js': { ...bindings } });
  const exports = instance.exports as { __wbindgen_start(): void };
  (bindings as unknown as { __wbg_set_wasm(exports: unknown): void }).__wbg_set_wasm(exports);
  exports.__wbindgen_start();
  return (bindings as unknown as { SchemaEngine: typeof SchemaEngine }).SchemaEngine;
}
