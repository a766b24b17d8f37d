// A whole study in the browser: tests/vectors/browser.json, from the community on paper.

import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeBase64url as raw, encodeBase64url as b64, sha256, utf8 } from "../../../../mpc_cde/web/pages/core/bytes.js";
import { Envelope, hasSignature, openEnvelope, signDocument } from "../../../../mpc_cde/web/pages/core/envelope.js";
import * as errors from "../../../../mpc_cde/web/pages/core/errors.js";
import { exportResult } from "../../../../mpc_cde/web/pages/core/export.js";
import { FigureColumn, columnsOf } from "../../../../mpc_cde/web/pages/core/figures.js";
import { scriptedRandomBytes } from "../../../../mpc_cde/web/pages/core/randomness.js";
import { itemsOf, permittedFunctions, signQuestion } from "../../../../mpc_cde/web/pages/core/questions.js";
import { csvOfResult } from "../../../../mpc_cde/web/pages/core/result_csv.js";
import { readRecoveryFile, unlockKeys } from "../../../../mpc_cde/web/pages/core/recovery.js";
import { signRead } from "../../../../mpc_cde/web/pages/core/reader.js";
import { askOwnPlace, openOwnPlaces, ownItems } from "../../../../mpc_cde/web/pages/core/own_place.js";
import { openSealed, packSeeds, resultInfo, sealWithInfo, X_WING } from "../../../../mpc_cde/web/pages/core/sealing.js";
import { signerFromSecret } from "../../../../mpc_cde/web/pages/core/signing.js";
import { multipartOf, prepareSubmission } from "../../../../mpc_cde/web/pages/core/submission.js";
import {
  evidenceFrom, findPinned, verifyCommunity, verifyDecisions, verifyResult, verifyStudy, verifyWithdrawalReceipts,
} from "../../../../mpc_cde/web/pages/core/verification.js";
import { canonicalBytes } from "../../../../mpc_cde/web/pages/core/canonical.js";
import { Desk } from "../../../../mpc_cde/web/pages/member/desk.js";
import { standing } from "../../../../mpc_cde/web/pages/member/records.js";
import { studiesView } from "../../../../mpc_cde/web/pages/member/views.js";
import { vectors } from "./vectors.js";

const VECTORS = vectors("browser");
const { fingerprint, good, failing } = VECTORS.evidence;

async function paperStudy() {
  const evidence = evidenceFrom(good);
  const trusted = await verifyCommunity(evidence.communities, fingerprint);
  return verifyStudy(trusted, evidence.study, evidence.approvals, evidence.amendments);
}

async function prepared({ values }) {
  const { submission } = VECTORS;
  const study = await paperStudy();
  const cells = new Map(Object.entries(values));
  return {
    study,
    ...(await prepareSubmission({
      study,
      values: new Map(columnsOf(study.study.terms).map((column) => [column.name, column.parseCells(cells)])),
      membership: openEnvelope(new Envelope(submission.membership), "membership/v1"),
      signer: await signerFromSecret(raw(submission.member_secret)),
      randomBytes: await scriptedRandomBytes(utf8(submission.seed_text)),
    })),
  };
}

test("scripted randomness is Python's", async () => {
  const randomBytes = await scriptedRandomBytes(utf8(VECTORS.scripted.seed_text));
  for (const piece of VECTORS.scripted.pieces) assert.equal(b64(await randomBytes(raw(piece).length)), piece);
});

test("a signed read has Python's headers", async () => {
  const { reader } = VECTORS;
  const signer = await signerFromSecret(raw(reader.secret));
  assert.equal(b64(signer.publicBytes), reader.public);
  const { method, target_uri: targetUri, created } = reader;
  assert.deepEqual(await signRead(signer, { method, targetUri, created, nonce: raw(reader.nonce) }), reader.headers);
});

test("submissions share as Python shares, and every envelope opens", async () => {
  const { submission } = VECTORS;
  for (const one of submission.cases) {
    const { study, document, envelope, correction, sealed } = await prepared(one);
    assert.equal(b64(correction), one.correction);
    assert.equal(document.correction, one.correction_digest);
    assert.deepEqual(document.seed_hashes, one.seed_hashes);
    assert.equal(document.consent, submission.consent_digest);
    const signer = await signerFromSecret(raw(submission.member_secret));
    assert.equal(await hasSignature(envelope, b64(signer.publicBytes)), true);
    for (const { party, sealing_key: key } of study.approvals) {
      const context = { studyTerms: study.termsDigest, member: document.member, sequence: 1, party };
      const plaintext = await openSealed(key.suite, raw(submission.sealing_secrets[party]), sealed[party], context);
      assert.deepEqual(plaintext, packSeeds(one.seeds_of_party[party].map(raw)));
    }
  }
});

