// Builds nodes without markup: every text goes in as a text node, so nothing a person typed can become HTML.

export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'on') for (const [type, listener] of Object.entries(value)) node.addEventListener(type, listener);
    else if (name === 'data') Object.assign(node.dataset, value);
    else if (name === 'testid') node.dataset.testid = value;
    else if (name === 'value') node.value = value;
    else node.setAttribute(name, value === true ? '' : value);
  }
  append(node, children);
  return node;
}

function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    node.append(child instanceof Node ? child : String(child));
  }
}

// What is under a finger, or under the key that presses it. It is not exchanged before it is let go: the press would
// end on another control than it began on, and a browser then knows of no click.
let pressed;
let held;
const put = new Map();
for (const type of ['pointerdown', 'keydown']) document.addEventListener(type, press, true);
for (const type of ['pointerup', 'pointercancel', 'keyup']) document.addEventListener(type, letGo, true);

function press({ type, key, target }) {
  if (type === 'keydown' && key !== ' ') return;
  pressed = target;
  // Not for ever: a menu may have taken the end of the press, and what is shown must not grow old.
  clearTimeout(held);
  held = setTimeout(release, 1000);
}

function letGo() {
  if (!pressed) return;
  // A touch's click comes a little behind the finger.
  clearTimeout(held);
  held = setTimeout(release, 100);
}

function release() {
  pressed = undefined;
  const late = [...put];
  put.clear();
  for (const [node, children] of late) fill(node, children);
}

/** Replaces what a node holds. Whoever was on a control with a `data-key` stays on its successor. */
export function fill(node, ...children) {
  if (pressed && node.contains(pressed)) {
    put.set(node, children);
    return;
  }
  const key = node.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  node.replaceChildren();
  append(node, children);
  if (key) node.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
}

export function text(node, value) {
  const next = value === undefined || value === null ? '' : String(value);
  if (node.textContent !== next) node.textContent = next;
}

export const byId = (id) => document.getElementById(id);

export function show(node, visible) {
  if (node) node.hidden = !visible;
}

/** Says something to people who cannot see the page change. */
export function announce(message) {
  const region = byId('announce');
  if (region) region.textContent = message;
}

/** A button; while its action runs it is busy and cannot be pressed again, so a slow link never sends a thing twice. */
export function button(label, action, props = {}) {
  return el('button', { type: 'button', ...props, on: { click: (event) => whileBusy(event.currentTarget, action) } }, label);
}

/**
 * What a form does when it is sent. Until then its button is disabled in the template, which also stops the enter key:
 * a browser that sends the form by itself leaves the page and what was typed.
 */
export function onSubmit(form, action) {
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    action();
  });
  form.querySelector('button:not([type])').disabled = false;
}

/** Not `disabled`: that would throw the keyboard's place away. */
export async function whileBusy(control, action) {
  if (control.getAttribute('aria-busy') === 'true') return;
  control.setAttribute('aria-busy', 'true');
  try {
    await action();
  } finally {
    control.removeAttribute('aria-busy');
  }
}
