// A form that outlives a reload, a crash and a dead link: every change is on the device within half a second.

import { load, remove, save } from './store.js';

export class Draft {
  constructor(person, name) {
    this.key = `draft.${person}.${name}`;
  }

  /** `{values, at}` or null. `values` maps each field's name to what was typed. */
  get content() {
    return load(this.key);
  }

  keep(values) {
    return save(this.key, { values, at: Date.now() });
  }

  clear() {
    remove(this.key);
  }
}

/**
 * Ties a form to its draft. `grow(names)` makes the rows that a kept draft needs; `kept(ok, at)` tells the page
 * what to show. Returns a function that lets go without keeping anything more.
 */
export function bindDraft(form, draft, { grow = () => {}, kept = () => {} } = {}) {
  const content = draft.content;
  if (content) {
    grow(Object.keys(content.values));
    fillForm(form, content.values);
    kept(true, content.at, true);
  }
  let timer;
  let bound = true;
  const write = () => {
    clearTimeout(timer);
    timer = undefined;
    if (!bound) return;
    const values = formValues(form);
    if (Object.keys(values).length === 0) draft.clear();
    else kept(draft.keep(values), Date.now(), false);
  };
  const soon = () => {
    if (!bound) return;
    clearTimeout(timer);
    timer = setTimeout(write, 300);
  };
  // A page that is put away may never run again, so what is pending is written at once.
  const now = () => { if (timer) write(); };
  form.addEventListener('input', soon);
  form.addEventListener('change', soon);
  window.addEventListener('pagehide', now);
  document.addEventListener('visibilitychange', now);
  return () => {
    bound = false;
    clearTimeout(timer);
    window.removeEventListener('pagehide', now);
    document.removeEventListener('visibilitychange', now);
  };
}

/** What differs from the untouched form, so that an empty form leaves no draft behind. */
export function formValues(form) {
  const values = {};
  for (const field of form.elements) {
    if (!field.name || field.type === 'password') continue;
    if (field.type === 'checkbox') {
      if (field.checked !== field.defaultChecked) values[field.name] = field.checked;
    } else if (field.type === 'radio') {
      if (field.checked && !field.defaultChecked) values[field.name] = field.value;
    } else if (field.value !== (field.dataset.initial ?? '')) {
      values[field.name] = field.value;
    }
  }
  return values;
}

export function fillForm(form, values) {
  for (const [name, value] of Object.entries(values)) {
    for (const field of form.querySelectorAll(`[name="${CSS.escape(name)}"]`)) {
      if (field.type === 'checkbox') field.checked = value;
      else if (field.type === 'radio') field.checked = field.value === value;
      else field.value = value;
    }
  }
}
