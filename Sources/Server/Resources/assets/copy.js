// To the clipboard, where a browser allows it; the field it stands in can be copied by hand in any case.

import { announce } from './dom.js';
import { t } from './texts.js';

export async function copy(words) {
  try {
    await navigator.clipboard.writeText(words);
    announce(t('app.copied'));
  } catch {
    announce(t('app.copyByHand'));
  }
}
