// Fields are named by JSON pointers ("/patient/name"): the same name builds the body and finds a server's error.

import { el, announce } from './dom.js';
import { toWire } from './format.js';
import { label, lang, sentence, t } from './texts.js';

/** The body a form stands for. Empty fields are left out; `data-kind` says how to read a value. */
export function readForm(form) {
  const body = {};
  for (const field of form.elements) {
    if (!field.name?.startsWith('/') || field.disabled) continue;
    const value = fieldValue(field);
    if (value !== undefined) put(body, field.name, value);
  }
  return squeeze(body);
}

function fieldValue(field) {
  if (field.type === 'checkbox') return field.checked ? true : undefined;
  if (field.type === 'radio') return field.checked ? field.value : undefined;
  const typed = field.value.trim();
  if (typed === '') return undefined;
  switch (field.dataset.kind) {
    case 'number': {
      // A Vietnamese keyboard writes 37,5. What is no number stays text, and the server names the field.
      const number = Number(typed.replace(',', '.'));
      return Number.isFinite(number) ? number : typed;
    }
    case 'yesno': return typed === 'yes';
    case 'moment': return toWire(typed);
    case 'list': return typed.split(/[\s,;]+/).filter(Boolean);
    default: return typed.normalize('NFC');
  }
}

function put(body, pointer, value) {
  const steps = pointer.slice(1).split('/');
  let place = body;
  steps.forEach((step, index) => {
    if (index === steps.length - 1) place[step] = value;
    else place = place[step] ??= /^\d+$/.test(steps[index + 1]) ? [] : {};
  });
}

/** Removed rows leave holes in lists: the body has none. */
function squeeze(value) {
  if (Array.isArray(value)) return value.filter((item) => item !== undefined).map(squeeze);
  if (value && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, squeeze(item)]));
  }
  return value;
}

export function clearErrors(form) {
  for (const field of form.querySelectorAll('[aria-invalid]')) {
    field.removeAttribute('aria-invalid');
    field.removeAttribute('aria-describedby');
  }
  for (const message of form.querySelectorAll('.field-error')) message.remove();
  form.querySelector('[data-errors]')?.replaceChildren();
}

/** Shows a problem at the fields it names and at the form's head, and brings the first of them into sight. */
export function showProblem(form, problem) {
  clearErrors(form);
  let first;
  const loose = [];
  for (const error of problem.errors ?? []) {
    const field = findField(form, error.pointer ?? '');
    if (!field) {
      loose.push(`${error.pointer ?? ''} ${fieldSentence(error)}`.trim());
      continue;
    }
    first ??= field;
    markField(field, fieldSentence(error));
  }
  const summary = form.querySelector('[data-errors]');
  if (summary) {
    summary.replaceChildren(el('p', { class: 'notice bad', testid: 'form-error' }, sentence(problem), loose.map((line) => [el('br'), line])));
  }
  announce(sentence(problem));
  (first ?? summary)?.scrollIntoView({ block: 'center' });
  first?.focus({ preventScroll: true });
}

/** A pointer may name something inside or above a field: the nearest field shows it. */
function findField(form, pointer) {
  for (let name = pointer; name; name = name.slice(0, name.lastIndexOf('/'))) {
    const field = form.querySelector(`[name="${CSS.escape(name)}"]`)
      ?? (name === pointer ? null : form.querySelector(`[name^="${CSS.escape(`${name}/`)}"]`));
    if (field) return field;
  }
  return null;
}

export function markField(field, message) {
  const id = `error-${field.name.slice(1).replaceAll('/', '-')}`;
  field.setAttribute('aria-invalid', 'true');
  field.setAttribute('aria-describedby', id);
  const place = field.closest('.field') ?? field.parentElement;
  if (!place.querySelector(`#${CSS.escape(id)}`)) place.append(el('p', { class: 'field-error', id, testid: id }, message));
}

function fieldSentence({ code, detail }) {
  if (lang === 'en' && detail) return detail;
  const known = label('fieldError', code);
  if (known === code) return detail || t('fieldError.invalid');
  // The bounds are numbers in any language.
  const bounds = code === 'range' ? detail?.match(/^(-?[\d.]+) to (-?[\d.]+)\b/) : null;
  return bounds ? `${known} (${bounds[1]}–${bounds[2]})` : known;
}
