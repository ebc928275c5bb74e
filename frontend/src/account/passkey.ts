/** Passkeys: the browser's part of WebAuthn, in the JSON the server speaks. */

type Options = { options: { publicKey: Record<string, unknown> } };

/** Passkeys belong to a host name, reached in a way nobody can listen to: none can be made for an address of digits. */
export function passkeysPossible(): boolean {
  const { hostname } = window.location;
  return window.isSecureContext && "PublicKeyCredential" in window && !/^[\d.]+$|:/.test(hostname);
}

/** The device, or the person at it, gave no answer. */
export class NoPasskey extends Error {}

async function answered(asking: Promise<Credential | null>): Promise<Record<string, unknown>> {
  const credential = await asking.catch(() => null);
  if (!(credential instanceof PublicKeyCredential)) throw new NoPasskey();
  return credential.toJSON() as unknown as Record<string, unknown>;
}

/** Have the device make a passkey. */
export function makePasskey({ options }: Options): Promise<Record<string, unknown>> {
  const json = options.publicKey as unknown as PublicKeyCredentialCreationOptionsJSON;
  return answered(navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(json) }));
}

/** Have the device answer with a passkey it holds. */
export function askPasskey({ options }: Options): Promise<Record<string, unknown>> {
  const json = options.publicKey as unknown as PublicKeyCredentialRequestOptionsJSON;
  return answered(navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(json) }));
}
