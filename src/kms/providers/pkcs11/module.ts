import { Pkcs11Failure } from './messages.ts';

/** A handle of PKCS#11, in the machine's byte order. */
export type Handle = Buffer;
export interface Attribute {
  readonly type: number;
  readonly value?: number | boolean | string | Buffer;
}
export interface GcmMechanism {
  readonly mechanism: number;
  readonly parameter?: {
    readonly type: number;
    readonly iv: Buffer;
    readonly ivBits: number;
    readonly aad: Buffer;
    readonly tagBits: number;
  };
}

/** What we use of pkcs11js: an optional package, compiled where it is installed, so its own types may be absent. */
export interface CryptokiModule {
  load(path: string): void;
  C_Initialize(): void;
  C_Finalize(): void;
  C_GetSlotList(tokenPresent: boolean): Handle[];
  C_GetTokenInfo(slot: Handle): { readonly label: string };
  C_OpenSession(slot: Handle, flags: number): Handle;
  C_CloseSession(session: Handle): void;
  C_GetSessionInfo(session: Handle): { readonly state: number };
  C_Login(session: Handle, userType: number, pin: string): void;
  C_FindObjectsInit(session: Handle, template: readonly Attribute[]): void;
  C_FindObjects(session: Handle, maxObjectCount: number): Handle[];
  C_FindObjectsFinal(session: Handle): void;
  C_GetAttributeValue(
    session: Handle,
    object: Handle,
    template: readonly Attribute[],
  ): { readonly value: Buffer }[];
  C_GenerateKey(session: Handle, mechanism: GcmMechanism, template: readonly Attribute[]): Handle;
  C_CreateObject(session: Handle, template: readonly Attribute[]): Handle;
  C_DestroyObject(session: Handle, object: Handle): void;
  C_EncryptInit(session: Handle, mechanism: GcmMechanism, key: Handle): void;
  C_Encrypt(session: Handle, input: Buffer, output: Buffer): Buffer;
  C_DecryptInit(session: Handle, mechanism: GcmMechanism, key: Handle): void;
  C_Decrypt(session: Handle, input: Buffer, output: Buffer): Buffer;
}
export interface CryptokiPackage {
  readonly PKCS11: new () => CryptokiModule;
  readonly CK_PARAMS_AES_GCM_v240: number;
}

/** A variable, so that the type checker does not look for a package that need not be there. */
const PACKAGE = 'pkcs11js';

export async function loadCryptoki(): Promise<CryptokiPackage> {
  try {
    const loaded = (await import(PACKAGE)) as { readonly default: CryptokiPackage };
    return loaded.default;
  } catch {
    throw new Pkcs11Failure(
      'unavailable',
      'A KMS provider of the kind pkcs11 needs the package pkcs11js, built for this machine: install a C++ compiler, ' +
        'make and Python 3, then run npm install --no-save --save-prod pkcs11js@2.1.7',
    );
  }
}

/** Numbers of PKCS#11 2.40; the last of the return values is of 3.0. */
export const CK = {
  CKF_RW_SESSION: 0x2,
  CKF_SERIAL_SESSION: 0x4,
  CKU_USER: 1,
  CKS_RO_USER_FUNCTIONS: 1,
  CKS_RW_USER_FUNCTIONS: 3,
  CKO_SECRET_KEY: 4,
  CKK_AES: 0x1f,
  CKA_CLASS: 0x0,
  CKA_TOKEN: 0x1,
  CKA_PRIVATE: 0x2,
  CKA_LABEL: 0x3,
  CKA_KEY_TYPE: 0x100,
  CKA_ID: 0x102,
  CKA_SENSITIVE: 0x103,
  CKA_ENCRYPT: 0x104,
  CKA_DECRYPT: 0x105,
  CKA_WRAP: 0x106,
  CKA_UNWRAP: 0x107,
  CKA_SIGN: 0x108,
  CKA_VERIFY: 0x10a,
  CKA_DERIVE: 0x10c,
  CKA_VALUE_LEN: 0x161,
  CKA_EXTRACTABLE: 0x162,
  CKM_AES_KEY_GEN: 0x1080,
  CKM_AES_GCM: 0x1087,
} as const;

/** Return values, by what they mean to us. */
export const CKR = {
  USER_ALREADY_LOGGED_IN: 0x100,
  /** The token does not know this PIN, or takes none any more. */
  pin: [0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0x102],
  /** Session, login, token or handle gone: all may be well after a new start of the session. */
  gone: [0x32, 0x60, 0x82, 0x90, 0xb0, 0xb3, 0xe0, 0xe1, 0x101, 0x190],
  /** CKR_ENCRYPTED_DATA_INVALID, CKR_ENCRYPTED_DATA_LEN_RANGE, CKR_AEAD_DECRYPT_FAILED. */
  doesNotOpen: [0x40, 0x41, 0x35],
  /** CKR_GENERAL_ERROR, CKR_FUNCTION_FAILED: of `C_Decrypt` either a wrong tag or a sick token. */
  unclear: [0x5, 0x6],
  /** The token, the key or its attributes do not allow it, now or later: arguments, types, rights, write protection. */
  refused: [0x7, 0x10, 0x12, 0x13, 0x54, 0x62, 0x63, 0x68, 0x70, 0x71, 0xb5, 0xd0, 0xd1, 0xe2],
} as const;

/** The return value of a call that failed; null for an error that is not the module's. */
export function returnValue(error: unknown): number | null {
  if (!(error instanceof Error) || !('code' in error) || !error.message.startsWith('CKR_')) return null;
  return typeof error.code === 'number' ? error.code : null;
}

export function isOneOf(values: readonly number[], error: unknown): boolean {
  const value = returnValue(error);
  return value !== null && values.includes(value);
}

/** What may be told of an error: the name of a return value, nothing of the arguments. */
export function tellReturnValue(error: unknown): string {
  if (returnValue(error) === null) return 'an error without a return value';
  return /^CKR_\w+/.exec((error as Error).message)?.[0] ?? 'an unknown return value';
}
