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

// A control that is drawn anew under a finger, or under the space bar: the press ends on another than it began on, and
// the browser knows of no click. Its successor gets it.
let pressed;
let late;
for (const type of ['pointerdown', 'keydown']) document.addEventListener(type, press, true);
for (const type of ['pointerup', 'keyup']) document.addEventListener(type, letGo, true);
for (const type of ['pointercancel', 'click']) document.addEventListener(type, () => { pressed = undefined; }, true);

function press({ type, key, button, target, clientX, clientY }) {
  if (type === 'keydown' ? key !== ' ' : button !== 0) return;
  clearTimeout(late);
  pressed = { control: target.closest?.('[data-key]'), exchanged: false, clientX, clientY };
}

function letGo({ type, key, button, clientX, clientY }) {
  if (type === 'keyup' ? key !== ' ' : button !== 0) return;
  // Who moves off a control has thought better of it. A touch's own click comes a little behind the finger.
  if (!pressed?.exchanged || Math.hypot(clientX - pressed.clientX, clientY - pressed.clientY) > 20) pressed = undefined;
  else late = setTimeout(() => { pressed?.control?.click(); pressed = undefined; }, 100);
}

/** The same control in what was drawn anew: one that says something else now does something else. */
function hand(old, node) {
  pressed.exchanged = true;
  pressed.control = [...node.querySelectorAll(`[data-key="${CSS.escape(old.dataset.key)}"]`)].find((one) => one.textContent === old.textContent);
}

/** Replaces what a node holds. Whoever was on a control with a `data-key` stays on its successor. */
export function fill(node, ...children) {
  const held = node.contains(pressed?.control ?? null) ? pressed.control : undefined;
  const key = node.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  node.replaceChildren();
  append(node, children);
  if (held) hand(held, node);
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
