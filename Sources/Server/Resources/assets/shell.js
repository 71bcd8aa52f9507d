// What every page of a signed-in person has: who they are, the state of the link, sign-out, the end of a session.

import { request } from './api.js';
import { byId, announce, el, fill, show, text, whileBusy } from './dom.js';
import { forget, unsent } from './store.js';
import { sentence, t } from './texts.js';

const data = document.body.dataset;

export const me = {
  id: data.person ?? '',
  practitionerId: data.practitioner || null,
  roles: (data.roles ?? '').split(' ').filter(Boolean),
  is: (role) => me.roles.includes(role),
};

/** The id of the thing this page is about. */
export const pageId = data.id ?? '';

let feedState = '';

function showLink() {
  const badge = byId('link-state');
  if (!badge) return;
  const state = navigator.onLine ? feedState : 'offline';
  badge.dataset.state = state;
  text(badge, state ? t(`link.${state}`) : '');
}

window.addEventListener('online', showLink);
window.addEventListener('offline', showLink);
window.addEventListener('hoichan:feed', (event) => {
  feedState = event.detail;
  showLink();
});
showLink();

// The page stays as it is, with all that was typed: only a banner says that the next step is to sign in again.
window.addEventListener('hoichan:signed-out', () => {
  const banner = byId('session-ended');
  if (!banner?.hidden) return;
  show(banner, true);
  announce(t('app.sessionEnded'));
});

/** Runs a load and shows its failure above the content instead of leaving an old page that looks new. */
export async function loading(action) {
  const place = byId('load-error');
  try {
    await action();
    show(place, false);
  } catch (problem) {
    if (problem.status === undefined) throw problem;
    text(place, sentence(problem));
    show(place, true);
  }
}

/** Runs an action of a button; its failure becomes a notice in `place`. */
export async function attempt(place, action) {
  fill(place);
  try {
    return await action();
  } catch (problem) {
    if (problem.status === undefined) throw problem;
    fill(place, el('p', { class: 'notice bad', role: 'alert', testid: 'problem', data: { code: problem.code } }, sentence(problem)));
    return undefined;
  }
}

const signOut = byId('sign-out');
signOut?.addEventListener('click', () => whileBusy(signOut, async () => {
  const count = unsent(me.id);
  if (count === 0) return leave();
  text(byId('unsent-count'), t('app.unsentWork', { n: count }));
  byId('sign-out-dialog').showModal();
}));
byId('sign-out-discard')?.addEventListener('click', (event) => whileBusy(event.currentTarget, leave));

async function leave() {
  try {
    await request('DELETE', '/session');
  } catch (problem) {
    // The cookie is out of a script's reach: without the server's answer this device is still signed in.
    if (problem.status !== 401) {
      byId('sign-out-dialog').close();
      text(byId('load-error'), t('app.signOutFailed'));
      show(byId('load-error'), true);
      return;
    }
  }
  forget(me.id);
  if ('caches' in window) for (const name of await caches.keys()) await caches.delete(name);
  location.assign('/sign-in');
}

// Keeps the pages that are needed where there is no link. Only over https or on this machine, as browsers demand.
if ('serviceWorker' in navigator && me.id) {
  const first = !navigator.serviceWorker.controller;
  navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready).then(({ active }) => {
    if (first) active.postMessage({ path: location.pathname, files: performance.getEntriesByType('resource').map(({ name }) => name) });
  }, () => {
    // Without it the pages work as long as they stay open.
  });
}
