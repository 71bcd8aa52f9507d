// The alarm for requests that nobody answered: seen, heard, and never silenced for good while they wait.

import { serverNow } from './api.js';
import { announce, byId, fill, show, text } from './dom.js';
import { t } from './texts.js';

const quiet = 120_000;

export class Alarm {
  constructor() {
    this.banner = byId('alarm');
    this.soundHint = byId('alarm-sound');
    this.silenced = new Map();
    this.waiting = [];
    byId('alarm-silence')?.addEventListener('click', () => this.silence());
    // Browsers let a page sound only after somebody touched it; until then the banner asks for that touch. Not at
    // the press but at the click: the banner goes away, and the page must not move under a finger that is down.
    const unlock = () => this.unlock();
    for (const type of ['click', 'keydown']) document.addEventListener(type, unlock, { once: true });
    show(this.soundHint, true);
    this.title = document.title;
    setInterval(() => this.ring(), 3000);
  }

  unlock() {
    const Context = window.AudioContext ?? window.webkitAudioContext;
    if (!Context) return;
    this.audio ??= new Context();
    this.audio.resume().then(() => show(this.soundHint, false), () => {});
  }

  /** The ids that are overdue now. */
  update(ids) {
    const fresh = ids.filter((id) => !this.waiting.includes(id));
    this.waiting = ids;
    for (const id of [...this.silenced.keys()]) if (!ids.includes(id)) this.silenced.delete(id);
    show(this.banner, ids.length > 0);
    this.banner.dataset.count = String(ids.length);
    text(byId('alarm-text'), ids.length ? t('alarm.overdue', { n: ids.length }) : '');
    document.title = ids.length ? `(${ids.length}!) ${this.title}` : this.title;
    if (fresh.length) {
      announce(t('alarm.overdue', { n: ids.length }));
      this.ring();
    }
  }

  /** Quiet for two minutes, for these requests only: a new one rings at once, and these ring again. */
  silence() {
    for (const id of this.waiting) this.silenced.set(id, serverNow() + quiet);
    fill(byId('alarm-quiet'), t('alarm.silenced'));
    setTimeout(() => fill(byId('alarm-quiet')), 5000);
  }

  ring() {
    const loud = this.waiting.some((id) => (this.silenced.get(id) ?? 0) <= serverNow());
    this.banner.dataset.ringing = String(loud);
    if (!loud || this.audio?.state !== 'running') return;
    const start = this.audio.currentTime;
    [0, 0.25].forEach((delay, index) => {
      const tone = this.audio.createOscillator();
      const volume = this.audio.createGain();
      tone.frequency.value = index ? 660 : 880;
      volume.gain.setValueAtTime(0.0001, start + delay);
      volume.gain.exponentialRampToValueAtTime(0.25, start + delay + 0.02);
      volume.gain.exponentialRampToValueAtTime(0.0001, start + delay + 0.22);
      tone.connect(volume).connect(this.audio.destination);
      tone.start(start + delay);
      tone.stop(start + delay + 0.24);
    });
  }
}
