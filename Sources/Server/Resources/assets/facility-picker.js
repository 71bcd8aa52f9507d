// A facility by its name or code, found without diacritics by the server; works as a plain text field for keyboards.

import { get, query } from './api.js';
import { el, fill } from './dom.js';

/** Ties `<input list>` to the search. Returns a function that gives the chosen facility or null. */
export function facilityPicker(input, { kind } = {}) {
  const list = el('datalist', { id: `${input.id}-list` });
  input.setAttribute('list', list.id);
  input.autocomplete = 'off';
  input.after(list);
  const known = new Map();
  let timer;
  let latest = 0;
  const caption = (item) => `${item.id} – ${item.name}`;
  const search = async () => {
    const turn = latest += 1;
    try {
      const { items } = await get(`/facilities${query({ q: input.value.trim(), limit: 20 })}`);
      // An answer that was overtaken by a newer question is dropped.
      if (turn !== latest) return;
      const fitting = items.filter((item) => !kind || item.kind === kind);
      for (const item of fitting) known.set(caption(item), item);
      fill(list, fitting.map((item) => el('option', { value: caption(item) })));
    } catch {
      // Without the list a code can still be typed.
    }
  };
  input.addEventListener('input', () => {
    clearTimeout(timer);
    if (!known.has(input.value)) timer = setTimeout(search, 250);
  });
  input.addEventListener('focus', () => { if (known.size === 0) search(); });
  return () => {
    const typed = input.value.trim();
    if (known.has(typed)) return known.get(typed);
    const code = typed.match(/^[0-9A-Za-z]{5}\b/)?.[0];
    return code ? { id: code } : null;
  };
}
