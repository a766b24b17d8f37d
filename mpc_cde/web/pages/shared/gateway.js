// The gateway's calls, as the pages make them: envelopes in and out, nothing believed.

import { encodeBase64url } from "../core/bytes.js";
import { rosterProof } from "../core/documents.js";
import { Envelope } from "../core/envelope.js";
import { BadDocument, GatewayRefused, TransportError } from "../core/errors.js";
import { signRead } from "../core/reader.js";

const NONCE_BYTES = 16;

export class Gateway {
  /** `signer` proves who reads what is not for everybody; `randomBytes` gives its nonces. */
  constructor(url, { randomBytes, signer = null }) {
    this.url = url.replace(/\/$/, "");
    this.randomBytes = randomBytes;
    this.signer = signer;
  }

  async communities() {
    return envelopes((await this.#get("/v1/community")).versions);
  }

  async studies() {
    return (await this.#get("/v1/studies")).studies;
  }

  /** All public documents of one study, unverified; `state` is the gateway's word. */
  async study(terms) {
    const answer = await this.#get(`/v1/studies/${terms}`);
    return {
      study: new Envelope(answer.study),
      approvals: envelopes(answer.approvals),
      amendments: envelopes(answer.amendments),
      roster: optional(answer.roster),
      checkedRoster: optional(answer.checked_roster),
      state: answer.state,
    };
  }

  /** The membership of the signer's key, unverified; null if nobody has certified it yet. */
  async ownMembership() {
    const answer = await this.#own("memberships");
    return answer && new Envelope(answer.membership);
  }

  /** The enrolment of the signer's key as a researcher, { envelope, waitingFor }, unverified; null if there is none. */
  async ownEnrolment() {
    const answer = await this.#own("researchers");
    return answer && { envelope: new Envelope(answer.researcher), waitingFor: answer.waiting_for };
  }

  async #own(kind) {
    try {
      return await this.#get(`/v1/${kind}/own`, { signed: true });
    } catch (error) {
      if (error instanceof GatewayRefused && error.kind === "not-found") return null;
      throw error;
    }
  }

  async receipts(submission) {
    return envelopes((await this.#get(`/v1/submissions/${submission}`)).receipts);
  }

  /** Receipts of a withdrawal; a gateway that does not know of it has none. */
  async withdrawalReceipts(withdrawal) {
    try {
      return envelopes((await this.#get(`/v1/withdrawals/${withdrawal}`)).receipts);
    } catch (error) {
      if (error instanceof GatewayRefused && error.kind === "not-found") return [];
      throw error;
    }
  }

  async proof(terms, submission) {
    const answer = await this.#get(`/v1/studies/${terms}/proofs/${submission}`, { signed: this.signer !== null });
    rosterProof(answer, "proof");
    return answer;
  }

  /** Results that this reader may read: digests, studies, times; claims of the gateway. */
  async results() {
    return (await this.#get("/v1/results", { signed: this.signer !== null })).results;
  }

  async result(digest) {
    const answer = await this.#get(`/v1/results/${digest}`, { signed: this.signer !== null });
    return { result: new Envelope(answer.result), query: optional(answer.query), asker: optional(answer.asker) };
  }

  /** Hand in a signed question; its answer is found by the question's digest. */
  async ask(envelope) {
    await this.#post("queries", envelope);
    return envelope.digest();
  }

  /** A question as it stands: { query, decisions, results, state, waitingFor }, unverified; the state is the gateway's word. */
  async query(digest) {
    const answer = await this.#get(`/v1/queries/${digest}`, { signed: this.signer !== null });
    return {
      query: new Envelope(answer.query), decisions: envelopes(answer.decisions), results: answer.results,
      state: answer.state, waitingFor: answer.waiting_for,
    };
  }

  /** Returns when the gateway has stored the submission durably. */
  async submit({ body, contentType }) {
    await this.#call("/v1/submissions", { method: "POST", body, headers: { "Content-Type": contentType } });
  }

  withdraw(envelope) {
    return this.#post("withdrawals", envelope);
  }

  #post(kind, envelope) {
    return this.#call(`/v1/${kind}`, { method: "POST", body: envelope.toBytes(), headers: { "Content-Type": "application/json" } });
  }

  #get(path, { signed = false } = {}) {
    return this.#call(path, { method: "GET", signed });
  }

  async #call(path, { method, body = undefined, headers = {}, signed = false }) {
    const targetUri = `${this.url}${path}`;
    const proof = signed
      ? await signRead(this.signer, {
        method, targetUri, created: Math.floor(Date.now() / 1000), nonce: await this.randomBytes(NONCE_BYTES),
      })
      : {};
    let answer;
    try {
      answer = await fetch(targetUri, {
        method, body, headers: { ...headers, ...proof }, credentials: "omit", referrerPolicy: "no-referrer", cache: "no-store",
      });
    } catch {
      throw new TransportError("the gateway cannot be reached", { hint: "offline" });
    }
    const isJson = /[/+]json/.test(answer.headers.get("content-type") ?? "");
    const content = isJson ? await contentOf(answer) : null;
    if (!answer.ok) {
      const problem = content ?? { status: answer.status, title: `the gateway answered ${answer.status}` };
      throw new GatewayRefused(problem, { retryAfter: answer.headers.get("retry-after") });
    }
    if (content === null) throw new BadDocument("the gateway's answer is no JSON", { whom: "the gateway" });
    return content;
  }
}

/** What an answer holds; throws BadDocument for what is no JSON, TransportError where it breaks off. */
async function contentOf(answer) {
  try {
    return await answer.json();
  } catch (error) {
    if (error instanceof SyntaxError) throw new BadDocument("the gateway's answer is no JSON", { whom: "the gateway" });
    throw new TransportError("the gateway's answer broke off", { hint: error.name });
  }
}

/** The check characters of a key or card, for comparing by telephone. */
export function shortCode(bytes) {
  return encodeBase64url(bytes).slice(0, 12);
}

function envelopes(list) {
  if (!Array.isArray(list)) throw new BadDocument("the gateway's answer lacks documents");
  return list.map((json) => new Envelope(json));
}

function optional(json) {
  return json === null || json === undefined ? null : new Envelope(json);
}
