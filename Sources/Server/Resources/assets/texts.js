// All words come from the server's one table: of it, those that this page's scripts use, in this page's language.

const language = document.documentElement.lang === 'en' ? 'en' : 'vi';
const { default: table } = await import(`./texts.${document.body.dataset.page}.${language}.js`);

export const lang = language;

/** `t('call.came', {name})`: a key that is missing shows itself, which a test then finds. */
export function t(key, values) {
  const dot = key.indexOf('.');
  let words = table[key.slice(0, dot)]?.[key.slice(dot + 1)];
  if (words === undefined) return key;
  if (values) for (const [name, value] of Object.entries(values)) words = words.replaceAll(`{${name}}`, String(value));
  return words;
}

/** The label of a code, or the code itself when a newer server sends one this page does not know. */
export function label(section, code) {
  return table[section]?.[code] ?? code;
}

/** The server's own details are English, and more exact: an English page shows them; a Vietnamese one says the code. */
export function sentence(problem) {
  if (problem?.status === 0) return t('error.network');
  if (lang === 'en' && problem?.detail) return problem.detail;
  const known = label('error', problem?.code);
  return known === problem?.code || !known ? problem?.body?.title || problem?.detail || t('error.unexpected') : known;
}
