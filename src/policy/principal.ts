/** Who calls, in which scope: what a verified credential says and nothing else. */
export interface Principal {
  /** With the issuer this is the identity; the same subject at another issuer is somebody else. */
  readonly subject: string;
  readonly issuer: string;
  readonly organisation: string;
  /** '' for the organisation itself. */
  readonly project: string;
  readonly roles: readonly string[];
  readonly claims: Readonly<Record<string, unknown>>;
  readonly expiresAt: Date;
}

/** Who calls, wherever: what tells one caller from another. */
export interface Identity {
  readonly subject: string;
  readonly issuer: string;
  readonly organisation: string;
  readonly roles: readonly string[];
}
