// The moves that this person may make now, as the server lists them in `allowed`.

import { insist, post } from './api.js';
import { ask } from './ask.js';
import { callable } from './chips.js';
import { announce, button, byId, el, fill } from './dom.js';
import { uuid7 } from './ids.js';
import { attempt, me } from './shell.js';
import { t } from './texts.js';

const order = ['accept', 'arrive', 'start', 'resume', 'interrupt', 'noShow', 'decline', 'cancel'];
const grave = new Set(['decline', 'cancel', 'noShow']);

export function showActions(consult, { changed, choose, onSlots }) {
  const buttons = order.filter((name) => consult.allowed.includes(name)).map((name) =>
    button(t(`transition.${name}`), () => move(consult, name, changed), {
      class: grave.has(name) ? 'quiet' : name === 'accept' || name === 'arrive' ? 'primary' : '',
      testid: `action-${name}`, data: { key: name },
    }));
  if (consult.allowed.includes('appointment')) {
    buttons.unshift(button(t(consult.appointment ? 'transition.move' : 'transition.appointment'), choose, {
      testid: 'action-appointment', data: { key: 'appointment' }, 'aria-expanded': String(onSlots), class: consult.state === 'requested' ? 'primary' : '',
    }));
  }
  if (mayCall(consult)) {
    buttons.unshift(el('a', { class: 'button primary', href: `/consults/${encodeURIComponent(consult.id)}/call`, testid: 'open-call', data: { key: 'call' } },
      t('consult.openCall')));
  }
  fill(byId('actions'), buttons);
}

export const mayCall = (consult) => consult.mode === 'live' && callable.has(consult.state) && (me.is('station') || me.is('specialist'));

/** One transition, insisted on with one key, so that a lost answer does not become a second move. */
export async function move(consult, name, changed, place = byId('action-problem')) {
  const body = await question(name);
  if (!body) return;
  const key = uuid7();
  const result = await attempt(place, () => insist(() => post(`/consults/${consult.id}/${name}`, body, { key })));
  if (result !== undefined) announce(t(`done.${name}`));
  // Also after a refusal: somebody else may have been first, and the page must show what is so now.
  await changed();
}

function question(name) {
  switch (name) {
    case 'decline':
    case 'cancel':
      return ask(t(`ask.${name}`), { yes: t(`transition.${name}`), fields: [{ name: 'reason', label: t('field.reason'), required: true }] });
    case 'noShow':
      return ask(t('ask.noShow'), {
        yes: t('transition.noShow'),
        fields: [{ name: 'side', label: t('field.side'), required: true, options: [['station', t('role.station')], ['specialist', t('role.specialist')]] }],
      });
    default:
      return {};
  }
}
