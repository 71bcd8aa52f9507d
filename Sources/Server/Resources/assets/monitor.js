// The monitor: every durable event once and in order, the trips on a map, the numbers.

import { all, get, query } from './api.js';
import { announce, button, byId, el, fill, text } from './dom.js';
import { isOverdue, startClocks } from './chips.js';
import { Feed } from './feed.js';
import { timeWithSeconds } from './format.js';
import { makeMap } from './map.js';
import { loading } from './shell.js';
import { label, t } from './texts.js';
import { isStale, TripBoard } from './trips.js';

const rowsShown = 500;
const board = new TripBoard();
let map;
let feed;
let count = 0;
let disorder = 0;
let consults = [];
const cursors = [];

// Where this window's list began: a reload shows the same list again, from the same cursor.
const begin = { get: () => sessionStorage.getItem('hoichan:monitor') ?? undefined, set: (cursor) => sessionStorage.setItem('hoichan:monitor', cursor) };

function start(after) {
  feed?.close();
  fill(byId('gaps'));
  clear();
  feed = new Feed({ after }, {
    ready: (frame, first) => {
      if (first && !after) begin.set(frame.cursor);
      reload();
    },
    event: show,
    // The feed does not hand it over; it is counted, so that a broken promise is seen.
    disorder: () => { disorder += 1; drawCount(); },
    volatile: (event) => { if (event.type === 'trip.position' && board.move(event)) board.draw(map); },
    gap,
  });
}

function clear() {
  fill(byId('events'));
  cursors.length = 0;
  count = disorder = 0;
  drawCount();
}

function show(event, cursor) {
  count += 1;
  const list = byId('events');
  list.prepend(el('li', { testid: 'event-row', data: { sequence: event.sequence, type: event.type, id: event.id } },
    el('span', { class: 'event-number' }, String(Number(event.sequence))),
    el('time', { datetime: event.time }, timeWithSeconds(event.time)),
    el('b', {}, label('event', event.type)),
    el('code', {}, event.subject),
    el('span', { class: 'event-data' }, summary(event.data))));
  cursors.push(cursor);
  while (list.childElementCount > rowsShown) {
    list.lastElementChild.remove();
    // A reload begins behind what is no longer shown, or a wallboard would read weeks again.
    begin.set(cursors.shift());
  }
  list.start = count;
  drawCount();
  reload();
}

// A trip's state is the milestone that it reached last.
function stateName(state) {
  const known = label('state', state);
  return known === state ? label('milestone', state) : known;
}

function summary(data = {}) {
  const parts = [
    data.urgency && label('urgency', data.urgency), data.specialty && label('specialty', data.specialty),
    data.milestone ? label('milestone', data.milestone) : data.state && stateName(data.state), data.disposition && label('disposition', data.disposition),
  ];
  return parts.filter(Boolean).join(' · ');
}

/** Says what is missing and why, and goes on from the oldest there is: no partial list is shown as whole. */
function gap({ reason, oldest, head }) {
  announce(t(`gap.${reason}`));
  const note = el('p', { class: 'notice bad', testid: 'gap', data: { reason } }, t(`gap.${reason}`), ' ', timeWithSeconds(new Date()), ' ');
  note.append(button(t('app.close'), async () => note.remove(), { class: 'quiet' }));
  byId('gaps').append(note);
  if (reason !== 'too-old') clear();
  const from = reason === 'ahead' ? head : oldest;
  begin.set(from);
  return from;
}

function drawCount() {
  text(byId('event-count'), String(count));
  text(byId('order'), disorder ? t('monitor.disorder', { n: disorder }) : t('monitor.inOrder'));
  byId('order').dataset.disorder = String(disorder);
}

// ---- numbers and map ----

let pending;
function reload() {
  pending ??= setTimeout(async () => {
    pending = undefined;
    await loading(refresh);
  }, 1000);
}

async function refresh() {
  const snapshot = await get(`/snapshot${query({ limit: 500 })}`);
  consults = snapshot.consults.items;
  board.take(snapshot.trips.items);
  drawCounters();
  board.draw(map);
  return snapshot.cursor;
}

/** Numbers, map and list begin at one moment, so that nothing falls between them; without an answer the list alone. */
async function startNow() {
  let cursor;
  await loading(async () => { cursor = await refresh(); });
  if (cursor) begin.set(cursor);
  start(cursor);
}

function drawCounters() {
  const inState = (...states) => consults.filter((consult) => states.includes(consult.state)).length;
  const trips = [...board.trips.values()];
  const numbers = [
    ['requested', inState('requested')], ['overdue', consults.filter(isOverdue).length],
    ['booked', inState('assigned', 'scheduled', 'waiting')], ['inProgress', inState('inProgress', 'interrupted')],
    ['toSign', inState('concluded', 'amended')], ['trips', trips.length],
    ['stale', trips.filter((trip) => trip.position && isStale(trip.position)).length],
  ];
  fill(byId('counters'), numbers.map(([name, value]) =>
    el('div', { class: value && ['overdue', 'stale'].includes(name) ? 'bad' : '' }, el('dt', {}, t(`counter.${name}`)), el('dd', { testid: `counter-${name}` }, String(value)))));
}

byId('from-oldest').addEventListener('click', () => { begin.set('oldest'); start('oldest'); });
byId('from-now').addEventListener('click', () => { sessionStorage.removeItem('hoichan:monitor'); startNow(); });

if (begin.get()) start(begin.get());
else startNow();
// Also when somebody's proxy keeps the socket out.
reload();
startClocks(() => { drawCounters(); board.draw(map); });
setInterval(reload, 30_000);
map = await makeMap('map');
if (map) await loading(async () => map.showFacilities(await all('/facilities', {}, 1000)));
