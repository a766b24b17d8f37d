// What this device remembers, in IndexedDB; figures and secrets under a key that cannot leave the browser.

import { canonicalBytes } from "../core/canonical.js";

const NAME = "mpc-cde";
const STORE = "vault";
const NONCE_BYTES = 12;

export class Vault {
  #database;

  constructor(database) {
    this.#database = database;
  }

  static async open(name = NAME) {
    const asked = indexedDB.open(name, 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore(STORE);
    return new Vault(await settled(asked));
  }

  /** What was kept under a name, or undefined. */
  get(name) {
    return settled(this.#store("readonly").get(name));
  }

  async put(name, value) {
    const store = this.#store("readwrite");
    store.put(value, name);
    await finished(store.transaction);
  }

  async delete(name) {
    const store = this.#store("readwrite");
    store.delete(name);
    await finished(store.transaction);
  }

  /** Forget everything. */
  async clear() {
    const store = this.#store("readwrite");
    store.clear();
    await finished(store.transaction);
  }

  /** Keep a JSON value under the wrapping key; it is bound to its name. */
  async putSealed(name, value, key) {
    const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
    const parameters = { name: "AES-GCM", iv: nonce, additionalData: new TextEncoder().encode(name) };
    const sealed = await crypto.subtle.encrypt(parameters, key, canonicalBytes({ value }));
    await this.put(name, { nonce, sealed: new Uint8Array(sealed) });
  }

  /** The value that was kept so, or undefined. */
  async getSealed(name, key) {
    const found = await this.get(name);
    if (found === undefined) return undefined;
    const parameters = { name: "AES-GCM", iv: found.nonce, additionalData: new TextEncoder().encode(name) };
    const opened = await crypto.subtle.decrypt(parameters, key, found.sealed);
    return JSON.parse(new TextDecoder().decode(opened)).value;
  }

  #store(mode) {
    return this.#database.transaction(STORE, mode).objectStore(STORE);
  }
}

function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function finished(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onerror = () => reject(transaction.error);
    transaction.onabort = () => reject(transaction.error);
  });
}
