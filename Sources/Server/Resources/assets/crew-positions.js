// The phone's positions: kept first, sent in order, with the state of the receiver shown plainly.

import { serverNow } from './api.js';
import { span, wireNow } from './format.js';
import { load, remove, save } from './store.js';
import { t } from './texts.js';

const every = 4000;
// A parked ambulance still says where it is, well before a minute makes its dot stale.
const heartbeat = 20_000;

export class Positions {
  /** `tell(words, bad)` shows the receiver's state. */
  constructor(outbox, person, tell) {
    this.outbox = outbox;
    this.tell = tell;
    this.key = `keep.${person}.share`;
    this.on = false;
    this.count = 0;
    setInterval(() => this.beat(), 5000);
  }

  /** The trip that is on the screen. Sharing goes on by itself after a reload of the same trip. */
  follow(trip) {
    if (this.trip === trip) return;
    this.stop();
    this.trip = trip;
    if (trip && load(this.key) === trip) this.start();
    else this.tell(trip ? t('gps.off') : '');
  }

  toggle() {
    if (this.on) {
      remove(this.key);
      this.stop();
      this.tell(t('gps.off'));
    } else if (this.trip) {
      save(this.key, this.trip);
      this.start();
    }
  }

  start() {
    if (!('geolocation' in navigator)) return this.tell(t('gps.none'), true);
    this.on = true;
    this.tell(t('gps.searching'));
    this.watch = navigator.geolocation.watchPosition((position) => this.take(position), (error) => this.fail(error), {
      enableHighAccuracy: true, maximumAge: 2000, timeout: 60_000,
    });
    this.keepAwake();
    return undefined;
  }

  stop() {
    if (this.watch !== undefined) navigator.geolocation.clearWatch(this.watch);
    this.watch = undefined;
    this.on = false;
    this.last = undefined;
    this.wakeLock?.release().catch(() => {});
    this.wakeLock = undefined;
  }

  take({ coords, timestamp }) {
    if (!this.on) return;
    const now = Date.now();
    this.fix = { at: now, accuracy: coords.accuracy };
    this.show();
    if (this.last && now - this.last < every) return;
    this.last = now;
    const point = { at: wireNow(timestamp - now + serverNow()), lat: round(coords.latitude, 6), lon: round(coords.longitude, 6) };
    if (Number.isFinite(coords.accuracy)) point.accuracy = round(coords.accuracy, 1);
    if (Number.isFinite(coords.speed) && coords.speed >= 0) point.speed = round(coords.speed, 1);
    if (Number.isFinite(coords.heading)) point.heading = round(coords.heading, 0);
    this.outbox.add({ kind: 'positions', path: `/trips/${this.trip}/positions`, body: { positions: [point] } });
    this.count += 1;
    if (this.count % 200 === 0) this.outbox.thin();
  }

  fail(error) {
    const words = { 1: t('gps.refused'), 2: t('gps.lost'), 3: t('gps.lost') }[error.code] ?? t('gps.lost');
    this.tell(words, true);
    if (error.code === 1) this.stop();
  }

  beat() {
    if (!this.on) return;
    this.show();
    if (this.last && Date.now() - this.last > heartbeat) {
      navigator.geolocation.getCurrentPosition((position) => this.take(position), (error) => this.fail(error), { enableHighAccuracy: true, timeout: 15_000, maximumAge: 0 });
    }
    if (!this.wakeLock && !document.hidden) this.keepAwake();
  }

  show() {
    if (!this.fix) return;
    const seconds = (Date.now() - this.fix.at) / 1000;
    this.tell(t(seconds >= 60 ? 'gps.old' : 'gps.on', { age: span(seconds), metres: Math.round(this.fix.accuracy) }), seconds >= 60);
  }

  /** A phone whose screen goes dark stops its receiver. */
  async keepAwake() {
    this.wakeLock = await navigator.wakeLock?.request('screen').catch(() => undefined);
    this.wakeLock?.addEventListener('release', () => { this.wakeLock = undefined; });
  }
}

const round = (value, digits) => Math.round(value * 10 ** digits) / 10 ** digits;
