// Who is reading: HTTP message signatures (RFC 9421) on requests without a body, in the gateway's one strict profile.

import { encodeBase64, encodeBase64url, utf8 } from "./bytes.js";

/** The two headers that prove who reads; good for one use within 60 seconds. */
export async function signRead(signer, { method, targetUri, created, nonce }) {
  const key = encodeBase64url(signer.publicBytes);
  const parameters = `("@method" "@target-uri");created=${created};keyid="${key}";nonce="${encodeBase64url(nonce)}";alg="ed25519"`;
  const base = `"@method": ${method}\n"@target-uri": ${targetUri}\n"@signature-params": ${parameters}`;
  const signature = encodeBase64(await signer.sign(utf8(base)));
  return { "Signature-Input": `reader=${parameters}`, Signature: `reader=:${signature}:` };
}
