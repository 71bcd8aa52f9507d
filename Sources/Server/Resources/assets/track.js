// The family's page: one trip, the age of what is known, and its end. It asks every ten seconds, without a sign-in.

import { request, pause, backOff } from './api.js';
import { announce, byId, el, fill, show, text } from './dom.js';
import { brief, span } from './format.js';
import { makeMap } from './map.js';
import { t } from './texts.js';

const steps = ['requested', 'onTheWay', 'atScene', 'departed', 'arrived'];
const staleAfter = 60;
const secret = location.pathname.split('/')[2];
let trip;
let received = 0;
let failing = false;
let map;
let wasStale = false;

async function poll() {
  for (let attempt = 0; ;) {
    try {
      trip = (await request('GET', `/track/${encodeURIComponent(secret)}.json`)).body;
      // The age runs on this device's steady clock, whatever time it believes it is.
      received = performance.now();
      failing = false;
      attempt = 0;
      if (trip.state === 'ended') return end();
      await draw();
    } catch (problem) {
      if (problem.status === undefined) throw problem;
      if (problem.status === 410) return end();
      if (problem.status === 404) return end('track.unknown');
      failing = true;
      attempt += 1;
      tick();
    }
    await pause(document.hidden ? 30_000 : attempt ? backOff(attempt, 20_000) : 10_000);
  }
}

async function draw() {
  const words = t(`track.${trip.state}`);
  if (byId('state').textContent !== words) {
    text(byId('state'), words);
    announce(words);
  }
  byId('state').dataset.state = trip.state;
  const reached = steps.indexOf(trip.state);
  fill(byId('steps'), steps.map((step, index) => el('li', { class: index < reached ? 'done' : index === reached ? 'here' : '', 'aria-current': index === reached ? 'step' : null }, t(`track.${step}`))));
  text(byId('eta'), trip.eta?.at ? t('track.eta', { time: brief(trip.eta.at) }) : '');
  showPhone(trip.phone);
  show(byId('map'), Boolean(trip.position));
  if (trip.position) {
    map ??= await makeMap('map');
    map?.map.invalidateSize();
    place(true);
  }
  tick();
}

const age = () => trip.position.ageSeconds + (performance.now() - received) / 1000;

function place(frame = false) {
  if (!map || !trip?.position) return;
  const stale = age() >= staleAfter;
  map.place('trip', { lat: trip.position.lat, lon: trip.position.lon, stale, label: t(stale ? 'track.lastSeen' : 'track.ambulance') });
  if (frame && !map.framed) {
    map.framed = true;
    map.frame();
  } else if (frame) {
    map.map.panTo([trip.position.lat, trip.position.lon], { animate: false });
  }
}

/** Once a second: the age goes on, also and above all when no news comes. */
function tick() {
  show(byId('lost'), failing);
  if (!trip) return;
  const words = byId('age');
  if (!trip.position) {
    text(words, t('track.noPosition'));
    return;
  }
  const old = age();
  const stale = old >= staleAfter;
  words.classList.toggle('stale', stale);
  words.dataset.stale = String(stale);
  // Said aloud only when it turns stale, not every second.
  words.setAttribute('aria-live', 'off');
  if (stale && !wasStale) announce(t('track.stale', { age: span(old) }));
  wasStale = stale;
  text(words, t(stale ? 'track.stale' : 'track.age', { age: span(old) }));
  place();
}

function end(key = 'track.ended') {
  clearInterval(clock);
  trip = undefined;
  show(byId('under-way'), false);
  show(byId('ended'), true);
  text(byId('ended'), t(key));
  announce(t(key));
  map?.map.remove();
}

function showPhone(phone) {
  const link = byId('phone');
  show(link, Boolean(phone));
  if (!phone) return;
  link.href = `tel:${phone.replace(/[^\d+]/g, '')}`;
  text(link, t('track.call', { phone }));
}

const clock = setInterval(tick, 1000);
poll();
