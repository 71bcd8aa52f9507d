// A question before something that cannot be taken back. Resolves to the fields' values, or null.

import { byId, el, fill, text } from './dom.js';
import { t } from './texts.js';

/** `fields`: `[{name, label, required, type, options: [[value, words]]}]`. */
export function ask(title, { fields = [], yes } = {}) {
  const dialog = byId('ask');
  text(byId('ask-title'), title);
  const body = byId('ask-body');
  if (body) fill(body, fields.map(fieldNode));
  if (byId('ask-yes') && yes) text(byId('ask-yes'), yes);
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      if (dialog.returnValue !== 'yes') return resolve(null);
      resolve(Object.fromEntries(fields.map(({ name }) => [name, byId(`ask-${name}`).value.trim()])));
    }, { once: true });
  });
}

function fieldNode({ name, label, required, type, options }) {
  const props = { id: `ask-${name}`, required, testid: `ask-${name}` };
  const control = options
    ? el('select', props, el('option', { value: '' }, t('app.choose')), options.map(([value, words]) => el('option', { value }, words)))
    : el(type === 'password' ? 'input' : 'textarea', type === 'password' ? { ...props, type, autocomplete: 'new-password' } : { ...props, rows: 3 });
  return el('div', { class: 'field' }, el('label', { for: `ask-${name}` }, label), control);
}
