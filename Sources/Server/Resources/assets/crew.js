// The crew's page: big buttons, and nothing lost in a dead zone. Every press and every position is on the phone
// before it is sent, and is sent in order when the link is back.

import { all, get, serverNow } from './api.js';
import { ask } from './ask.js';
import { announce, byId, el, fill, show, text } from './dom.js';
import { Positions } from './crew-positions.js';
import { follow } from './feed.js';
import { brief, wireNow } from './format.js';
import { Outbox } from './outbox.js';
import { me } from './shell.js';
import { load as kept, save as keep } from './store.js';
import { label, sentence, t } from './texts.js';
import { milestoneName, nameFacilities, route } from './trips.js';

const sequence = ['acknowledged', 'enRoute', 'atScene', 'patientContact', 'departed', 'atDestination', 'handedOver', 'available', 'atBase'];
const exits = ['stoodDown', 'noPatient', 'refused', 'treatedNotTransported', 'diverted', 'brokeDown', 'died'];
const keptTrips = `keep.${me.id}.trips`;
const outbox = new Outbox(me.id);
let trips = kept(keptTrips) ?? [];
let fresh = false;
let chosen;
let advice;

const positions = new Positions(outbox, me.id, (words, bad) => {
  text(byId('gps'), words);
  byId('gps').classList.toggle('bad', Boolean(bad));
  byId('share').setAttribute('aria-pressed', String(positions.on));
  text(byId('share'), t(positions.on ? 'crew.stopSharing' : 'crew.share'));
});

// ---- what is under way ----

/** After handover two steps remain; a crew that never presses them is not shown the trip for ever. */
function unfinished(trip) {
  if (!trip.closed) return true;
  const step = (name) => trip.milestones?.find((one) => one.milestone === name);
  return Boolean(step('handedOver')) && !step('atBase') && serverNow() - Date.parse(step('handedOver').at) < 3 * 3_600_000;
}

/** Answers overtake one another on a bad link: of a trip the later version counts. */
function latest(trip) {
  const known = trips.find((one) => one.id === trip.id);
  return known?.version > trip.version ? known : trip;
}

async function load() {
  try {
    const answer = await all('/trips', {}, 50);
    trips = answer.map(latest).filter(unfinished);
    await nameFacilities(trips);
    fresh = true;
    // For a reload in a dead zone: the trip's course, and nobody's name or home.
    keep(keptTrips, trips.map(({ id, state, vehicleLabel, priority, destination, milestones, allowed, closed, consultId }) =>
      ({ id, state, vehicleLabel, priority, destination, milestones, allowed, closed, consultId })));
  } catch (problem) {
    if (problem.status === undefined) throw problem;
    fresh = false;
    if (!problem.passing && problem.status !== 401) fill(byId('crew-problem'), el('p', { class: 'notice bad' }, sentence(problem)));
  }
  draw();
}

function draw() {
  if (!trips.some((trip) => trip.id === chosen)) chosen = trips.length === 1 ? trips[0].id : undefined;
  show(byId('no-trip'), trips.length === 0);
  show(byId('trips'), trips.length > 1);
  fill(byId('trips'), trips.map((trip) => el('li', { class: 'row', testid: 'trip-row', data: { id: trip.id } },
    el('button', { type: 'button', class: 'row-link', 'aria-pressed': String(trip.id === chosen), data: { key: trip.id }, on: { click: () => { chosen = trip.id; draw(); } } },
      el('span', { class: 'row-title' }, trip.vehicleLabel ?? t('trip.noVehicle')), el('span', { class: 'row-sub' }, route(trip))))));
  const trip = trips.find((one) => one.id === chosen);
  show(byId('trip'), Boolean(trip));
  // From handover on nobody follows the vehicle any more.
  positions.follow(trip?.closed ? undefined : trip?.id);
  show(byId('share'), !trip?.closed);
  if (trip) drawTrip(trip);
  drawOutbox();
}

/** What the server has and what this phone still holds, by milestone. */
function done(trip) {
  const times = new Map((trip.milestones ?? []).map((one) => [one.milestone, { at: one.at, sent: true }]));
  for (const entry of outbox.entries('milestone')) {
    if (entry.trip === trip.id && !entry.problem) times.set(entry.body.milestone, { at: entry.body.at, sent: false });
  }
  return times;
}