test("whatever the figures, bodies differ in correction, its digest and the signature alone", async () => {
  const bodies = [];
  const documents = [];
  for (const one of VECTORS.submission.cases) {
    const result = await prepared(one);
    bodies.push(multipartOf(result).body);
    const { correction, ...rest } = result.document;
    documents.push(JSON.stringify([rest, result.sealed.map(b64)]));
  }
  assert.equal(new Set(bodies.map((body) => body.byteLength)).size, 1);
  assert.equal(new Set(documents).size, 1);
});

test("a figure that was left out, or a key that is not the member's, is refused", async () => {
  await assert.rejects(prepared({ values: { sales: "" } }), errors.BadFigure);
  const { submission } = VECTORS;
  const study = await paperStudy();
  const signer = await signerFromSecret(raw(submission.member_secret));
  const membership = openEnvelope(new Envelope(submission.membership), "membership/v1");
  const common = { study, signer, membership, randomBytes: async (count) => new Uint8Array(count) };
  await assert.rejects(prepareSubmission({ ...common, values: new Map([["sales", null]]) }), errors.CallerError);
  const other = { ...membership, signing_key: membership.register_id };
  await assert.rejects(prepareSubmission({ ...common, membership: other, values: new Map() }), errors.CallerError);
});

test("good evidence is verified down to the own row", async () => {
  const verified = await verifyResult(evidenceFrom(good), fingerprint);
  assert.equal(verified.ownRow, VECTORS.evidence.own_row);
  assert.deepEqual(verified.result.cells[2].values, ["120", "450"]);
  assert.deepEqual(verified.signers, ["Party 0", "Party 1", "Party 2"]);
  assert.equal((await verifyResult(evidenceFrom({ ...good, own: null }), fingerprint)).ownRow, null);
});

test("a member certified again after it submitted finds its row by the membership it was sent with", async () => {
  const { own, roster, checkedRoster } = evidenceFrom(good);
  const gateway = { receipts: async () => own.receipts, proof: async () => own.proof };
  const study = { ...(await paperStudy()), file: { roster, checkedRoster } };
  const desk = new Desk({ gateway, fingerprint });
  const signer = await signerFromSecret(raw(VECTORS.submission.member_secret));
  const newer = await signDocument({ ...openEnvelope(own.membership, "membership/v1"), attributes: {} }, signer);
  desk.membership = { envelope: newer, document: openEnvelope(newer, "membership/v1") };
  const sent = { envelope: good.own.submission, membership: good.own.membership, texts: {} };
  const record = (entry) => standing({ submissions: [entry], withdrawn: 0, used: 1 });
  assert.deepEqual(await desk.counted(study, record(sent)), { row: VECTORS.evidence.own_row, count: openEnvelope(roster, "roster/v1").count });
  const { membership: _, ...before } = sent; // as a record of an earlier version of the page
  await assert.rejects(desk.counted(study, record(before)), errors.BadSignature);
});

test("failing evidence is refused as Python refuses it", async (t) => {
  for (const { why, error, changed } of failing) {
    await t.test(why, () => assert.rejects(
      async () => verifyResult(evidenceFrom({ ...good, ...changed }), fingerprint),
      (found) => found.constructor === errors[error],
    ));
  }
});

test("parties that signed for a withdrawal are named, and nobody else's word is taken", async () => {
  const { withdrawal } = VECTORS;
  const study = await paperStudy();
  const receipts = withdrawal.receipts.map((json) => new Envelope(json));
  const verify = (given) => verifyWithdrawalReceipts(study, withdrawal.digest, given);
  assert.equal(await new Envelope(withdrawal.withdrawal).digest(), withdrawal.digest);
  assert.deepEqual(await verify([receipts[2], receipts[0], receipts[2]]), ["Party 0", "Party 2"]);
  assert.deepEqual(await verify([]), []);
  for (const { why, error, receipt } of withdrawal.failing) {
    await assert.rejects(verify([receipts[1], new Envelope(receipt)]), (found) => found.constructor === errors[error], why);
  }
});

test("another fingerprint is refused", async () => {
  await assert.rejects(verifyResult(evidenceFrom(good), "a".repeat(25)), errors.BadDocument);
});

test("every envelope with one signature's bit flipped is refused", async () => {
  const paths = ["study", "roster", "checked_roster", "query", "asker", "result"];
  for (const name of paths) {
    const [signature, ...others] = good[name].signatures;
    const sig = (signature.sig[0] === "A" ? "B" : "A") + signature.sig.slice(1);
    const altered = { ...good, [name]: { ...good[name], signatures: [{ ...signature, sig }, ...others] } };
    await assert.rejects(async () => verifyResult(evidenceFrom(altered), fingerprint), errors.BadSignature, name);
  }
});

