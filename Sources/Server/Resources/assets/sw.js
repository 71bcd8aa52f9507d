// Keeps the pages that are needed where there is no link: the new request and the crew's. Served at /sw.js, with
// the version and the pages' files put in by the server. Nothing of the API is ever kept here.

const version = '{{version}}';
const shells = ['/station', '/station/new', '/crew'];
const name = `hoichan-${version}`;

self.addEventListener('install', () => self.skipWaiting());

self.addEventListener('activate', (event) => event.waitUntil((async () => {
  for (const old of await caches.keys()) if (old.startsWith('hoichan-') && old !== name) await caches.delete(old);
  await self.clients.claim();
})()));

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== location.origin) return;
  if (request.mode === 'navigate' && shells.includes(url.pathname)) event.respondWith(page(request, url));
  else if (url.pathname.startsWith(`/assets/${version}/`)) event.respondWith(asset(request));
});

// The first visit was over before this worker ran: its page names itself and its files, to be kept as well.
self.addEventListener('message', (event) => {
  const { path, files } = event.data;
  if (!shells.includes(path)) return;
  const own = files.filter((file) => new URL(file).pathname.startsWith(`/assets/${version}/`));
  event.waitUntil(Promise.all([page(new Request(path), new URL(path, location.origin)), ...own.map((file) => asset(new Request(file)))]));
});

/** The server's page while there is a link; else the last one it gave, with what this device keeps. */
async function page(request, url) {
  const cache = await caches.open(name);
  try {
    const response = await fetch(request);
    // Only the page itself: a redirect to the sign-in must never stand in its place.
    if (response.ok && !response.redirected && response.type === 'basic') await cache.put(url.pathname, response.clone());
    return response;
  } catch (error) {
    const kept = await cache.match(url.pathname);
    if (kept) return kept;
    throw error;
  }
}

/** A versioned file never changes, so the kept one is as good as the server's. */
async function asset(request) {
  const cache = await caches.open(name);
  const kept = await cache.match(request);
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok) await cache.put(request, response.clone());
  return response;
}
