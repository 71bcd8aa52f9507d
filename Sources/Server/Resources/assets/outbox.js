// Work that is done but not yet with the server. Each piece is on the device before anything is sent, is sent in
// order under its own key, and leaves only when the server has answered: a dead zone or a flat battery loses none.

import { Problem, backOff, request } from './api.js';
import { uuid7 } from './ids.js';
import { keys, load, remove, save } from './store.js';

const batchLimit = 500;
const pointLimit = 12_000;

export class Outbox extends EventTarget {
  constructor(person) {
    super();
    this.prefix = `out.${person}.`;
    this.attempt = 0;
    this.running = false;
    this.sending = null;
    this.stopped = null;
    window.addEventListener('online', () => this.wake());
    window.addEventListener('storage', () => this.changed());
    document.addEventListener('visibilitychange', () => { if (!document.hidden) this.wake(); });
  }

  /** `entry` = `{kind, path, body}` and an id of the caller's, or a new one. False: the device cannot keep it. */
  add({ id = uuid7(), ...entry }) {
    const kept = save(this.prefix + id, { ...entry, id, at: Date.now() });
    this.changed();
    // What a person just did is tried at once; the positions that trickle in keep to the back-off.
    if (entry.kind !== 'positions') this.wake();
    else if (!this.timer) this.flush();
    return kept;
  }

  entries(kind) {
    const found = keys(this.prefix).map((key) => load(key)).filter(Boolean);
    return kind ? found.filter((entry) => entry.kind === kind) : found;
  }

  get count() {
    return keys(this.prefix).length;
  }

  drop(id) {
    remove(this.prefix + id);
    this.changed();
  }

  /** "saved", "sending" or "refused", as the page says it. */
  state(entry) {
    if (entry.problem) return 'refused';
    return this.sending === entry.id ? 'sending' : 'saved';
  }

  changed() {
    this.dispatchEvent(new Event('change'));
  }

  wake() {
    this.attempt = 0;
    this.flush();
  }

  async flush() {
    if (this.running) {
      this.again = true;
      return;
    }
    clearTimeout(this.timer);
    this.timer = undefined;
    this.running = true;
    try {
      // Two tabs of one person share this outbox; only one may send, or the order would be lost.
      if (navigator.locks) await navigator.locks.request(`hoichan-${this.prefix}`, () => this.sendAll());
      else await this.sendAll();
    } finally {
      this.running = false;
      this.sending = null;
      this.changed();
    }
    if (this.again) {
      this.again = false;
      this.flush();
    }
  }

  async sendAll() {
    for (;;) {
      const entry = this.next();
      if (!entry) return;
      this.sending = entry.id;
      this.changed();
      try {
        const { body } = await request('POST', entry.path, { body: entry.body, key: entry.id });
        remove(this.prefix + entry.id);
        this.attempt = 0;
        this.stopped = null;
        this.dispatchEvent(new CustomEvent('sent', { detail: { entry, answer: body } }));
      } catch (problem) {
        if (!(problem instanceof Problem)) throw problem;
        if (!this.refused(entry, problem)) return;
      }
    }
  }

  /** True when the next entry may go on. */
  refused(entry, problem) {
    if (problem.status === 401) {
      // Nothing is lost: it goes out after the next sign-in.
      this.stopped = 'signed-out';
      return false;
    }
    if (problem.passing) {
      this.stopped = problem.status === 0 ? 'no-link' : 'server';
      const wait = Math.max(problem.retryAfter * 1000, backOff(this.attempt));
      this.attempt += 1;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.flush(), wait);
      return false;
    }
    // The server has decided. A person must look at it; the rest need not wait.
    const { code, detail, errors, status, body: { title } } = problem;
    save(this.prefix + entry.id, { ...entry, problem: { code, detail, errors, status, body: { title } } });
    this.dispatchEvent(new CustomEvent('refused', { detail: { entry, problem } }));
    return true;
  }

  /** The oldest entry; positions that follow each other for the same trip become one call. */
  next() {
    const waiting = this.entries().filter((entry) => !entry.problem);
    const first = waiting[0];
    if (!first || first.kind !== 'positions' || first.tried) return first;
    const batch = [];
    for (const entry of waiting) {
      if (entry.kind !== 'positions' || entry.path !== first.path || entry.tried || batch.length >= batchLimit) break;
      batch.push(entry);
    }
    const merged = { ...first, body: { positions: batch.flatMap((entry) => entry.body.positions) }, tried: true };
    // Written before the parts go: from here on every attempt sends the same bytes under the same key.
    if (!save(this.prefix + first.id, merged)) return { ...first, tried: true };
    for (const entry of batch.slice(1)) remove(this.prefix + entry.id);
    return merged;
  }

  /** Days without a link: every second old position goes, never a milestone and never the newest. */
  thin() {
    const points = this.entries('positions').filter((entry) => !entry.tried);
    if (points.length < pointLimit) return;
    points.slice(0, -100).forEach((entry, index) => { if (index % 2) remove(this.prefix + entry.id); });
  }
}
