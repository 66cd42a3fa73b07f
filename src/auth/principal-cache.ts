import { hash } from 'node:crypto';
import type { Principal } from '../policy/principal.ts';

const MAX_PRINCIPALS = 2_000;

interface Kept {
  readonly principal: Principal;
  readonly verifiedAt: number;
  readonly stillHolds: () => boolean;
}

/**
 * Principals of access tokens that were verified, 2,000 at most, the least recently used leave. No token is kept, only its
 * SHA-256 together with the project asked for. Each is good until its token expires, to the second and without tolerance,
 * and as long as the keys that verified it are neither fetched anew nor due to be.
 */
export class PrincipalCache {
  /** Least recently used first. */
  readonly #kept = new Map<string, Kept>();

  static idOf(token: string, projectHeader: readonly string[]): string {
    return hash('sha256', JSON.stringify([token, ...projectHeader]), 'base64');
  }

  get(id: string, at: Date): Principal | null {
    const kept = this.#kept.get(id);
    if (!kept) return null;
    this.#kept.delete(id);
    const { principal, verifiedAt, stillHolds } = kept;
    const time = at.getTime();
    if (time < verifiedAt || time >= principal.expiresAt.getTime() || !stillHolds()) return null;
    this.#kept.set(id, kept);
    return principal;
  }

  keep(id: string, principal: Principal, at: Date, stillHolds: () => boolean): void {
    this.#kept.set(id, { principal, verifiedAt: at.getTime(), stillHolds });
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined && this.#kept.size > MAX_PRINCIPALS) this.#kept.delete(oldest);
  }
}
