// What this device keeps, person by person: a phone is shared, and nobody may see another's unsent words.

const prefix = 'hoichan.';
// After sign-out nothing more is written, not even by a form that is just being put away.
let forgotten = false;

/** Reads a value; one that cannot be read is gone, and the caller starts afresh. */
export function load(key) {
  try {
    return JSON.parse(localStorage.getItem(prefix + key) ?? 'null');
  } catch {
    return null;
  }
}

/** Keeps a value. False when the device is full or forbids it: the page must then say so. */
export function save(key, value) {
  if (forgotten) return false;
  try {
    localStorage.setItem(prefix + key, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

export function remove(key) {
  try {
    localStorage.removeItem(prefix + key);
  } catch {
    // Storage that is forbidden holds nothing to remove.
  }
}

/** All keys that begin so, in order. */
export function keys(start) {
  const found = [];
  try {
    for (let index = 0; index < localStorage.length; index += 1) {
      const key = localStorage.key(index);
      if (key.startsWith(prefix + start)) found.push(key.slice(prefix.length));
    }
  } catch {
    return [];
  }
  return found.sort();
}

/** Everything of one person on this device, for sign-out. */
export function forget(person) {
  forgotten = true;
  for (const kind of ['draft', 'out', 'keep']) for (const key of keys(`${kind}.${person}.`)) remove(key);
}

/** How many pieces of this person's work have not reached the server. */
export const unsent = (person) => keys(`draft.${person}.`).length + keys(`out.${person}.`).length;
