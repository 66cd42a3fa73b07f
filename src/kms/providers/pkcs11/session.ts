import { type Pkcs11Setup, Pkcs11Failure } from './messages.ts';
import {
  type CryptokiModule,
  type CryptokiPackage,
  type Handle,
  CK,
  CKR,
  isOneOf,
  returnValue,
  tellReturnValue,
} from './module.ts';

/** A session with a token, logged in. An operation that failed may leave it busy: then it is opened anew. */
export class Pkcs11Session {
  readonly module: CryptokiModule;
  readonly gcmParameters: number;
  /** Keys found in this session, by what was asked for. Handles end with the session. */
  readonly found = new Map<string, Handle>();
  readonly #setup: Pkcs11Setup;
  #initialised = false;
  #open: { readonly slot: Handle; readonly handle: Handle } | null = null;

  private constructor(cryptoki: CryptokiPackage, setup: Pkcs11Setup) {
    this.module = new cryptoki.PKCS11();
    this.gcmParameters = cryptoki.CK_PARAMS_AES_GCM_v240;
    this.#setup = setup;
  }

  static load(cryptoki: CryptokiPackage, setup: Pkcs11Setup): Pkcs11Session {
    const session = new Pkcs11Session(cryptoki, setup);
    try {
      session.module.load(setup.module);
    } catch {
      throw new Pkcs11Failure(
        'unavailable',
        'The PKCS#11 module cannot be loaded: the file is not there, not readable, or no PKCS#11 library of this architecture',
      );
    }
    return session;
  }

  /**
   * Runs an operation. When session, login, token or a handle turns out to be gone, everything is opened anew and the
   * operation runs once more; a second time it fails.
   */
  run<T>(operation: (handle: Handle) => T): T {
    try {
      return operation(this.#handle());
    } catch (error) {
      if (!isOneOf(CKR.gone, error)) throw this.#failed(error);
    }
    this.close();
    try {
      return operation(this.#handle());
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** A session that may write, beside the first one: a login counts for all sessions of a process. */
  writing<T>(operation: (handle: Handle) => T): T {
    const slot = this.#open?.slot;
    if (!slot) throw new Error('There is no session');
    const handle = this.module.C_OpenSession(slot, CK.CKF_SERIAL_SESSION | CK.CKF_RW_SESSION);
    try {
      return operation(handle);
    } finally {
      this.module.C_CloseSession(handle);
    }
  }

  /** A token that nobody is logged in to answers as if it had no private keys. */
  isLoggedIn(handle: Handle): boolean {
    const { state } = this.module.C_GetSessionInfo(handle);
    return state === CK.CKS_RO_USER_FUNCTIONS || state === CK.CKS_RW_USER_FUNCTIONS;
  }

  close(): void {
    this.found.clear();
    this.#open = null;
    if (!this.#initialised) return;
    this.#initialised = false;
    try {
      this.module.C_Finalize();
    } catch {
      // It is gone, which is why it is opened anew.
    }
  }

  #handle(): Handle {
    if (this.#open) return this.#open.handle;
    this.#initialised = true;
    this.module.C_Initialize();
    const slot = this.#findSlot();
    const handle = this.module.C_OpenSession(slot, CK.CKF_SERIAL_SESSION);
    this.#open = { slot, handle };
    try {
      this.module.C_Login(handle, CK.CKU_USER, this.#setup.pin);
    } catch (error) {
      if (isOneOf(CKR.pin, error)) {
        throw new Pkcs11Failure('pinRefused', `The token refused the PIN (${tellReturnValue(error)})`);
      }
      if (returnValue(error) !== CKR.USER_ALREADY_LOGGED_IN) throw error;
    }
    return handle;
  }

  #findSlot(): Handle {
    const slots = this.module
      .C_GetSlotList(true)
      .filter((slot) => this.module.C_GetTokenInfo(slot).label.trimEnd() === this.#setup.tokenLabel);
    const [slot] = slots;
    if (!slot) throw new Pkcs11Failure('unavailable', 'The PKCS#11 module has no token with this tokenLabel');
    if (slots.length > 1) {
      throw new Pkcs11Failure('unavailable', 'The PKCS#11 module has several tokens with this tokenLabel');
    }
    return slot;
  }

  #failed(error: unknown): unknown {
    if (error instanceof Pkcs11Failure) return error;
    return new Pkcs11Failure('unavailable', `The token answered ${tellReturnValue(error)}`);
  }
}
