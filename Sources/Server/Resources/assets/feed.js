// The event feed over a WebSocket: every durable event once, in order, across lost links and restarted servers.

import { backOff, get, openSocket, query } from './api.js';

const terminal = new Set([4401, 4403]);

/**
 * Handlers: `ready({cursor, oldest, head}, first)`, `event(event, cursor)`, `volatile(event)`,
 * `gap({reason, oldest, head})` → the cursor to go on from, `state(name)` with "live", "connecting",
 * "signed-out" or "forbidden".
 */
export class Feed {
  constructor({ types, facility, specialty, subject, after } = {}, handlers = {}) {
    this.filter = { types, facility, specialty, subject };
    this.cursor = after;
    this.handlers = handlers;
    this.attempt = 0;
    this.first = true;
    this.closed = false;
    // A phone that wakes up or finds its link again does not wait for the back-off to run out.
    const hurry = () => { if (!document.hidden && this.timer) this.connect(); };
    this.gone = new AbortController();
    window.addEventListener('online', hurry, this.gone);
    document.addEventListener('visibilitychange', hurry, this.gone);
    this.connect();
  }

  connect() {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.closed) return;
    this.tell('connecting');
    const socket = openSocket(`/events${query({ ...this.filter, after: this.cursor })}`, 'hoichan.feed.v1');
    this.socket = socket;
    // A socket that neither opens nor fails (a half-dead link) is given up.
    const patience = setTimeout(() => socket.close(), 20_000);
    socket.onmessage = (message) => {
      clearTimeout(patience);
      if (this.socket === socket) this.receive(JSON.parse(message.data));
    };
    socket.onclose = (event) => {
      clearTimeout(patience);
      if (this.socket === socket) this.lost(event);
    };
  }

  receive(frame) {
    switch (frame.kind) {
      case 'ready':
        this.since = Date.now();
        this.cursor ??= frame.cursor;
        this.tell('live');
        this.handlers.ready?.(frame, this.first);
        this.first = false;
        break;
      case 'event':
        // The handler runs before the cursor moves: an event that could not be shown is not counted as seen.
        this.handlers.event?.(frame.event, frame.cursor);
        this.cursor = frame.cursor;
        break;
      case 'bookmark':
        this.cursor = frame.cursor;
        this.handlers.bookmark?.(frame.cursor);
        break;
      case 'volatile':
        this.handlers.volatile?.(frame.event);
        break;
      case 'gap':
        this.cursor = this.handlers.gap?.(frame) ?? frame.head;
        this.skipWait = true;
        break;
      default: // a newer server may say more than this page knows
    }
  }

  async lost(event) {
    this.socket = undefined;
    if (this.closed) return;
    if (terminal.has(event.code)) {
      this.closed = true;
      this.tell(event.code === 4401 ? 'signed-out' : 'forbidden');
      if (event.code === 4401) window.dispatchEvent(new CustomEvent('hoichan:signed-out'));
      return;
    }
    this.tell('connecting');
    // A server that opens and closes at once must not be stormed: only a socket that lasted resets the back-off.
    if (this.since && Date.now() - this.since > 5000) this.attempt = 0;
    this.since = undefined;
    const wait = this.skipWait && this.attempt < 3 ? 50 : event.code === 4429 ? 30_000 : backOff(this.attempt, 20_000);
    this.skipWait = false;
    this.attempt += 1;
    this.timer = setTimeout(() => this.connect(), wait);
    // A refused upgrade shows no status to a page, so after a few the session itself is asked for.
    if (this.attempt % 4 === 3) await get('/session').catch(() => {});
  }

  tell(state) {
    if (this.state === state) return;
    this.state = state;
    this.handlers.state?.(state);
    window.dispatchEvent(new CustomEvent('hoichan:feed', { detail: state }));
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    this.gone.abort();
    this.socket?.close(1000);
  }
}

/**
 * Keeps a view fresh: loads when the feed is ready (so nothing falls between), after every matching event, after
 * a gap, and every half minute besides, should the socket be blocked by somebody's proxy.
 */
export function follow(filter, refresh, handlers = {}) {
  let running = false;
  let again = false;
  let timer;
  const run = async () => {
    clearTimeout(timer);
    if (running) {
      again = true;
      return;
    }
    running = true;
    try {
      await refresh();
    } finally {
      running = false;
      timer = setTimeout(run, again ? 400 : 30_000);
      again = false;
    }
  };
  const soon = () => {
    clearTimeout(timer);
    if (running) again = true;
    else timer = setTimeout(run, 250);
  };
  const feed = new Feed(filter, {
    ...handlers,
    ready: soon,
    event: (event, cursor) => { handlers.event?.(event, cursor); soon(); },
    gap: (frame) => { handlers.gap?.(frame); soon(); return frame.head; },
  });
  soon();
  return { feed, refresh: run };
}
