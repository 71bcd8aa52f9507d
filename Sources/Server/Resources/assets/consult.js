// One consult, for everybody who may see it: what it is, what can be done now, and its outcome.

import { Problem, request, serverNow } from './api.js';
import { byId, el, fill, show, text } from './dom.js';
import { dueClock, isOverdue, newsChip, startClocks, stateChip, urgencyChip } from './chips.js';
import { showActions } from './consult-actions.js';
import { showFacts } from './consult-facts.js';
import { follow } from './feed.js';
import { clock, dateTime, span, time } from './format.js';
import { Outcome } from './outcome.js';
import { loading, me, pageId } from './shell.js';
import { label, t } from './texts.js';

let consult;
let etag;
let choosing = false;
const inRoom = new Set();

const load = () => loading(async () => {
  const answer = await request('GET', `/consults/${encodeURIComponent(pageId)}`);
  consult = answer.body;
  etag = answer.etag;
  draw();
});

/** The free hours are loaded for whoever may choose one. A link that died then is tried again with the next look. */
let slots;
async function showSlots() {
  slots ??= import('./slots.js').then(({ Slots }) => new Slots(() => {
    choosing = false;
    return load();
  }), () => {
    slots = undefined;
    throw new Problem(0);
  });
  (await slots).open(consult);
}

const outcome = new Outcome(load, () => etag);

function draw() {
  text(byId('heading'), consult.patient?.name ?? (consult.patient?.temporary ? t('patient.temporary') : label('specialty', consult.specialty)));
  fill(byId('chips'), urgencyChip(consult.urgency), stateChip(consult.state), consult.news2 === undefined ? null : newsChip(consult.news2), dueClock(consult));
  text(byId('where'), [label('specialty', consult.specialty), consult.stationName, t('consult.requested', { time: dateTime(consult.requestedAt) })].join(' · '));
  show(byId('overdue'), Boolean(isOverdue(consult)));
  drawNow();
  drawPresence();

  const may = consult.allowed.includes('appointment');
  // The station that just asked chooses its hour at once; to move a booking one asks for the list.
  const open = may && (choosing || (consult.state === 'requested' && consult.mode === 'live'));
  if (open) loading(showSlots);
  else slots?.then((list) => list.close(), () => {});
  showActions(consult, { changed: load, onSlots: open, choose: () => { choosing = !choosing; draw(); } });

  showFacts(byId('facts'), consult);
  outcome.update(consult);
  const versions = consult.outcomes ?? [];
  show(byId('history'), versions.length > 0);
  fill(byId('versions'), versions.map((version) => el('li', { testid: 'version', data: { version: version.version } },
    version.signedAt ? t('consult.version', { n: version.version, time: dateTime(version.signedAt) }) : t('consult.versionUnsigned', { n: version.version }),
    version.sha256 ? el('span', { class: 'hash' }, version.sha256) : null)));
}

/** The sentence that says where things stand. */
function drawNow() {
  const { appointment, practitionerName, state } = consult;
  const name = practitionerName ?? t('role.specialist');
  text(byId('now-text'), [t(`now.${state}`, { name }),
    waitsForHour() ? t('consult.appointment', { time: dateTime(appointment.start), end: time(appointment.end), name }) : ''].join(' '));
  runClock();
}

const waitsForHour = () => consult?.appointment && ['scheduled', 'waiting'].includes(consult.state);

/** The countdown is apart from the sentence: a screen reader must not hear it every second. */
function runClock() {
  if (!waitsForHour()) return text(byId('now-clock'), '');
  const until = Date.parse(consult.appointment.start) - serverNow();
  if (until > 3_600_000) text(byId('now-clock'), t('consult.startsInLong', { time: span(until / 1000) }));
  else if (until > 0) text(byId('now-clock'), t('consult.startsIn', { time: clock(until) }));
  else text(byId('now-clock'), t('consult.startedSince', { time: span(-until / 1000) }));
  return undefined;
}

function drawPresence() {
  const others = [...inRoom].filter((role) => role && !me.is(role));
  text(byId('presence'), others.length ? t('consult.inRoom', { who: others.map((role) => label('role', role)).join(', ') }) : '');
}

follow({ subject: `consults/${pageId}` }, load, {
  event(event) {
    if (event.type === 'call.joined') inRoom.add(event.data?.role);
    if (event.type === 'call.left') inRoom.delete(event.data?.role);
    if (event.type === 'call.ended') inRoom.clear();
    if (event.type.startsWith('call.') && consult) drawPresence();
  },
});
startClocks(runClock);