function drawTrip(trip) {
  text(byId('trip-title'), [trip.vehicleLabel ?? t('trip.noVehicle'), label('priority', trip.priority)].join(' · '));
  text(byId('trip-where'), route(trip));
  const times = done(trip);
  const furthest = Math.max(-1, ...[...times.keys()].map((name) => sequence.indexOf(name)));
  const next = sequence[furthest + 1];
  fill(byId('milestones'), sequence.map((name) => milestoneButton(trip, name, times.get(name), name === next)));
  fill(byId('exits'), exits.filter((name) => mayNow(trip, name, times)).map((name) => milestoneButton(trip, name, times.get(name), false)));
  drawAdvice(trip);
}

/** With a fresh answer and nothing unsent the server's list counts; without a link a crew may record what happened. */
function mayNow(trip, name, times) {
  const unsent = [...times.values()].some((one) => !one.sent);
  return !fresh || unsent || !trip.allowed || trip.allowed.includes(name);
}

function milestoneButton(trip, name, time, next) {
  const words = [el('span', {}, milestoneName(name)),
    time ? el('small', {}, `${brief(time.at)} · ${t(time.sent ? 'crew.sent' : 'crew.kept')}`) : null];
  return el('button', {
    type: 'button', class: `milestone ${time ? 'done' : next ? 'next' : ''}`, testid: `milestone-${name}`,
    disabled: Boolean(time) || !mayNow(trip, name, done(trip)), data: { key: name, sent: time ? String(time.sent) : '' },
    on: { click: () => press(trip, name, next) },
  }, words);
}

async function press(trip, name, next) {
  const at = wireNow();
  // The next step goes by one press; anything else is asked for once, since gloves and bumps press too.
  if (!next && !await ask(t('crew.ask', { name: milestoneName(name) }))) return;
  fill(byId('crew-problem'));
  if (!outbox.add({ kind: 'milestone', trip: trip.id, path: `/trips/${trip.id}/milestones`, body: { milestone: name, at } })) {
    fill(byId('crew-problem'), el('p', { class: 'notice bad' }, t('crew.full')));
  }
  navigator.vibrate?.(60);
  announce(t('crew.recorded', { name: milestoneName(name) }));
  draw();
}

async function drawAdvice(trip) {
  if (trip.consultId && fresh && advice?.id !== trip.consultId) {
    advice = { id: trip.consultId };
    advice.consult = await get(`/consults/${encodeURIComponent(trip.consultId)}`).catch(() => null);
  }
  const outcome = advice?.id === trip.consultId ? advice?.consult?.outcome : null;
  fill(byId('advice'), outcome?.recommendation
    ? el('div', { class: 'card' }, el('h3', {}, t('crew.advice')), el('p', { class: 'prose' }, outcome.recommendation)) : null);
}

// ---- what is not yet sent ----

function drawOutbox() {
  const count = outbox.count;
  text(byId('outbox-count'), String(count));
  text(byId('outbox-text'), count === 0 ? t('crew.allSent') : t(outbox.stopped === 'signed-out' ? 'crew.unsentSignIn' : outbox.stopped ? 'crew.unsentNoLink' : 'crew.unsent'));
  byId('outbox-state').dataset.state = count === 0 ? 'clear' : outbox.stopped ?? 'sending';
  const refused = outbox.entries('milestone').filter((entry) => entry.problem);
  if (refused.length) {
    fill(byId('crew-problem'), refused.map((entry) => el('p', { class: 'notice bad', testid: 'refused' },
      `${milestoneName(entry.body.milestone)}: ${sentence(entry.problem)} `,
      el('button', { type: 'button', class: 'quiet', on: { click: () => { outbox.drop(entry.id); fill(byId('crew-problem')); draw(); } } }, t('app.close')))));
  }
}

outbox.addEventListener('change', drawOutbox);
outbox.addEventListener('sent', ({ detail: { entry, answer } }) => {
  if (entry.kind !== 'milestone') return;
  // The answer is the trip when the server gives it; else it is asked for.
  if (answer?.id === entry.trip) trips = trips.map((trip) => (trip.id === answer.id ? latest(answer) : trip)).filter(unfinished);
  else refresh();
  draw();
});
outbox.addEventListener('refused', ({ detail: { entry } }) => {
  // A position that the server will not have (the trip is over) is of no more use to anybody.
  if (entry.kind === 'positions') outbox.drop(entry.id);
  refresh();
});

byId('share').addEventListener('click', () => positions.toggle());
draw();
const { refresh } = follow({ types: 'trip.*' }, load);
outbox.wake();
