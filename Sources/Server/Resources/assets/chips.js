// Small pieces that several pages show alike. A colour never stands alone: the word is always there too.

import { serverNow } from './api.js';
import { el } from './dom.js';
import { clock, dateTime, time } from './format.js';
import { label, t } from './texts.js';

/** States in which something is still to be done, and those in which nothing is. */
export const openStates = 'requested,assigned,scheduled,waiting,inProgress,interrupted,concluded,amended';
export const closedStates = 'signed,cancelled,noShow';
/** Those in which the room of a live consult is open. */
export const callable = new Set(['assigned', 'scheduled', 'waiting', 'inProgress', 'interrupted']);

export const stateChip = (state) => el('span', { class: 'chip', data: { state }, testid: 'state' }, label('state', state));

export const urgencyChip = (urgency) =>
  el('span', { class: `chip urgency ${urgency}`, testid: 'urgency', data: { urgency } }, label('urgency', urgency));

/** NEWS2 with its band, or plainly that there is none: a missing score is not a low one. */
export function newsChip(news2) {
  if (!news2) return el('span', { class: 'chip news none', testid: 'news2' }, t('news.none'));
  return el('span', { class: `chip news ${news2.band}`, testid: 'news2', data: { total: news2.total, band: news2.band } },
    `NEWS2 ${news2.total} · ${label('band', news2.band)}`);
}

/** Overdue by this page's own clock too: the alarm must not wait for a message that may be late. */
export const isOverdue = (consult) => consult.state === 'requested'
  && (consult.overdue || (consult.dueAt && Date.parse(consult.dueAt) <= serverNow()));

/** The time left for an answer, or the time since it should have come; kept running by `tick`. */
export function dueClock(consult) {
  if (consult.state !== 'requested' || !consult.dueAt) return null;
  return el('span', { class: 'due', testid: 'due-clock', data: { due: consult.dueAt } }, dueText(consult.dueAt));
}

function dueText(dueAt) {
  const left = Date.parse(dueAt) - serverNow();
  if (left > 0) return left < 86_400_000 ? t('due.left', { time: clock(left) }) : t('due.by', { time: dateTime(dueAt) });
  return t('due.over', { time: clock(left) });
}

/** Moves all clocks on the page, once a second. */
export function startClocks(each = () => {}) {
  const tick = () => {
    for (const node of document.querySelectorAll('[data-due]')) {
      const over = Date.parse(node.dataset.due) <= serverNow();
      node.classList.toggle('over', over);
      const next = dueText(node.dataset.due);
      if (node.textContent !== next) node.textContent = next;
    }
    each();
  };
  tick();
  return setInterval(tick, 1000);
}

/** One consult in a list: a link over the whole row. */
export function consultRow(consult, props = {}, ...more) {
  const overdue = isOverdue(consult);
  const appointment = consult.appointment;
  return el('li', { class: `row ${overdue ? 'overdue' : ''}`, testid: 'consult-row', data: { id: consult.id, state: consult.state }, ...props },
    el('a', { href: `/consults/${encodeURIComponent(consult.id)}`, class: 'row-link', data: { key: consult.id } },
      el('span', { class: 'row-title' }, consult.patient?.name
        ?? (consult.patient?.temporary ? t('patient.temporary') : label('specialty', consult.specialty))),
      el('span', { class: 'row-sub' },
        consult.patient ? `${label('specialty', consult.specialty)} · ` : null,
        consult.stationName,
        appointment ? ` · ${t('row.appointment', { time: time(appointment.start) })}` : null,
        consult.practitionerName ? ` · ${consult.practitionerName}` : null)),
    el('span', { class: 'chips' }, urgencyChip(consult.urgency), stateChip(consult.state),
      consult.news2 ? newsChip(consult.news2) : null, dueClock(consult)),
    ...more);
}
