// The event feed over a WebSocket: every durable event once, in order, across lost links and restarts. See docs/FEED.md.

import { backOff, get, openSocket, query } from './api.js';

// In milliseconds. The server says something every 30 seconds, if only a bookmark.
const longest = 35_000;
const opening = 20_000;
const silence = 75_000;

/**
 * Handlers: `ready({cursor, oldest, head}, first)`, `event(event, cursor)`, `bookmark(cursor)`, `volatile(event)`,
 * `disorder(event)` for one that came again or too late and is not handed over,
 * `gap({reason, oldest, head})` → the cursor to go on from, `state(name)` with "live", "connecting",
 * "signed-out" or "forbidden"; after these two it is over.
 */
export class Feed {
  constructor({ types, facility, specialty, subject, after } = {}, handlers = {}) {
    this.filter = { types, facility, specialty, subject };
    this.cursor = after;
    this.handlers = handlers;
    this.sequence = '';
    this.attempt = 0;
    this.first = true;
    this.closed = false;
    // A phone that wakes up waits for no back-off, and trusts no link that may have died meanwhile.
    const hurry = () => {
      if (document.hidden) return;
      if (this.socket && Date.now() - this.heard > longest) this.drop();
      if (this.timer) this.connect();
    };
    this.gone = new AbortController();
    window.addEventListener('online', hurry, this.gone);
    document.addEventListener('visibilitychange', hurry, this.gone);
    window.addEventListener('hoichan:signed-out', () => this.end('signed-out'), this.gone);
    this.connect();
  }

  connect() {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.closed) return;
    this.tell('connecting');
    const socket = openSocket(`/events${query({ ...this.filter, after: this.cursor })}`, 'hoichan.feed.v1');
    this.socket = socket;
    this.listen(opening);
    socket.onmessage = ({ data }) => { if (this.socket === socket) this.receive(JSON.parse(data)); };
    socket.onclose = ({ code }) => { if (this.socket === socket) this.lost(code); };
  }

  /** Nobody sees a link die: a socket without a word is given up, or an old page would look live. */
  listen(patience) {
    this.heard = Date.now();
    clearTimeout(this.watch);
    this.watch = setTimeout(() => this.drop(), patience);
  }

  receive(frame) {
    this.listen(silence);
    switch (frame.kind) {
      case 'ready':
        this.cursor = frame.cursor;
        this.tell('live');
        this.handlers.ready?.(frame, this.first);
        this.first = false;
        break;
      case 'event':
        this.take(frame);
        break;
      case 'bookmark':
        this.keep(frame.cursor);
        this.handlers.bookmark?.(frame.cursor);
        break;
      case 'volatile':
        this.handlers.volatile?.(frame.event);
        break;
      case 'gap':
        // The server closes behind it. What comes next is counted anew.
        this.sequence = '';
        this.cursor = this.handlers.gap?.(frame) ?? frame.head;
        break;
      default: // a newer server may say more than this page knows
    }
  }

  take({ event, cursor }) {
    if (event.sequence <= this.sequence) {
      this.handlers.disorder?.(event);
      return;
    }
    try {
      this.handlers.event?.(event, cursor);
    } catch (error) {
      // Not shown is not seen: it is asked for again.
      this.drop();
      throw error;
    }
    this.sequence = event.sequence;
    this.keep(cursor);
  }

  /** Only a socket that brought something resets the back-off. */
  keep(cursor) {
    this.cursor = cursor;
    this.attempt = 0;
  }

  drop() {
    const { socket } = this;
    this.lost(1006);
    socket?.close();
  }

  lost(code) {
    this.socket = undefined;
    clearTimeout(this.watch);
    if (this.closed) return;
    if (code === 4401 || code === 4403) {
      this.end(code === 4401 ? 'signed-out' : 'forbidden');
      return;
    }
    this.tell('connecting');
    this.timer = setTimeout(() => this.connect(), pauseAfter(code, this.attempt));
    this.attempt += 1;
    // A refused upgrade shows a page no status, so now and then the session itself is asked for.
    if (this.attempt % 4 === 2) get('/session').catch(() => {});
  }

  end(state) {
    this.close();
    this.tell(state);
    if (state === 'signed-out') window.dispatchEvent(new CustomEvent('hoichan:signed-out'));
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
    clearTimeout(this.watch);
    this.gone.abort();
    const { socket } = this;
    this.socket = undefined;
    socket?.close(1000);
  }
}

function pauseAfter(code, attempt) {
  if (code === 4429) return 30_000 * (1 + Math.random());
  // At once, though not in the same moment as everybody else.
  if ((code === 1001 || code === 4410) && attempt < 3) return 1000 * Math.random();
  return backOff(attempt, 20_000);
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
