// The member's keys on this device: made here once, locked into a recovery file, then kept so that no script can read them.
//
// The signing key is a CryptoKey that cannot be exported; the 32 bytes of the sealing key lie in the vault under a
// wrapping key that cannot be exported either.

import { decodeBase64url, encodeBase64url } from "../core/bytes.js";
import { canonicalBytes } from "../core/canonical.js";
import { BadDocument, CallerError } from "../core/errors.js";
import { lockKeys, readRecoveryFile, unlockKeys } from "../core/recovery.js";
import { publicSealingKey, X_WING } from "../core/sealing.js";
import { signerFromSecret, signerOf } from "../core/signing.js";

const KEPT = "keys";
const SEALING_SECRET = "sealing-secret";

export class Keyring {
  /** `parts`: community, registerId, signer, sealingKey (base64url), wrappingKey, isRecovered (made on another device). */
  constructor(parts) {
    Object.assign(this, parts);
    Object.freeze(this);
  }

  /** The keys on this device, or null. */
  static async load(vault) {
    const kept = await vault.get(KEPT);
    if (kept === undefined) return null;
    const { privateKey, publicBytes, ...parts } = kept;
    return new Keyring({ ...parts, signer: signerOf(privateKey, publicBytes) });
  }

  /** Fresh keys: the recovery file's bytes, and `keep()` to store them once the file is safe. */
  static async make({ community, registerId, passphrase, randomBytes, vault, iterations }) {
    const secrets = { signing: await randomBytes(32), sealing: await randomBytes(32) };
    const signer = await signerFromSecret(secrets.signing);
    const sealingKey = encodeBase64url(await publicSealingKey(secrets.sealing));
    const publics = { signing: encodeBase64url(signer.publicBytes), sealing: sealingKey };
    const file = await lockKeys({ community, registerId, secrets, publics, passphrase, randomBytes, iterations });
    return { file, keep: () => keep({ vault, community, registerId, secrets, signer, sealingKey }) };
  }

  /** From a recovery file, on a second device or after this one forgot. Throws CallerError. */
  static async recover({ bytes, passphrase, vault }) {
    const file = recoveryFile(bytes);
    const secrets = await unlockKeys(file, passphrase);
    const signer = await signerFromSecret(secrets.signing);
    const sealingKey = encodeBase64url(await publicSealingKey(secrets.sealing));
    if (encodeBase64url(signer.publicBytes) !== file.signing_key || sealingKey !== file.sealing_key) {
      throw new CallerError("the recovery file's halves do not belong together", { said: "recovery_halves" });
    }
    return keep({ vault, community: file.community, registerId: file.register_id, secrets, signer, sealingKey, isRecovered: true });
  }

  /** The 32 bytes that open what is sealed to this member; overwrite them after use. */
  async sealingSecret(vault) {
    return decodeBase64url(await vault.getSealed(SEALING_SECRET, this.wrappingKey));
  }

  /** What a registrar needs of a member: public keys and the register's id, as `mpc-cde registrar issue` reads it. */
  card() {
    return canonicalBytes({
      type: "member-card/v1",
      signing_key: encodeBase64url(this.signer.publicBytes),
      sealing_key: { suite: X_WING, key: this.sealingKey },
      register_id: this.registerId,
      holding: null,
      sole_trader: false,
    });
  }
}

function recoveryFile(bytes) {
  try {
    return readRecoveryFile(bytes);
  } catch (error) {
    if (!(error instanceof BadDocument)) throw error;
    throw new CallerError("this is no recovery file", { said: "no_recovery_file" });
  }
}

async function keep({ vault, community, registerId, secrets, signer, sealingKey, isRecovered = false }) {
  const wrappingKey = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
  await vault.putSealed(SEALING_SECRET, encodeBase64url(secrets.sealing), wrappingKey);
  secrets.signing.fill(0);
  secrets.sealing.fill(0);
  const { privateKey, publicBytes } = signer;
  await vault.put(KEPT, { community, registerId, privateKey, publicBytes, sealingKey, wrappingKey, isRecovered });
  await navigator.storage?.persist?.();
  return new Keyring({ community, registerId, signer, sealingKey, wrappingKey, isRecovered });
}