test("a community is followed from the pinned version, and not from another", async () => {
  const versions = [...good.communities, VECTORS.evidence.next_community].map((json) => new Envelope(json));
  const trusted = await findPinned(versions, fingerprint);
  assert.equal(trusted.current.version, 2);
  await assert.rejects(findPinned([versions[1]], fingerprint), errors.BadDocument);
  await assert.rejects(findPinned([], fingerprint), errors.BadDocument);
  const [, next] = versions;
  const unsigned = new Envelope({ ...next.json, signatures: next.json.signatures.slice(1) });
  await assert.rejects(findPinned([versions[0], unsigned], fingerprint), errors.BadSignature);
});

test("cells become figures as Python's client takes them", async (t) => {
  const columns = new Map(VECTORS.form.figures.map((figure) => [figure.name, new FigureColumn(figure)]));
  for (const { figure, cells, value, error, nearest } of VECTORS.form.cases) {
    await t.test(`${figure}: ${JSON.stringify(cells)}`, () => {
      const column = columns.get(figure);
      const take = () => column.parseCells(new Map(Object.entries(cells)));
      if (error === undefined) {
        const found = take();
        const shown = found !== null && column.isCategory ? column.figure.categories[Number(found)] : found;
        assert.equal(shown === null ? null : String(shown), value);
        return;
      }
      assert.throws(take, (found) => (
        found instanceof errors.BadFigure && (nearest === null || String(found.nearest) === nearest)
      ));
    });
  }
});

test("twenty figures are shared in well under a second's work", async () => {
  // counted, not timed: what is drawn does not grow with the figures, and elements are the study's own
  let drawn = 0;
  const randomBytes = async (count) => {
    drawn += count;
    return new Uint8Array(count).fill(drawn % 251);
  };
  const { shareVector } = await import("../../../../mpc_cde/web/pages/core/sharing.js");
  const shared = await shareVector(new BigUint64Array(20 * 121), 3, 1, randomBytes);
  assert.equal(drawn, 3 * 32);
  assert.equal(shared.correction.length, 20 * 121);
});

test("an own place opens for its member alone, and only where the shares agree", async () => {
  const { secret, public: key, member, job, cell, infos, cases } = VECTORS.place;
  const parties = [0, 1, 2];
  assert.deepEqual(parties.map((party) => new TextDecoder().decode(resultInfo(X_WING, { job, member, party, cell }))), infos);
  const randomBytes = await scriptedRandomBytes(utf8("own place"));
  const share = (text) => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(text), true);
    return bytes;
  };
  for (const { shares, place } of cases) {
    const sealed = [];
    for (const party of parties) {
      sealed.push(b64(await sealWithInfo({ suite: X_WING, key }, share(shares[party]), utf8(infos[party]), randomBytes)));
    }
    const result = { job, parties, cells: [{ sealed: null }, { sealed: null }, { sealed }] };
    const open = (changes = {}) => openOwnPlaces({ result, threshold: 1, member, suite: X_WING, secret: raw(secret), ...changes });
    if (place === null) await assert.rejects(open(), errors.BadProof);
    else assert.deepEqual(await open(), [null, null, place]);
    await assert.rejects(open({ secret: new Uint8Array(32) }), errors.BadProof);
    await assert.rejects(open({ result: { ...result, job: b64(new Uint8Array(32)) } }), errors.BadProof);
  }
});

test("the cells of every function, and who may ask for which, are Python's", () => {
  const { terms, terms_digest: digest, items, researchers } = VECTORS.questions;
  terms.functions.forEach((one, at) => assert.deepEqual(itemsOf(one, terms), items[at], one.function));
  for (const { document, permitted } of researchers) {
    const found = permittedFunctions(terms, digest, document).map((one) => terms.functions.indexOf(one));
    assert.deepEqual(found, permitted);
  }
  assert.ok(researchers.some(({ permitted }) => permitted.length > 1) && researchers.some(({ permitted }) => permitted.length === 0));
});

test("a question is byte for byte Python's", async () => {
  const { terms, terms_digest: digest, items, researchers, question } = VECTORS.questions;
  const everything = terms.functions.flatMap((one, at) => (one.scheduled || one.audience === "self" ? [] : items[at]));
  const envelope = await signQuestion({
    studyTerms: digest, items: everything, kind: "researcher", asker: question.asker, signer: await signerFromSecret(raw(question.secret)),
    randomBytes: await scriptedRandomBytes(utf8(question.seed_text)), now: Date.parse(question.now),
  });
  assert.deepEqual(envelope.json, question.envelope);
  assert.equal(researchers.length, 6);
});

