/** What the gateway and the process that holds a token's session say to each other. */

/** The first message to the process. The PIN travels here alone: an argument or a variable could be read in /proc. */
export interface Pkcs11Setup {
  readonly module: string;
  readonly tokenLabel: string;
  readonly pin: string;
}

/** One generation of a key: CKA_LABEL, and CKA_ID in hexadecimal. */
export interface Pkcs11KeyName {
  readonly label: string;
  readonly id: string;
}

export type Pkcs11Call =
  /** Whether the package pkcs11js works; the vendor's module is not loaded. */
  | { readonly call: 'load' }
  | { readonly call: 'create'; readonly label: string }
  | { readonly call: 'rotate'; readonly key: Pkcs11KeyName }
  | { readonly call: 'describe'; readonly key: Pkcs11KeyName }
  | {
      readonly call: 'wrap' | 'unwrap';
      readonly key: Pkcs11KeyName;
      readonly bytes: Uint8Array;
      readonly context: Uint8Array;
    };

export type Pkcs11Result = { readonly id: string } | { readonly bytes: Uint8Array } | null;

/**
 * - `decryption`: the wrapped data key does not open
 * - `externalKey`: the key is not there or not fit for use
 * - `pinRefused`: by the token, which locks itself after a few more
 * - `unavailable`: anything else; the process is replaced
 */
export type Pkcs11FailureKind = 'decryption' | 'externalKey' | 'pinRefused' | 'unavailable';

export type Pkcs11Answer =
  | { readonly ok: true; readonly result: Pkcs11Result }
  | { readonly ok: false; readonly kind: Pkcs11FailureKind; readonly message: string };

export class Pkcs11Failure extends Error {
  override readonly name = 'Pkcs11Failure';
  readonly kind: Pkcs11FailureKind;

  constructor(kind: Pkcs11FailureKind, message: string) {
    super(message);
    this.kind = kind;
  }
}
