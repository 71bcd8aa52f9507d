// The station's consults: the unsent ones of this device first, then what is open, then what is done.

import { get, query } from './api.js';
import { byId, fill, show } from './dom.js';
import { consultRow, isOverdue, startClocks } from './chips.js';
import { Draft } from './draft.js';
import { follow } from './feed.js';
import { Outbox } from './outbox.js';
import { showOutbox } from './outbox-list.js';
import { loading, me } from './shell.js';

const finished = new Set(['signed', 'cancelled', 'noShow']);
const draft = new Draft(me.id, 'consult');
const outbox = new Outbox(me.id);

show(byId('draft-note'), draft.content !== null);
showOutbox(outbox, (entry) => {
  draft.keep(entry.values);
  outbox.drop(entry.id);
  location.assign('/station/new');
});

const { refresh } = follow({ types: 'consult.*' }, () => loading(async () => {
  const { items } = await get(`/consults${query({ limit: 60 })}`);
  const open = items.filter((consult) => !finished.has(consult.state));
  const done = items.filter((consult) => finished.has(consult.state));
  // What nobody answered stands first, whatever its age.
  open.sort((one, other) => Number(isOverdue(other)) - Number(isOverdue(one)));
  fill(byId('open'), open.map((consult) => consultRow(consult)));
  fill(byId('done'), done.map((consult) => consultRow(consult)));
  show(byId('open-empty'), open.length === 0);
  show(byId('done-empty'), done.length === 0);
}));

outbox.addEventListener('sent', () => refresh());
outbox.wake();
startClocks();
