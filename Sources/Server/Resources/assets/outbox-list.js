// Shows the unsent requests of this person: "saved on this phone", "sending", "refused".

import { button, byId, el, fill, show } from './dom.js';
import { brief } from './format.js';
import { label, sentence, t } from './texts.js';

/** `edit(entry)` brings a refused or waiting request back into the form. */
export function showOutbox(outbox, edit) {
  const draw = () => {
    const entries = outbox.entries('consult');
    show(byId('outbox'), entries.length > 0);
    fill(byId('outbox-list'), entries.map((entry) => row(outbox, entry, edit)));
  };
  outbox.addEventListener('change', draw);
  outbox.addEventListener('refused', draw);
  draw();
}

function row(outbox, entry, edit) {
  const state = outbox.state(entry);
  return el('li', { class: `row outbox ${state}`, testid: 'outbox-row', data: { id: entry.id, state } },
    el('span', { class: 'row-link' },
      el('span', { class: 'row-title' }, entry.body.patient?.name ?? t('patient.temporary')),
      el('span', { class: 'row-sub' }, label('specialty', entry.body.specialty), ' · ', label('urgency', entry.body.urgency), ' · ', brief(new Date(entry.at)))),
    el('span', { class: 'chips' }, el('span', { class: `chip send ${state}`, testid: 'outbox-state' }, t(`outbox.${state}`))),
    state === 'saved' && outbox.stopped ? el('p', { class: 'row-note' }, t(`outbox.${outbox.stopped === 'signed-out' ? 'signedOut' : 'waiting'}`)) : null,
    state === 'refused' ? el('p', { class: 'row-note bad' }, sentence(entry.problem)) : null,
    state === 'sending' ? null : el('span', { class: 'buttons' },
      state === 'saved' ? button(t('outbox.sendNow'), () => outbox.wake(), { data: { key: `send-${entry.id}` }, testid: 'send-now' }) : null,
      state === 'refused' ? button(t('outbox.edit'), () => edit(entry), { data: { key: `edit-${entry.id}` }, testid: 'edit-refused' }) : null));
}
