/**
 * Binding a QUIC connection to a node's identity. The platform shows nobody the peer's certificate, so the check is
 * turned round: a listener's certificate is signed by its node key, and a dialer who knows that key makes up a trust
 * anchor which nothing else can satisfy.
 *
 * ```text
 * pinned dial     anchor "tesseras-node" (the expected key)  signs  leaf
 * first contact   anchor "tesseras-tofu" (known to all)      signs  intermediate "tesseras-node" (any key)  signs  leaf
 * ```
 */
import { TesserasError, toHex, utf8 } from "@tesseras/core";
import { ed25519KeyFromSeed, type NodeSigner } from "@tesseras/crypto";
import {
  ED25519_KEY_BYTES,
  ED25519_SIGNATURE_BYTES,
} from "@tesseras/core/limits";
import {
  bitString,
  booleanTrue,
  explicit,
  generalizedTime,
  implicitText,
  integer,
  objectIdentifier,
  octetString,
  printPem,
  sequence,
  setOf,
  utcTime,
  utf8String,
} from "./der.ts";

/** Whom TLS is asked to check: the name sent in the handshake and the only anchor trusted, as PEM. */
export type Trust = { readonly serverName: string; readonly anchorPem: string };

/** What a leaf certificate is made from. */
export type LeafSource = {
  readonly identity: NodeSigner;
  /** SubjectPublicKeyInfo of the key that TLS uses: fresh for every process, so that the node key never leaves its signer. */
  readonly leafSpki: Uint8Array;
  /** Random bytes; nobody compares serial numbers, but RFC 5280 wants them to differ. */
  readonly serial: Uint8Array;
};

/** Issuer of every leaf. Compared byte for byte, string type included. */
const NODE_NAME = commonName("tesseras-node");
/** Issuer of every intermediate. */
const FIRST_CONTACT_NAME = commonName("tesseras-tofu");
/** RFC 6761 keeps `.invalid` out of the DNS, so none of these names can ever be looked up. */
const DOMAIN = "tesseras.invalid";
/** What a first-contact dialer asks for; every leaf answers to it. */
const FIRST_CONTACT_SERVER = `tofu.${DOMAIN}`;
/** Seed of the first-contact key. Everybody knows it: what it signs proves nothing, and nothing rests on it. */
const FIRST_CONTACT_SEED = utf8("tesseras-first-contact-no-secret");
/** Ed25519 (RFC 8410, 3). */
const ED25519 = sequence(objectIdentifier("2b6570"));
/** Always valid: clocks of old machines are wrong, and the key itself is what is trusted (RFC 5280, 4.1.2.5). */
const VALIDITY = sequence(
  utcTime("700101000000Z"),
  generalizedTime("99991231235959Z"),
);
/** A trust anchor's own signature is never checked (RFC 5280, 6.1.1 d), so it need not be one. */
const NO_SIGNATURE = new Uint8Array(ED25519_SIGNATURE_BYTES);

/** The certificate chain a listener shows, as PEM: its leaf, then the intermediate for first contacts. */
export function issueChain(source: LeafSource): string {
  const { identity, leafSpki, serial } = source;
  const leaf = certificate({
    serial,
    issuer: NODE_NAME,
    subject: commonName(toHex(identity.id)),
    spki: leafSpki,
    extensions: [
      notAuthority(),
      names([
        `${toHex(identity.id)}.${DOMAIN}`,
        serverNameOf(identity.publicKey),
        FIRST_CONTACT_SERVER,
      ]),
    ],
    sign: identity.sign,
  });
  const firstContact = ed25519KeyFromSeed(FIRST_CONTACT_SEED);
  const intermediate = certificate({
    serial,
    issuer: FIRST_CONTACT_NAME,
    subject: NODE_NAME,
    spki: ed25519Spki(identity.publicKey),
    extensions: [authority()],
    sign: firstContact.sign,
  });
  return printPem("CERTIFICATE", leaf) + printPem("CERTIFICATE", intermediate);
}

/**
 * Trust in one node key and nobody else. Bytes that are no point of the curve are let through: nobody can answer to them.
 *
 * @throws `malformed` unless the key is 32 bytes
 */
export function pinnedTrust(publicKey: Uint8Array): Trust {
  return {
    serverName: serverNameOf(publicKey),
    anchorPem: anchor(NODE_NAME, publicKey),
  };
}

/** Trust in whoever answers: authenticates nothing, and is good only for asking who that is. */
export function firstContactTrust(): Trust {
  const { publicKey } = ed25519KeyFromSeed(FIRST_CONTACT_SEED);
  return {
    serverName: FIRST_CONTACT_SERVER,
    anchorPem: anchor(FIRST_CONTACT_NAME, publicKey),
  };
}

/**
 * The name of a key: TLS remembers sessions by name, so every key has one of its own and a session begun on first contact
 * can never stand in for a pinned one. Two labels, because 64 digits are one more than a label holds (RFC 1035, 2.3.4).
 */
function serverNameOf(publicKey: Uint8Array): string {
  const digits = toHex(publicKey);
  return `${digits.slice(0, 32)}.${digits.slice(32)}.${DOMAIN}`;
}

function anchor(name: Uint8Array, publicKey: Uint8Array): string {
  const der = certificate({
    serial: Uint8Array.of(1),
    issuer: name,
    subject: name,
    spki: ed25519Spki(publicKey),
    extensions: [authority()],
    sign: () => NO_SIGNATURE,
  });
  return printPem("CERTIFICATE", der);
}

type CertificateParts = {
  readonly serial: Uint8Array;
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly spki: Uint8Array;
  readonly extensions: readonly Uint8Array[];
  readonly sign: (message: Uint8Array) => Uint8Array;
};

/** X.509 v3 (RFC 5280, 4.1), signed with Ed25519. */
function certificate(parts: CertificateParts): Uint8Array {
  const version3 = explicit(0, integer(Uint8Array.of(2)));
  const body = sequence(
    version3,
    integer(parts.serial),
    ED25519,
    parts.issuer,
    VALIDITY,
    parts.subject,
    parts.spki,
    explicit(3, sequence(...parts.extensions)),
  );
  return sequence(body, ED25519, bitString(parts.sign(body)));
}

function ed25519Spki(publicKey: Uint8Array): Uint8Array {
  if (publicKey.length !== ED25519_KEY_BYTES) {
    throw new TesserasError(
      "malformed",
      `Cannot certify node key: ${publicKey.length} bytes, wanted ${ED25519_KEY_BYTES}`,
    );
  }
  return sequence(ED25519, bitString(publicKey));
}

function commonName(text: string): Uint8Array {
  const type = objectIdentifier("550403");
  return sequence(setOf(sequence(type, utf8String(text))));
}

/** BasicConstraints CA:true, critical (RFC 5280, 4.2.1.9). */
function authority(): Uint8Array {
  return basicConstraints(sequence(booleanTrue()));
}

function notAuthority(): Uint8Array {
  return basicConstraints(sequence());
}

function basicConstraints(value: Uint8Array): Uint8Array {
  return sequence(
    objectIdentifier("551d13"),
    booleanTrue(),
    octetString(value),
  );
}

/** SubjectAltName with DNS names (RFC 5280, 4.2.1.6). */
function names(dnsNames: readonly string[]): Uint8Array {
  const list = sequence(...dnsNames.map((name) => implicitText(2, name)));
  return sequence(objectIdentifier("551d11"), octetString(list));
}
