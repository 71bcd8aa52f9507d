// The outcome: written into a draft that survives, sent once, read again before it is signed.

import { get, insist, post, request } from './api.js';
import { announce, button, byId, el, fill, onSubmit, show, text, whileBusy } from './dom.js';
import { bindDraft, Draft, fillForm, formValues } from './draft.js';
import { clearErrors, markField, readForm, showProblem } from './forms.js';
import { dateTime, time, toLocal } from './format.js';
import { uuid7 } from './ids.js';
import { attempt, me } from './shell.js';
import { label, t } from './texts.js';

const form = byId('outcome-form');

export class Outcome {
  /** `changed()` loads the consult anew; `etag()` is of the version on the page. */
  constructor(changed, etag) {
    this.changed = changed;
    this.etag = etag;
    byId('add-diagnosis').addEventListener('click', () => addDiagnosis().querySelector('input').focus());
    byId('add-issue').addEventListener('click', () => addIssue().querySelector('textarea').focus());
    byId('sign').addEventListener('click', (event) => whileBusy(event.currentTarget, () => this.sign()));
    onSubmit(form, () => whileBusy(byId('conclude'), () => this.send()));
  }

  update(consult) {
    this.consult = consult;
    const writes = consult.allowed.includes('conclude') ? 'conclude' : null;
    if (writes && this.writing !== `conclude ${consult.id}`) this.begin('conclude');
    if (!writes && !(this.writing?.startsWith('amend') && consult.allowed.includes('amend'))) this.end();
    this.showOutcome(consult);
  }

  begin(kind) {
    this.release?.();
    this.kind = kind;
    this.writing = `${kind} ${this.consult.id}`;
    this.draft = new Draft(me.id, `outcome.${this.consult.id}.${kind}${kind === 'amend' ? this.consult.outcome.version : ''}`);
    this.key = uuid7();
    form.reset();
    fill(byId('diagnoses'));
    fill(byId('issues'));
    show(byId('reason-field'), kind === 'amend');
    byId('amend-reason').disabled = kind !== 'amend';
    text(byId('form-title'), t(kind === 'amend' ? 'outcome.amendTitle' : 'outcome.write'));
    text(byId('conclude'), t(kind === 'amend' ? 'outcome.saveAmend' : 'transition.conclude'));
    if (kind === 'amend' && !this.draft.content) prefill(this.consult.outcome);
    this.release = bindDraft(form, this.draft, {
      grow: (names) => growRows(names),
      kept: (ok, at, restored) => text(byId('outcome-draft'), !ok ? t('new.notKept') : t(restored ? 'new.restored' : 'new.kept', { time: time(new Date(at)) })),
    });
    if (!byId('diagnoses').hasChildNodes()) addDiagnosis();
    show(form, true);
  }

  end() {
    this.release?.();
    this.release = undefined;
    this.writing = undefined;
    show(form, false);
  }

  async send() {
    clearErrors(form);
    if (!complete()) return;
    const body = readForm(form);
    const main = form.querySelector('[name="main"]:checked')?.value;
    body.diagnoses = diagnosisRows().map((row) => ({
      code: row.querySelector('input[data-code]').value.trim().toUpperCase(), main: row.dataset.row === main,
    })).filter(({ code }) => code);
    try {
      await insist(() => post(`/consults/${this.consult.id}/${this.kind}`, body, { key: this.key }), {
        waiting: () => text(byId('outcome-draft'), t('outcome.retrying')),
      });
    } catch (problem) {
      if (problem.status === undefined) throw problem;
      // A body that is mended is another request; one that only met a dead link is the same.
      if (!problem.passing) this.key = uuid7();
      showProblem(form, problem);
      text(byId('outcome-draft'), t('outcome.notSent'));
      return;
    }
    announce(t(`done.${this.kind}`));
    this.end();
    this.draft.clear();
    await this.changed();
    byId('outcome').scrollIntoView({ block: 'start' });
  }

  showOutcome(consult) {
    const { outcome } = consult;
    show(byId('outcome'), Boolean(outcome));
    show(byId('sign-box'), consult.allowed.includes('sign'));
    if (!outcome) return undefined;
    fill(byId('outcome-body'), written(outcome));
    const { signature } = outcome;
    // A crew sees the advice alone, and is told nothing about signatures.
    if (signature === undefined) return fill(byId('signature'));
    return fill(byId('signature'),
      signature
        ? el('div', { class: 'signature', testid: 'signature' },
          el('p', {}, t('outcome.signed', { version: outcome.version, time: dateTime(signature.signedAt) })),
          el('p', {}, t('outcome.by', { name: signature.signedByName ?? this.nameOf(signature.signedBy) })),
          el('p', { class: 'hash', testid: 'sha256' }, signature.sha256),
          globalThis.crypto?.subtle ? button(t('outcome.check'), () => this.check(consult, outcome), { class: 'quiet', testid: 'check-signature', data: { key: 'check' } }) : null)
        : el('p', { class: 'notice', testid: 'unsigned' }, t('outcome.unsigned')),
      consult.allowed.includes('amend') ? button(t('transition.amend'), () => this.begin('amend'), { testid: 'amend', data: { key: 'amend' } }) : null);
  }

  nameOf(person) {
    return person === this.consult.practitionerId || person === me.id ? this.consult.practitionerName ?? person : person;
  }

