// The specialist's day: requests that wait for an answer, the consults taken on, and the calendar.

import { get, insist, post, query } from './api.js';
import { Alarm } from './alarm.js';
import { announce, button, byId, el, fill, show, text } from './dom.js';
import { consultRow, isOverdue, openStates, startClocks } from './chips.js';
import { follow } from './feed.js';
import { addDays, day, dayStart, time, weekday } from './format.js';
import { uuid7 } from './ids.js';
import { attempt, loading, me } from './shell.js';
import { label, t } from './texts.js';

const urgencies = ['emergency', 'urgent', 'sameDay', 'routine'];
const alarm = new Alarm();
let requests = [];
let shown = day();

async function accept(consult) {
  const key = uuid7();
  const taken = await attempt(byId('request-problem'), () => insist(() => post(`/consults/${consult.id}/accept`, {}, { key })));
  if (!taken) return refresh();
  announce(t('done.accept'));
  location.assign(`/consults/${encodeURIComponent(consult.id)}`);
  return undefined;
}

const { refresh } = follow({ types: 'consult.*,schedule.changed' }, () => loading(async () => {
  const [asked, own] = await Promise.all([get(`/consults${query({ state: 'requested', limit: 100 })}`), mine()]);
  requests = asked.items.filter((consult) => consult.state === 'requested')
    .sort((one, other) => urgencies.indexOf(one.urgency) - urgencies.indexOf(other.urgency) || one.requestedAt.localeCompare(other.requestedAt));
  fill(byId('requests'), requests.map((consult) => consultRow(consult, { testid: 'request-row' },
    consult.allowed?.includes('accept') === false ? null
      : el('span', { class: 'buttons' }, button(t('transition.accept'), () => accept(consult), { class: 'primary', testid: 'accept', data: { key: `accept-${consult.id}` } })))));
  show(byId('requests-empty'), requests.length === 0);
  fill(byId('mine'), own.map((consult) => consultRow(consult)));
  show(byId('mine-empty'), own.length === 0);
  ring();
  await drawDay();
}));

async function mine() {
  if (!me.practitionerId) return [];
  const { items } = await get(`/consults${query({ practitioner: me.practitionerId, state: openStates, limit: 100 })}`);
  return items.sort((one, other) => (one.appointment?.start ?? one.requestedAt).localeCompare(other.appointment?.start ?? other.requestedAt));
}

async function drawDay() {
  text(byId('day-name'), weekday(dayStart(shown)));
  if (!me.practitionerId) return fill(byId('schedule'), el('li', { class: 'empty' }, t('specialist.noPractitioner')));
  const wanted = shown;
  const { items } = await get(`/practitioners/${encodeURIComponent(me.practitionerId)}/schedule${query({ from: dayStart(wanted), to: dayStart(addDays(wanted, 1)) })}`);
  // The day was turned meanwhile: an old answer must not stand under a new date.
  if (wanted !== shown) return undefined;
  return fill(byId('schedule'), items.length === 0 ? el('li', { class: 'empty' }, t('specialist.noHours')) : items.map(hour));
}

function hour(item) {
  const when = el('span', { class: 'when' }, `${time(item.start)}–${time(item.end)}`);
  const words = item.kind === 'appointment' ? item.patientName ?? t('specialist.appointment') : label('busyness', item.kind);
  return el('li', { class: `hour ${item.kind}`, testid: 'schedule-item', data: { kind: item.kind } }, when,
    item.consultId ? el('a', { href: `/consults/${encodeURIComponent(item.consultId)}`, data: { key: item.consultId } }, words) : el('span', {}, words));
}

function turn(to) {
  shown = to;
  return loading(drawDay);
}

byId('day-before').addEventListener('click', () => turn(addDays(shown, -1)));
byId('day-today').addEventListener('click', () => turn(day()));
byId('day-after').addEventListener('click', () => turn(addDays(shown, 1)));

const ring = () => alarm.update(requests.filter(isOverdue).map((consult) => consult.id));
startClocks(ring);