test("a member asks for the places that the study tells it, and for no other group's", async () => {
  const { study } = await prepared(VECTORS.submission.cases[0]);
  const place = { ...study.study.terms.functions[0], function: "own_rank@1", audience: "self", by: null };
  const terms = { ...study.study.terms, functions: [...study.study.terms.functions, place, { ...place, by: "size" }] };
  const items = ownItems(terms, { size: "large" });
  assert.deepEqual(items.map(({ group }) => group), [null, { attribute: "size", value: "large" }]);
  const signer = await signerFromSecret(raw(VECTORS.submission.member_secret));
  const randomBytes = async (count) => new Uint8Array(count);
  const asked = { studyTerms: study.termsDigest, items, membership: "A".repeat(43), signer, randomBytes };
  const envelope = await askOwnPlace({ ...asked, now: Date.UTC(2026, 0, 1) });
  assert.equal(openEnvelope(envelope, "query/v1").expires, "2026-01-01T01:00:00Z");
  assert.equal(await hasSignature(envelope, b64(signer.publicBytes)), true);
  await assert.rejects(askOwnPlace({ ...asked, items: [] }), errors.CallerError);
});

test("what a party says to a question counts with its signature, about that question", async () => {
  const study = await paperStudy();
  const ofParty = async (party) => signerFromSecret(await sha256(utf8(`for tests only: sign party ${party}`)));
  const [query, other] = ["A".repeat(43), `${"A".repeat(42)}E`];
  const said = async (party, signer, about = query) => signDocument({
    type: "decision/v1", study_terms: study.termsDigest, query: about, checked_roster: other, party, answer: party ? "no" : "yes",
    rule: "minimum", explanation: `party ${party} said so`,
  }, signer);
  const decisions = [await said(2, await ofParty(2)), await said(0, await ofParty(0))];
  assert.deepEqual(await verifyDecisions(study, query, decisions), [
    { party: 0, name: "Party 0", agrees: true, explanation: "party 0 said so", rule: "minimum" },
    { party: 2, name: "Party 2", agrees: false, explanation: "party 2 said so", rule: "minimum" },
  ]);
  await assert.rejects(verifyDecisions(study, query, [await said(1, await ofParty(0))]), errors.BadSignature);
  await assert.rejects(verifyDecisions(study, query, [await said(1, await ofParty(1), other)]), errors.BadDocument);
});

test("a result as CSV is byte for byte Python's, and no text in it is a formula", () => {
  for (const { result, csv } of VECTORS.csv) assert.equal(csvOfResult(result), csv);
});

test("an exported result is the file that the command line writes, whatever else is signed beside it", async () => {
  const expected = new TextDecoder().decode(canonicalBytes(good));
  const more = { ...good, roster: { ...good.roster, signatures: [good.study.signatures[0], ...good.roster.signatures].reverse() } };
  for (const json of [good, more]) {
    const verified = await verifyResult(evidenceFrom(json), fingerprint);
    assert.equal(new TextDecoder().decode(await exportResult(verified)), expected);
  }
});

test("a recovery file that Python made opens here", async () => {
  const { file, passphrase, signing, sealing } = VECTORS.recovery;
  assert.deepEqual(await unlockKeys(readRecoveryFile(utf8(file)), passphrase), { signing: raw(signing), sealing: raw(sealing) });
});

/** Elements as far as views make them: what they say, and how many can be pressed. */
class Paper {
  constructor(name) {
    Object.assign(this, { name, said: [], buttons: Number(name === "button") });
  }

  addEventListener() {}

  setAttribute() {}

  append(...children) {
    for (const child of children) {
      this.said.push(...(child instanceof Paper ? child.said : [String(child)]));
      this.buttons += child instanceof Paper ? child.buttons : 0;
    }
  }
}

test("a member reads why an open study is not for it, and cannot open it", async (context) => {
  globalThis.document = { createElement: (name) => new Paper(name) };
  context.after(() => delete globalThis.document);
  const study = { ...(await paperStudy()), state: "open" };
  const { title, groups: [{ attribute, values, label }] } = study.study.terms;
  const ruleFor = (held) => Desk.prototype.notEligible.call({ membership: { document: { attributes: held } } }, study);
  assert.equal(ruleFor({ [attribute]: values[0] }), null);
  for (const held of [{}, { [attribute]: "another" }]) assert.equal(ruleFor(held).attribute, attribute);
  const t = Object.assign((key, words = {}) => [key, ...Object.values(words)].join(" | "), { language: "en", has: () => true });
  const page = studiesView({ t, studies: [], others: [{ study, rule: ruleFor({}) }], onOpen: () => assert.fail("opened") });
  assert.equal(page.buttons, 0);
  assert.equal(page.said.at(-1), `studies.not_for_you | ${title} | ${label}`);
  assert.equal(studiesView({ t, studies: [study], others: [], onOpen() {} }).buttons, 1);
});
