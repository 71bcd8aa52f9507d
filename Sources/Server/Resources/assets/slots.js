// Free slots to choose from. A slot that somebody else took in the meantime is answered with others at once.

import { get, post, insist, query } from './api.js';
import { byId, announce, button, el, fill, show } from './dom.js';
import { day, time, weekday, wireNow } from './format.js';
import { uuid7 } from './ids.js';
import { sentence, t } from './texts.js';

const names = new Map();

export class Slots {
  constructor(booked) {
    this.booked = booked;
    this.items = [];
    byId('slots-more').addEventListener('click', () => this.load(this.items.at(-1)?.start));
  }

  /** Loads once per consult and opening: a list that jumps under the finger books the wrong hour. */
  open(consult) {
    const fresh = byId('slots').hidden || this.consult?.id !== consult.id;
    this.consult = consult;
    show(byId('slots'), true);
    if (fresh) this.load();
  }

  /** Yesterday's list must not be there to press when it opens again. */
  close() {
    show(byId('slots'), false);
    this.items = [];
    this.draw([]);
  }

  async load(after) {
    try {
      const from = after ? wireNow(Date.parse(after) + 1000) : wireNow();
      const { items } = await get(`/slots${query({ specialty: this.consult.specialty, from, limit: 12 })}`);
      this.items = items;
      await this.learnNames(items);
      this.draw(items, items.length ? null : t('slots.none'));
    } catch (problem) {
      if (problem.status === undefined) throw problem;
      this.draw(this.items, sentence(problem), true);
    }
  }

  async learnNames(items) {
    if (items.every((slot) => slot.practitionerName || names.has(slot.practitionerId))) return;
    const { items: people } = await get(`/practitioners${query({ specialty: this.consult.specialty, limit: 200 })}`);
    for (const person of people) names.set(person.id, person);
  }

  draw(items, message, bad = false) {
    fill(byId('slot-problem'), message ? el('p', { class: `notice ${bad ? 'bad' : ''}`, testid: 'slot-message' }, message) : null);
    fill(byId('slot-list'), byDay(items).map((slots) => [
      el('h3', {}, weekday(slots[0].start)),
      el('ul', { class: 'slots' }, slots.map((slot) => el('li', {}, this.slotButton(slot)))),
    ]));
  }

  slotButton(slot) {
    const person = names.get(slot.practitionerId);
    return button([el('b', {}, `${time(slot.start)}–${time(slot.end)}`),
      el('span', {}, slot.practitionerName ?? person?.name ?? ''),
      el('small', {}, slot.facilityName ?? person?.facilityName ?? '')], () => this.book(slot),
    { class: 'slot', testid: 'slot', data: { start: slot.start, practitioner: slot.practitionerId, key: `${slot.practitionerId} ${slot.start}` } });
  }

  async book(slot) {
    const minutes = Math.round((Date.parse(slot.end) - Date.parse(slot.start)) / 60_000);
    const key = uuid7();
    try {
      await insist(() => post(`/consults/${this.consult.id}/appointment`, { practitionerId: slot.practitionerId, start: slot.start, minutes }, { key }));
      announce(t('slots.booked', { time: time(slot.start) }));
      this.close();
      await this.booked();
    } catch (problem) {
      if (problem.status === undefined) throw problem;
      const others = problem.code === 'slot-taken' ? problem.body.alternatives ?? [] : this.items;
      this.items = others;
      await this.learnNames(others).catch(() => {});
      this.draw(others, problem.code === 'slot-taken' ? t(others.length ? 'slots.taken' : 'slots.takenNone') : sentence(problem), true);
    }
  }
}

/** Earliest first, as they came: a list for each day. */
function byDay(items) {
  const days = {};
  for (const slot of items) (days[day(slot.start)] ??= []).push(slot);
  return Object.values(days);
}
