// How the event feed of the node that answers is doing: who follows it, how fresh it is, what it holds, how it ended.

import { get } from './api.js';
import { byId, el, fill } from './dom.js';
import { brief, span } from './format.js';
import { label, lang, t } from './texts.js';

const every = 5_000;
const numbers = new Intl.NumberFormat(lang === 'en' ? 'en-GB' : 'vi-VN', { maximumFractionDigits: 1 });
const count = (value) => numbers.format(value);
const mebibytes = (bytes) => numbers.format(bytes / 1_048_576);
const place = byId('feed-status');

export async function loadFeed() {
  const { subscribers, lagMilliseconds, behind, ring, backlog, deliveries, pagesRead, ends, startedAt } = await get('/feed/status');
  const ended = Object.entries(ends).filter(([, times]) => times > 0).map(([reason, times]) => `${label('feedEnd', reason)}: ${count(times)}`);
  const held = t('feedStatus.ringHolds', { n: count(ring.events), used: mebibytes(ring.bytes), most: mebibytes(ring.maxBytes) });
  fill(place, [
    ['subscribers', t('feedStatus.kinds', { sockets: count(subscribers.sockets), streams: count(subscribers.streams), waiting: count(subscribers.waiting) })],
    ['lag', lagMilliseconds === null ? t('feedStatus.nothingYet') : delay(lagMilliseconds)],
    ['behind', behind.subscribers ? t('feedStatus.behindBy', { n: count(behind.subscribers), events: count(behind.events) }) : t('feedStatus.nobody')],
    ['ring', ring.since ? `${held} · ${t('feedStatus.ringSince', { time: brief(ring.since) })}` : held],
    ['backlog', t('feedStatus.backlogHolds', { used: mebibytes(backlog.bytes), most: mebibytes(backlog.maxBytes) })],
    ['deliveries', `${count(deliveries)} · ${t('feedStatus.pagesRead', { n: count(pagesRead) })}`],
    ['ends', ended.join(' · ') || t('feedStatus.nobody')],
    ['since', brief(startedAt)],
  ].map(([name, words]) => [el('dt', {}, t(`feedStatus.${name}`)), el('dd', { testid: `feed-${name}` }, words)]));
  Object.assign(place.dataset, { sockets: subscribers.sockets, streams: subscribers.streams });
}

const delay = (milliseconds) => (milliseconds < 1000 ? t('feedStatus.milliseconds', { n: Math.max(0, milliseconds) }) : span(milliseconds / 1000));

setInterval(() => {
  // What is shown stays when the server cannot be asked; the next time may do.
  if (document.visibilityState === 'visible') loadFeed().catch(() => {});
}, every);