  /** Signs what is on the page: had it changed meanwhile, the server refuses by the ETag and the page shows the newer. */
  async sign() {
    const answer = await attempt(byId('sign-problem'), () => request('POST', `/consults/${this.consult.id}/sign`, { body: {}, key: uuid7(), ifMatch: this.etag() }));
    if (answer) announce(t('done.sign'));
    await this.changed();
  }

  /** Hashes the signed bytes here, in this browser, and compares. */
  async check(consult, outcome) {
    await attempt(byId('sign-problem'), async () => {
      const { body } = await request('GET', `/consults/${consult.id}/outcome/${outcome.version}`, { raw: true });
      const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(body));
      const hex = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
      const same = hex === outcome.signature.sha256;
      fill(byId('sign-problem'), el('p', { class: `notice ${same ? 'good' : 'bad'}`, role: 'status', testid: 'check-result', data: { same: String(same) } },
        t(same ? 'outcome.same' : 'outcome.different')));
    });
  }
}

function written(outcome) {
  const part = (key, value, testid) => (value ? [el('h3', {}, t(key)), el('p', { class: 'prose', testid }, value)] : null);
  return [
    outcome.reason ? part('field.amendReason', outcome.reason) : null,
    part('field.summary', outcome.summary, 'outcome-summary'),
    outcome.diagnoses ? el('h3', {}, t('field.diagnoses')) : null,
    el('ul', {}, (outcome.diagnoses ?? []).map(({ code, main }) => el('li', {}, el('b', {}, code), main ? ` · ${t('outcome.main')}` : ''))),
    part('field.disposition', label('disposition', outcome.disposition), 'outcome-disposition'),
    part('field.recommendation', outcome.recommendation, 'outcome-recommendation'),
    outcome.issues?.length ? [el('h3', {}, t('field.issues')), el('dl', { class: 'facts' }, outcome.issues.map(({ question, conclusion }) => [el('dt', {}, question), el('dd', {}, conclusion)]))] : null,
    part('field.followUpAt', outcome.followUpAt ? dateTime(outcome.followUpAt) : null),
    outcome.concludedAt && el('p', { class: 'hint' }, t('outcome.concludedAt', { time: dateTime(outcome.concludedAt), version: outcome.version })),
  ];
}

const diagnosisRows = () => [...byId('diagnoses').children];
let rowNumber = 0;

function addDiagnosis(number = rowNumber) {
  rowNumber = Math.max(rowNumber, number + 1);
  const first = !byId('diagnoses').hasChildNodes();
  const row = el('div', { class: 'inline', data: { row: String(number) } },
    el('div', { class: 'field' },
      el('label', { for: `diagnosis-${number}` }, t('field.icd')),
      el('input', { id: `diagnosis-${number}`, name: `/diagnoses/${number}/code`, placeholder: 'I21.0', autocapitalize: 'characters', autocomplete: 'off', data: { code: '' }, testid: 'field-diagnosis-code', class: 'short' })),
    el('label', { class: 'check' }, el('input', { type: 'radio', name: 'main', value: String(number), checked: first, testid: 'field-diagnosis-main' }), ' ', t('outcome.main')),
    first ? null : button(t('app.remove'), () => removeRow(row), { class: 'quiet' }));
  byId('diagnoses').append(row);
  return row;
}

function addIssue(number = rowNumber) {
  rowNumber = Math.max(rowNumber, number + 1);
  const area = (part) => el('div', { class: 'field' }, el('label', { for: `issue-${part}-${number}` }, t(`field.${part}`)),
    el('textarea', { id: `issue-${part}-${number}`, name: `/issues/${number}/${part}`, rows: 2, testid: `field-issue-${part}` }));
  const row = el('div', { class: 'issue' }, area('question'), area('conclusion'), button(t('app.remove'), () => removeRow(row), { class: 'quiet' }));
  byId('issues').append(row);
  return row;
}

function removeRow(row) {
  row.remove();
  if (!form.querySelector('[name="main"]:checked')) form.querySelector('[name="main"]').checked = true;
  form.dispatchEvent(new Event('input'));
}

/** Makes the rows that a kept draft holds values for. */
function growRows(names) {
  const numbers = (start) => [...new Set(names.filter((name) => name.startsWith(start)).map((name) => Number(name.split('/')[2])))].sort((one, other) => one - other);
  for (const number of numbers('/diagnoses/')) addDiagnosis(number);
  for (const number of numbers('/issues/')) addIssue(number);
}

function prefill(outcome) {
  const values = { '/summary': outcome.summary, '/disposition': outcome.disposition, '/recommendation': outcome.recommendation };
  if (outcome.followUpAt) values['/followUpAt'] = toLocal(outcome.followUpAt);
  outcome.diagnoses.forEach(({ code, main }, index) => {
    values[`/diagnoses/${index}/code`] = code;
    if (main) values.main = String(index);
  });
  (outcome.issues ?? []).forEach(({ question, conclusion }, index) => {
    values[`/issues/${index}/question`] = question;
    values[`/issues/${index}/conclusion`] = conclusion;
  });
  growRows(Object.keys(values));
  fillForm(form, values);
}

function complete() {
  let ok = true;
  const required = [...form.querySelectorAll('[required]'), form.querySelector('[data-code]'), ...(byId('amend-reason').disabled ? [] : [byId('amend-reason')])];
  for (const field of required) {
    if (field.value.trim()) continue;
    markField(field, t('error.required'));
    if (ok) field.focus();
    ok = false;
  }
  return ok;
}
