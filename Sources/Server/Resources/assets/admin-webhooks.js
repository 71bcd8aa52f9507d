// Webhooks: where events are sent, how that goes, and what to do when it does not.

import { get, post, request } from './api.js';
import { ask } from './ask.js';
import { copy } from './copy.js';
import { announce, button, byId, el, fill, onSubmit, show, whileBusy } from './dom.js';
import { clearErrors, readForm, showProblem } from './forms.js';
import { dateTime } from './format.js';
import { uuid7 } from './ids.js';
import { attempt } from './shell.js';
import { label, t } from './texts.js';

const every = 15_000;
const problemPlace = byId('webhook-problem');
const path = (webhook) => `/webhooks/${encodeURIComponent(webhook.id)}`;

export async function loadWebhooks() {
  const { items } = await get('/webhooks?limit=200');
  fill(byId('webhooks'), items.map(row));
}

function row(webhook) {
  const paused = webhook.state === 'paused';
  return el('li', { class: `row ${paused ? 'off' : ''}`, testid: 'webhook-row', data: { id: webhook.id, url: webhook.url, state: webhook.state } },
    el('span', { class: 'row-link' },
      el('span', { class: 'row-title' }, webhook.url),
      el('span', { class: 'row-sub' }, [webhook.facilities.join(', '), webhook.filter.types.join(', ')].filter(Boolean).join(' · ')),
      el('span', { class: 'row-sub', testid: 'webhook-progress' }, progress(webhook))),
    paused ? el('span', { class: 'chip stale', testid: 'webhook-paused' }, t('webhook.paused')) : null,
    el('span', { class: 'buttons' },
      button(t('webhook.test'), () => test(webhook), { class: 'quiet', testid: 'test-webhook', data: { key: `wt-${webhook.id}` } }),
      button(t(paused ? 'webhook.resume' : 'webhook.pause'), () => (paused ? resume(webhook) : pause(webhook)),
        { class: 'quiet', testid: paused ? 'resume-webhook' : 'pause-webhook', data: { key: `ws-${webhook.id}` } }),
      button(t('webhook.remove'), () => remove(webhook), { class: 'quiet', testid: 'remove-webhook', data: { key: `wr-${webhook.id}` } })),
    trouble(webhook));
}

function progress(webhook) {
  const last = webhook.lastDeliveredAt ? t('webhook.delivered', { time: dateTime(webhook.lastDeliveredAt) }) : t('webhook.nothingYet');
  return webhook.behind > 0 ? `${last} · ${t('webhook.behind', { n: webhook.behind })}` : last;
}

/** Why it is paused, or since when it fails and when it is tried again. */
function trouble(webhook) {
  const lines = [];
  if (webhook.pauseReason) lines.push(label('webhookPause', webhook.pauseReason));
  if (webhook.lastError) lines.push(failure(webhook.lastError, webhook.lastStatus));
  if (webhook.failingSince) lines.push(t('webhook.since', { time: dateTime(webhook.failingSince), n: webhook.attempts }));
  if (webhook.nextAttemptAt) lines.push(t('webhook.next', { time: dateTime(webhook.nextAttemptAt) }));
  return lines.length ? el('p', { class: 'row-note bad', testid: 'webhook-trouble', data: { error: webhook.lastError ?? '', reason: webhook.pauseReason ?? '' } }, lines.join(' ')) : null;
}

const failure = (code, status) => (code === 'status' ? t('webhook.answered', { status }) : label('webhookError', code));

// ---- what an administrator does ----

const change = (webhook, body) => request('PATCH', path(webhook), { body, key: uuid7() });

async function pause(webhook) {
  await attempt(problemPlace, async () => {
    await change(webhook, { state: 'paused' });
    await loadWebhooks();
  });
}

/** From where it stood; when the log does not go back to there, somebody has to say what is to become of it. */
async function resume(webhook) {
  await attempt(problemPlace, async () => {
    try {
      await change(webhook, { state: 'active' });
    } catch (problem) {
      if (problem.code !== 'cursor-gap') throw problem;
      const options = [['oldest', t('webhook.fromOldest')], ['head', t('webhook.fromNow')]];
      const answer = await ask(t('webhook.fromWhere'), { fields: [{ name: 'after', label: t('webhook.after'), required: true, options }] });
      if (answer) await change(webhook, { state: 'active', after: answer.after });
    }
    await loadWebhooks();
  });
}

async function remove(webhook) {
  if (!await ask(t('webhook.removeAsk', { url: webhook.url }))) return;
  await attempt(problemPlace, async () => {
    await request('DELETE', path(webhook));
    await loadWebhooks();
  });
}

async function test(webhook) {
  await attempt(problemPlace, async () => {
    const answer = await post(`${path(webhook)}/test`);
    const words = answer.delivered ? t('webhook.testTaken', { status: answer.status }) : failure(answer.error, answer.status);
    fill(problemPlace, el('p', { class: `notice ${answer.delivered ? 'good' : 'bad'}`, testid: 'webhook-tested' }, words));
    announce(words);
  });
}

// ---- a new one ----

const form = byId('webhook-form');
onSubmit(form, () => {
  whileBusy(form.querySelector('.primary'), async () => {
    clearErrors(form);
    try {
      // No idempotency key: an answer that holds a secret must not be kept to be given twice.
      const made = await post('/webhooks', readForm(form));
      form.reset();
      byId('webhook-details').open = false;
      byId('webhook-secret').value = made.secret;
      show(byId('webhook-once'), true);
      byId('webhook-secret').select();
      await loadWebhooks();
    } catch (problem) {
      if (problem.status === undefined) throw problem;
      showProblem(form, problem);
    }
  });
});
byId('webhook-copy').addEventListener('click', () => copy(byId('webhook-secret').value));
byId('webhook-hide').addEventListener('click', () => {
  byId('webhook-secret').value = '';
  show(byId('webhook-once'), false);
});

setInterval(() => {
  // What is shown stays when the server cannot be asked; the next time may do.
  if (document.visibilityState === 'visible' && !byId('ask').open) loadWebhooks().catch(() => {});
}, every);
