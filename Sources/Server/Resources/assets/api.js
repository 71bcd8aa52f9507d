// Every call to the server goes through here: one way to fail, one clock, one place that notices the end of a session.

const base = '/api/v1';
let clockOffset = 0;

/** The server's time: a phone's own clock may be wrong by hours, and deadlines hang on it. */
export const serverNow = () => Date.now() + clockOffset;

/** What went wrong, in the terms of the server's problem documents. `status` 0 means that no answer came. */
export class Problem extends Error {
  constructor(status, body = {}, retryAfter = 0) {
    super(body.detail || body.title || body.code || 'network');
    this.status = status;
    this.code = body.code || (status === 0 ? 'network' : 'unexpected');
    this.detail = body.detail || '';
    this.errors = Array.isArray(body.errors) ? body.errors : [];
    this.body = body;
    this.retryAfter = retryAfter;
  }

  /** Whether the same request may get through later without anybody changing it. */
  get passing() {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500
      || this.code === 'idempotency-in-progress';
  }
}

export async function request(method, path, options = {}) {
  const { body, key, ifMatch, timeout = 30_000, raw = false, keepalive = false } = options;
  const headers = { Accept: 'application/json', 'Accept-Language': document.documentElement.lang };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (key) headers['Idempotency-Key'] = key;
  if (ifMatch) headers['If-Match'] = ifMatch;
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), timeout);
  try {
    const sent = Date.now();
    const response = await fetch(path.startsWith('/track/') ? path : base + path, {
      method, headers, keepalive, signal: abort.signal, credentials: 'same-origin', cache: 'no-store', redirect: 'error',
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    learnClock(response.headers.get('Date'), sent);
    const content = await response.text();
    if (raw && response.ok) return { status: response.status, body: content, etag: response.headers.get('ETag') };
    const value = parse(content);
    if (response.ok) return { status: response.status, body: value, etag: response.headers.get('ETag') };
    const problem = new Problem(response.status, value ?? {}, Number(response.headers.get('Retry-After')) || 0);
    if (response.status === 401) window.dispatchEvent(new CustomEvent('hoichan:signed-out'));
    throw problem;
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem(0);
  } finally {
    clearTimeout(timer);
  }
}

function parse(content) {
  if (!content) return null;
  try {
    return JSON.parse(content);
  } catch {
    // A proxy's own error page is not JSON: its status still says enough.
    return null;
  }
}

function learnClock(header, sent) {
  const stated = Date.parse(header ?? '');
  if (Number.isNaN(stated)) return;
  const received = Date.now();
  const middle = (sent + received) / 2;
  const offset = stated + 500 - middle;
  // The header counts whole seconds: below two of them there is nothing to correct.
  clockOffset = Math.abs(offset) < 2000 ? 0 : offset;
}

export const openSocket = (path, protocol) => new WebSocket(`${location.origin.replace('http', 'ws')}/api/v1${path}`, protocol);
export const get = async (path, options) => (await request('GET', path, options)).body;
export const post = async (path, body = {}, options = {}) => (await request('POST', path, { body, ...options })).body;

/** A query string from the values that are set. */
export function query(values) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== null && value !== '') search.set(name, value);
  }
  const encoded = search.toString();
  return encoded ? `?${encoded}` : '';
}

/** All items of a list, page after page, up to a limit that keeps a slow link usable. */
export async function all(path, values = {}, most = 400) {
  const items = [];
  let after;
  do {
    const page = await get(path + query({ limit: 200, ...values, after }));
    items.push(...page.items);
    after = page.next;
  } while (after && items.length < most);
  return items;
}

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** 1, 2, 4 … 30 seconds, each shortened by chance, so that a whole province does not come back in the same second. */
export const backOff = (attempt, most = 30_000) => Math.min(most, 1000 * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2);

/** Sends until it gets through, for writes that carry a key. `waiting` learns of each failed attempt. */
export async function insist(action, { attempts = 5, waiting = () => {} } = {}) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await action();
    } catch (problem) {
      if (!(problem instanceof Problem) || !problem.passing || attempt + 1 >= attempts) throw problem;
      waiting(problem, attempt);
      await pause(Math.max(problem.retryAfter * 1000, backOff(attempt, 15_000)));
    }
  }
}
