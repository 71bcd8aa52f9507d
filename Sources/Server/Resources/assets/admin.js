// Accounts and machine tokens. A token is shown once, here, and nowhere again.

import { loadFeed } from './admin-feed.js';
import { loadWebhooks } from './admin-webhooks.js';
import { all, get, post, query, request } from './api.js';
import { ask } from './ask.js';
import { copy } from './copy.js';
import { announce, button, byId, el, fill, onSubmit, show, whileBusy } from './dom.js';
import { clearErrors, readForm, showProblem } from './forms.js';
import { dateTime } from './format.js';
import { uuid7 } from './ids.js';
import { attempt, loading } from './shell.js';
import { label, t } from './texts.js';

let users = [];
let next;

const grantsText = (grants) => (grants ?? []).map((grant) => `${label('role', grant.role)} (${(grant.facilities ?? []).join(', ')})`).join(' · ');

// ---- accounts ----

async function loadUsers(after) {
  const page = await get(`/users${query({ limit: 100, after })}`);
  users = after ? [...users, ...page.items] : page.items;
  next = page.next;
  fill(byId('users'), users.map(userRow));
  show(byId('users-more'), Boolean(next));
}

function userRow(user) {
  return el('li', { class: `row ${user.disabled ? 'off' : ''}`, testid: 'user-row', data: { id: user.id, username: user.username } },
    el('span', { class: 'row-link' }, el('span', { class: 'row-title' }, `${user.username} · ${user.name}`), el('span', { class: 'row-sub' }, grantsText(user.grants))),
    user.disabled ? el('span', { class: 'chip', testid: 'disabled' }, t('admin.disabled')) : null,
    el('span', { class: 'buttons' },
      button(t('admin.setPassword'), () => newPassword(user), { class: 'quiet', testid: 'set-password', data: { key: `p-${user.id}` } }),
      button(t('admin.setGrants'), () => newGrants(user), { class: 'quiet', testid: 'set-grants', data: { key: `g-${user.id}` } }),
      button(t(user.disabled ? 'admin.enable' : 'admin.disable'), () => change(user, { disabled: !user.disabled }), { class: 'quiet', testid: user.disabled ? 'enable' : 'disable', data: { key: `d-${user.id}` } })));
}

async function change(user, body) {
  await attempt(byId('user-problem'), async () => {
    await request('PATCH', `/users/${encodeURIComponent(user.id)}`, { body, key: uuid7() });
    announce(t('admin.changed'));
    await loadUsers();
  });
}

async function newPassword(user) {
  const answer = await ask(t('admin.passwordFor', { name: user.username }), { fields: [{ name: 'password', label: t('signIn.password'), required: true, type: 'password' }] });
  if (answer) await change(user, { password: answer.password });
}

/** One line a grant, as "role: code code": quick to change, and the server says what is wrong with it. */
async function newGrants(user) {
  const rows = byId('ask-body');
  const asked = ask(t('admin.grantsFor', { name: user.username }));
  const list = el('div');
  fill(rows, list, button(t('admin.addGrant'), async () => { list.append(grantRow()); }, { class: 'quiet' }));
  for (const grant of user.grants ?? []) list.append(grantRow(grant));
  if (await asked) await change(user, { grants: readGrants(list) });
}

function grantRow(grant) {
  const row = byId('grant-row').content.firstElementChild.cloneNode(true);
  const [role, facilities] = [row.querySelector('select'), row.querySelector('input')];
  if (grant) {
    role.value = grant.role;
    facilities.value = (grant.facilities ?? []).join(' ');
  }
  row.querySelector('button').addEventListener('click', () => row.remove());
  return row;
}

const readGrants = (list) => [...list.querySelectorAll('.grant')].map((row) => ({
  role: row.querySelector('select').value, facilities: row.querySelector('input').value.split(/[\s,;]+/).filter(Boolean),
}));

/** Names the rows' fields by their place, so that an error's pointer finds its row. */
function nameGrants(list) {
  [...list.querySelectorAll('.grant')].forEach((row, index) => {
    row.querySelector('select').name = `/grants/${index}/role`;
    row.querySelector('input').name = `/grants/${index}/facilities`;
  });
}

function grantForm(name, create) {
  const form = byId(`${name}-form`);
  const list = byId(`${name}-grants`);
  list.append(grantRow());
  byId(`${name}-add-grant`).addEventListener('click', () => list.append(grantRow()));
  onSubmit(form, () => {
    whileBusy(form.querySelector('.primary'), async () => {
      clearErrors(form);
      nameGrants(list);
      try {
        await create(readForm(form));
        form.reset();
        fill(list, grantRow());
        byId(`${name}-details`).open = false;
      } catch (problem) {
        if (problem.status === undefined) throw problem;
        showProblem(form, problem);
      }
    });
  });
}

grantForm('user', async (body) => {
  await post('/users', body, { key: uuid7() });
  announce(t('admin.created'));
  await loadUsers();
});

// ---- tokens ----

async function loadTokens() {
  const { items } = await get('/tokens?limit=200');
  fill(byId('tokens'), items.map((token) => el('li', { class: 'row', testid: 'token-row', data: { id: token.id, name: token.name } },
    el('span', { class: 'row-link' }, el('span', { class: 'row-title' }, token.name),
      el('span', { class: 'row-sub' }, [grantsText(token.grants), token.expiresAt ? t('admin.until', { time: dateTime(token.expiresAt) }) : t('admin.forEver')].filter(Boolean).join(' · '))),
    button(t('admin.revoke'), () => revoke(token), { class: 'quiet', testid: 'revoke-token', data: { key: `t-${token.id}` } }))));
}

async function revoke(token) {
  if (!await ask(t('admin.revokeAsk', { name: token.name }))) return;
  await attempt(byId('token-problem'), async () => {
    await request('DELETE', `/tokens/${encodeURIComponent(token.id)}`);
    await loadTokens();
  });
}

// No idempotency key: an answer that holds a secret must not be kept to be given twice.
grantForm('token', async (body) => {
  const made = await post('/tokens', body);
  byId('token-value').value = made.token;
  show(byId('token-once'), true);
  byId('token-value').select();
  await loadTokens();
});
byId('token-copy').addEventListener('click', () => copy(byId('token-value').value));
byId('token-hide').addEventListener('click', () => {
  byId('token-value').value = '';
  show(byId('token-once'), false);
});
byId('users-more').addEventListener('click', () => loading(() => loadUsers(next)));

loading(async () => {
  await Promise.all([loadUsers(), loadTokens(), loadWebhooks(), loadFeed()]);
  const vehicles = await all('/vehicles');
  byId('user-vehicle').append(...vehicles.map((vehicle) => el('option', { value: vehicle.id }, vehicle.label)));
});
