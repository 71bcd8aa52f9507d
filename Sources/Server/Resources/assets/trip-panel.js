// One trip in the dispatcher's hands: its milestones, its vehicle, the family's link.

import { all, insist, post, request } from './api.js';
import { copy } from './copy.js';
import { announce, button, byId, el, fill, show, text } from './dom.js';
import { brief, dateTime, wireNow } from './format.js';
import { uuid7 } from './ids.js';
import { attempt } from './shell.js';
import { t, label } from './texts.js';
import { ageText, isStale, milestoneName, route, stamp } from './trips.js';

export class TripPanel {
  constructor(changed) {
    this.changed = changed;
    byId('trip-close').addEventListener('click', () => this.close());
  }

  async open(id) {
    if (this.id !== id) this.link = undefined;
    this.id = id;
    const answer = await attempt(byId('trip-problem'), () => request('GET', `/trips/${encodeURIComponent(id)}`));
    if (!answer || this.id !== id) return;
    this.etag = answer.etag;
    this.draw(answer.body);
  }

  close() {
    this.id = undefined;
    show(byId('trip'), false);
  }

  draw(trip) {
    const opened = byId('trip').hidden;
    show(byId('trip'), true);
    text(byId('trip-title'), trip.vehicleLabel ?? t('trip.noVehicle'));
    const position = stamp(trip.position);
    fill(byId('trip-body'),
      el('p', { class: 'lead' }, route(trip)),
      el('p', {}, el('span', { class: `chip urgency ${trip.priority}` }, label('priority', trip.priority)), ' ',
        el('span', { class: 'chip', testid: 'trip-state', data: { state: trip.state } }, milestoneName(trip.state)), ' ',
        position ? el('span', { class: `chip ${isStale(position) ? 'stale' : ''}`, testid: 'trip-age' }, ageText(position)) : t('trip.noPosition')),
      trip.consultId ? el('p', {}, el('a', { href: `/consults/${encodeURIComponent(trip.consultId)}` }, t('trip.consult'))) : null,
      el('ol', { class: 'timeline', testid: 'milestones' }, (trip.milestones ?? []).map((one) =>
        el('li', { testid: 'milestone', data: { milestone: one.milestone } }, el('b', {}, milestoneName(one.milestone)), ' ', brief(one.at),
          one.flags?.length ? el('span', { class: 'flag' }, ` ${one.flags.map((flag) => label('flag', flag)).join(', ')}`) : null))));
    // Only when something of it is new: a vehicle that is being chosen is not let go at every other trip's event.
    const shown = JSON.stringify([trip.id, trip.version, trip.allowed, trip.links, this.link]);
    if (shown !== this.shown) fill(byId('trip-controls'), trip.closed ? null : this.controls(trip));
    this.shown = shown;
    if (opened) byId('trip').scrollIntoView({ block: 'nearest' });
  }

  controls(trip) {
    const select = el('select', { id: 'panel-vehicle', testid: 'panel-vehicle' });
    this.vehicles(select, trip.vehicleId);
    return [
      el('div', { class: 'inline' }, el('div', { class: 'field' }, el('label', { for: 'panel-vehicle' }, t('field.vehicle')), select),
        button(t('trip.setVehicle'), async () => { if (select.value) await this.patch({ vehicleId: select.value }); }, { testid: 'set-vehicle', data: { key: 'vehicle' } })),
      el('div', { class: 'buttons' }, (trip.allowed ?? []).filter((name) => ['dispatched', 'cancelled', 'stoodDown', 'diverted'].includes(name)).map((name) =>
        button(milestoneName(name), () => this.milestone(name), { testid: `milestone-${name}`, data: { key: name }, class: name === 'dispatched' ? 'primary' : 'quiet' }))),
      el('h3', {}, t('trip.links')),
      el('ul', { class: 'rows' }, (trip.links ?? []).map((link) => el('li', { class: 'row', testid: 'link-row' },
        el('span', { class: 'row-link' }, t('trip.linkUntil', { time: dateTime(link.expiresAt) })),
        button(t('trip.revoke'), () => this.revoke(link.id), { class: 'quiet', testid: 'revoke-link', data: { key: link.id } })))),
      this.link ? el('div', { class: 'notice good' }, el('p', {}, t('trip.linkOnce')),
        el('div', { class: 'inline' }, el('input', { readonly: true, value: this.link, testid: 'link-url', 'aria-label': t('trip.link') }),
          button(t('app.copy'), () => copy(this.link)))) : null,
      el('div', { class: 'buttons' }, button(t('trip.makeLink'), () => this.makeLink(), { testid: 'make-link', data: { key: 'link' } })),
    ];
  }

  async vehicles(select, current) {
    this.known ??= all('/vehicles').catch(() => { this.known = this.shown = undefined; return []; });
    const items = await this.known;
    select.replaceChildren(el('option', { value: '' }, t('dispatch.noVehicle')), ...items.map((vehicle) => el('option', { value: vehicle.id }, vehicle.label)));
    select.value = current ?? '';
  }

  async act(action) {
    await attempt(byId('trip-problem'), action);
    const problem = [...byId('trip-problem').childNodes];
    await this.changed();
    await this.open(this.id);
    // Loading the trip anew must not wipe away why the last step was refused.
    byId('trip-problem').append(...problem);
  }

  patch(body) {
    return this.act(() => request('PATCH', `/trips/${this.id}`, { body, ifMatch: this.etag, key: uuid7() }));
  }

  milestone(name) {
    const key = uuid7();
    return this.act(() => insist(() => post(`/trips/${this.id}/milestones`, { milestone: name, at: wireNow() }, { key })));
  }

  makeLink() {
    const key = uuid7();
    return this.act(async () => {
      const made = await insist(() => post(`/trips/${this.id}/links`, {}, { key }));
      this.link = made.url;
      announce(t('trip.linkMade'));
    });
  }

  revoke(id) {
    this.link = undefined;
    return this.act(() => request('DELETE', `/trips/${this.id}/links/${id}`));
  }
}
