// The access log, for the auditor: who looked at what, when.

import { get, query } from './api.js';
import { byId, el, fill, onSubmit, show, text, whileBusy } from './dom.js';
import { dateTime, timeWithSeconds, date } from './format.js';
import { loading } from './shell.js';
import { label, t } from './texts.js';

const form = byId('search');
let next;
let count = 0;
let latest = 0;

async function load(after) {
  const turn = latest += 1;
  const values = Object.fromEntries(new FormData(form));
  const page = await get(`/access-log${query({ person: values.person.trim(), subject: values.subject.trim(), limit: 100, after })}`);
  // An answer that was overtaken by a newer question is dropped.
  if (turn !== latest) return;
  next = page.next;
  count = (after ? count : 0) + page.items.length;
  if (!after) fill(byId('entries'));
  byId('entries').append(...page.items.map(row));
  text(byId('audit-count'), t(next ? 'audit.countMore' : 'audit.count', { n: count }));
  show(byId('audit-more'), Boolean(next));
}

function row(entry) {
  return el('tr', { testid: 'access-row', data: { seq: entry.seq } },
    el('td', {}, String(entry.seq)),
    el('td', {}, el('time', { datetime: entry.at, title: dateTime(entry.at) }, `${date(entry.at)} ${timeWithSeconds(entry.at)}`)),
    el('td', {}, filterLink(entry.personName ?? entry.personId, 'audit-person', entry.personId)),
    el('td', {}, label('action', entry.action)),
    el('td', {}, filterLink(entry.subject, 'audit-subject', entry.subject)),
    el('td', {}, entry.facility ?? ''));
}

/** A press narrows the search to this person or this record. */
function filterLink(words, field, value) {
  if (!value) return words ?? '';
  return el('button', { type: 'button', class: 'link', on: { click: () => { byId(field).value = value; loading(() => load()); } } }, words);
}

onSubmit(form, () => whileBusy(form.querySelector('.primary'), () => loading(() => load())));
byId('audit-more').addEventListener('click', (event) => whileBusy(event.currentTarget, () => loading(() => load(next))));
loading(() => load());
