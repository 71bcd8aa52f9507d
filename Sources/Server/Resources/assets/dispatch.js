// The dispatcher's desk: requests that run out of time, trips under way, the map.

import { all, get, query } from './api.js';
import { Alarm } from './alarm.js';
import { byId, el, fill, show } from './dom.js';
import { consultRow, isOverdue, openStates, startClocks } from './chips.js';
import { follow } from './feed.js';
import { makeMap } from './map.js';
import { loading } from './shell.js';
import { label, t } from './texts.js';
import { TripForm } from './trip-form.js';
import { TripPanel } from './trip-panel.js';
import { ageText, isStale, learnFacilities, milestoneName, nameFacilities, route, TripBoard } from './trips.js';

const board = new TripBoard();
const alarm = new Alarm();
let requests = [];
let map;

const form = new TripForm(async (trip) => {
  await refresh();
  panel.open(trip.id);
});
const panel = new TripPanel(() => refresh());

const { refresh } = follow({ types: 'consult.*,trip.*' }, () => loading(async () => {
  const [consults, trips] = await Promise.all([get(`/consults${query({ state: openStates, limit: 500 })}`), board.load()]);
  requests = consults.items.filter((consult) => consult.state === 'requested')
    .sort((one, other) => (one.dueAt ?? '9').localeCompare(other.dueAt ?? '9'));
  form.offer(consults.items);
  drawRequests();
  await nameFacilities(trips);
  fill(byId('trips'), trips.map(row));
  show(byId('trips-empty'), trips.length === 0);
  board.draw(map);
  if (panel.id) await panel.open(panel.id);
}), {
  volatile(event) {
    if (event.type === 'trip.position' && board.move(event)) board.draw(map);
  },
});

let overdueNow = '';

function drawRequests() {
  overdueNow = requests.filter(isOverdue).map((consult) => consult.id).join();
  fill(byId('overdue'), requests.map((consult) => consultRow(consult, { testid: isOverdue(consult) ? 'overdue-row' : 'request-row' })));
  show(byId('overdue-empty'), requests.length === 0);
  alarm.update(overdueNow.split(',').filter(Boolean));
}

function row(trip) {
  return el('li', { class: 'row', testid: 'trip-row', data: { id: trip.id, state: trip.state } },
    el('button', { type: 'button', class: 'row-link', data: { key: trip.id }, on: { click: () => panel.open(trip.id) } },
      el('span', { class: 'row-title' }, trip.vehicleLabel ?? t('trip.noVehicle')),
      el('span', { class: 'row-sub' }, route(trip))),
    el('span', { class: 'chips' }, el('span', { class: `chip urgency ${trip.priority}` }, label('priority', trip.priority)),
      el('span', { class: 'chip' }, milestoneName(trip.state)),
      el('span', { class: 'chip age', data: { trip: trip.id }, testid: 'position-age' }, age(trip))));
}

const age = (trip) => (trip.position ? ageText(trip.position) : t('trip.noPosition'));

startClocks(() => {
  // A limit that passes while the page is open alarms at once.
  if (requests.filter(isOverdue).map((consult) => consult.id).join() !== overdueNow) drawRequests();
  for (const chip of document.querySelectorAll('.age[data-trip]')) {
    const trip = board.trips.get(chip.dataset.trip);
    if (!trip) continue;
    chip.classList.toggle('stale', Boolean(trip.position && isStale(trip.position)));
    const words = age(trip);
    if (chip.textContent !== words) chip.textContent = words;
  }
  board.draw(map);
});

map = await makeMap('map');
if (map) {
  map.map.on('click', ({ latlng }) => { if (form.isOpen) form.point(latlng.lat, latlng.lng); });
  board.draw(map);
  await loading(async () => {
    const places = await all('/facilities', {}, 1000);
    learnFacilities(places);
    map.showFacilities(places);
  });
}
