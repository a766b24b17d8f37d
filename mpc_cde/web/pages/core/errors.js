// What can go wrong, by whose fault. `message` is for people who look closer; pages say it in their own words.

export class MpcCdeError extends Error {
  /** `said` names the sentence that a page says, `values` what stands in it; without one the headline has to do. */
  constructor(message, { whom = null, hint = null, said = null, values = {} } = {}) {
    super(message);
    this.name = this.constructor.name;
    this.whom = whom;
    this.hint = hint;
    this.said = said === null ? [] : [{ code: said, values, text: message }];
  }

  get code() {
    return this.constructor.name;
  }
}

/** A document that is not what it must be, byte for byte. */
export class BadDocument extends MpcCdeError {}

/** A signature that is missing or false; `whom` is who should have signed. */
export class BadSignature extends MpcCdeError {}

/** A Merkle proof or a receipt that does not lead to what was signed. */
export class BadProof extends MpcCdeError {}

/** The member's own submission is no part of what was computed; `reason` is one word for why, `refusal` a party's receipt. */
export class NotCounted extends MpcCdeError {
  constructor(message, { reason = "other", refusal = null, ...more } = {}) {
    super(message, more);
    this.reason = reason;
    this.refusal = refusal;
  }
}

/** A figure that the study does not ask for; `nearest` is the closest allowed value, if there is one. */
export class BadFigure extends MpcCdeError {
  constructor(message, { kind = "other", nearest = null, ...more } = {}) {
    super(message, more);
    this.kind = kind;
    this.nearest = nearest;
  }
}

/** Parameters, lengths and ranges that cannot be. */
export class OutOfRange extends MpcCdeError {}

/** Something the caller asked for that cannot be done. */
export class CallerError extends MpcCdeError {}

/** The gateway did not answer, or not in time. */
export class TransportError extends MpcCdeError {}

/** The gateway refused; `problem` is its problem document (RFC 9457). */
export class GatewayRefused extends MpcCdeError {
  constructor(problem, { retryAfter = null } = {}) {
    const detail = problem.detail || problem.title || `status ${problem.status}`;
    super(detail, { hint: problem.hint ?? null, said: problem.code ?? null, values: problem.values ?? {} });
    this.problem = problem;
    this.retryAfter = retryAfter;
  }

  /** The stable last part of the problem's type, such as "not-found". */
  get kind() {
    return String(this.problem.type ?? "").replace("urn:mpc-cde:problem:", "");
  }
}
