// A new request. It lives on the device from the first letter until the server has it.

import { announce, byId, onSubmit, show, text } from './dom.js';
import { bindDraft, Draft, fillForm, formValues } from './draft.js';
import { facilityPicker } from './facility-picker.js';
import { clearErrors, markField, readForm, showProblem } from './forms.js';
import { time, wireNow } from './format.js';
import { uuid7 } from './ids.js';
import { Outbox } from './outbox.js';
import { showOutbox } from './outbox-list.js';
import { me } from './shell.js';
import { t } from './texts.js';

const form = byId('consult');
const draft = new Draft(me.id, 'consult');
const outbox = new Outbox(me.id);
let submitted;

// Only somebody who works for several places is asked which one.
const pickStation = facilityPicker(byId('stationId'), { kind: 'station' });
show(byId('station-field'), document.body.dataset.stations !== '1');

const typed = formValues(form);
bindDraft(form, draft, {
  kept(ok, at, restored) {
    const words = !ok ? t('new.notKept') : t(restored ? 'new.restored' : 'new.kept', { time: time(new Date(at)) });
    text(byId('draft-state'), words);
    byId('draft-state').classList.toggle('bad', !ok);
  },
});
// What was typed before this script came is newer than what was kept, and is kept from now on.
if (Object.keys(typed).length > 0) {
  fillForm(form, typed);
  form.dispatchEvent(new Event('input'));
}
showOutbox(outbox, (entry) => {
  if (draft.content && !confirm(t('new.replaceDraft'))) return;
  form.reset();
  bringBack(entry);
});

onSubmit(form, () => {
  clearErrors(form);
  if (!complete()) return;
  const body = { id: uuid7(), ...readForm(form) };
  const station = pickStation();
  // The field holds a name to read; the body wants the code.
  delete body.stationId;
  if (station) body.stationId = station.id;
  if (body.consent) body.consent.at = wireNow();
  if (body.vitals) body.vitals.at = wireNow();
  const values = formValues(form);
  if (!outbox.add({ id: body.id, kind: 'consult', path: '/consults', body, values })) {
    // The device is full: the form stays, and says that it is the only copy.
    text(byId('draft-state'), t('new.notKept'));
    return;
  }
  submitted = body.id;
  draft.clear();
  form.reset();
  show(form, false);
  text(byId('draft-state'), '');
  announce(t('outbox.saved'));
});

/** The few things without which no server would take it; the rest is the server's to say. */
function complete() {
  let ok = true;
  for (const field of form.querySelectorAll('[required]')) {
    const missing = field.type === 'radio' ? !form.querySelector(`[name="${field.name}"]:checked`) : field.value.trim() === '';
    if (!missing || form.querySelector(`[aria-invalid][name="${field.name}"]`)) continue;
    markField(field, t('error.required'));
    if (ok) field.focus();
    ok = false;
  }
  if (!byId('patient-name').value.trim() && !form.querySelector('[name="/patient/temporary"]').checked) {
    markField(byId('patient-name'), t('error.nameOrTemporary'));
    if (ok) byId('patient-name').focus();
    ok = false;
  }
  return ok;
}

function bringBack(entry) {
  submitted = undefined;
  fillForm(form, entry.values);
  draft.keep(entry.values);
  outbox.drop(entry.id);
  show(form, true);
  if (entry.problem) showProblem(form, entry.problem);
}

// Gone from the outbox means that the server has it, also when another tab was the one that sent it.
outbox.addEventListener('change', () => {
  if (!submitted || outbox.entries('consult').some((entry) => entry.id === submitted)) return;
  announce(t('outbox.sent'));
  location.assign(`/consults/${encodeURIComponent(submitted)}`);
});
outbox.addEventListener('refused', ({ detail }) => {
  if (detail.entry.kind === 'consult' && !draft.content) bringBack({ ...detail.entry, problem: detail.problem });
});

byId('discard').addEventListener('click', () => {
  if (!confirm(t('new.discardAsk'))) return;
  draft.clear();
  form.reset();
  clearErrors(form);
  text(byId('draft-state'), t('new.draftHint'));
});
outbox.wake();
