// The station's consults: the unsent ones of this device first, then what is open, then what is done.

import { get, query } from './api.js';
import { byId, fill, show } from './dom.js';
import { closedStates, consultRow, isOverdue, openStates, startClocks } from './chips.js';
import { Draft } from './draft.js';
import { follow } from './feed.js';
import { Outbox } from './outbox.js';
import { showOutbox } from './outbox-list.js';
import { loading, me } from './shell.js';

const draft = new Draft(me.id, 'consult');
const outbox = new Outbox(me.id);

show(byId('draft-note'), draft.content !== null);
showOutbox(outbox, (entry) => {
  draft.keep(entry.values);
  outbox.drop(entry.id);
  location.assign('/station/new');
});

const { refresh } = follow({ types: 'consult.*' }, () => loading(async () => {
  const [{ items: open }, { items: done }] = await Promise.all([
    get(`/consults${query({ state: openStates, limit: 100 })}`), get(`/consults${query({ state: closedStates, limit: 20 })}`),
  ]);
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
