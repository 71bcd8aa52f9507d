// Sign-in. The answer sets the cookie; where to go next is only ever a path of this server.

import { post, Problem } from './api.js';
import { byId, onSubmit, whileBusy } from './dom.js';
import { clearErrors, showProblem } from './forms.js';
import { t } from './texts.js';

const form = byId('sign-in');

onSubmit(form, () => {
  whileBusy(form.querySelector('button'), async () => {
    clearErrors(form);
    if (!form.checkValidity()) {
      form.querySelector(':invalid').focus();
      form.reportValidity();
      return;
    }
    try {
      const username = byId('username').value.trim();
      await post('/session', { username, password: byId('password').value });
      // Pages kept for whoever was here before are not this person's.
      if ('caches' in window) for (const name of await caches.keys()) await caches.delete(name);
      location.replace(safePath(form.dataset.next));
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      // The code only says that a sign-in is needed, which is why one is here.
      if (problem.status === 401) Object.assign(problem, { code: 'wrong', detail: t('signIn.wrong'), body: { title: t('signIn.wrong') } });
      showProblem(form, problem);
      byId('password').select();
    }
  });
});

/** A path on this origin, or the start: never a way to lead somebody elsewhere after sign-in. */
function safePath(next) {
  if (!next) return '/';
  const target = new URL(next, location.origin);
  return target.origin === location.origin ? target.pathname + target.search : '/';
}
