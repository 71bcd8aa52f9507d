// A new trip. The origin is typed, picked from the facilities, or pointed at on the map.

import { all, get, insist, post } from './api.js';
import { announce, byId, el, onSubmit, show, text, whileBusy } from './dom.js';
import { facilityPicker } from './facility-picker.js';
import { clearErrors, markField, readForm, showProblem } from './forms.js';
import { uuid7 } from './ids.js';
import { label, t } from './texts.js';

const form = byId('trip-form');
const toggle = byId('new-trip');

export class TripForm {
  constructor(created) {
    this.created = created;
    this.id = uuid7();
    this.destination = facilityPicker(byId('trip-destination'));
    this.origin = facilityPicker(byId('trip-origin'));
    toggle.addEventListener('click', () => this.open(form.hidden));
    toggle.disabled = false;
    byId('trip-origin').addEventListener('change', () => this.useOrigin());
    onSubmit(form, () => whileBusy(form.querySelector('[data-testid=create-trip]'), () => this.send()));
  }

  async open(visible, consults = this.consults) {
    show(form, visible);
    toggle.setAttribute('aria-expanded', String(visible));
    if (!visible) return;
    byId('trip-destination').focus();
    const vehicles = await all('/vehicles').catch(() => []);
    options(byId('trip-vehicle'), t('dispatch.noVehicle'), vehicles.map((vehicle) => [vehicle.id, vehicle.label]));
    this.offer(consults ?? []);
  }

  /** The open consults that a trip may belong to. */
  offer(consults) {
    this.consults = consults;
    options(byId('trip-consult'), t('dispatch.noConsult'), consults.map((consult) =>
      [consult.id, `${label('urgency', consult.urgency)} · ${label('specialty', consult.specialty)} · ${consult.stationName}`]));
  }

  async useOrigin() {
    const chosen = this.origin();
    if (!chosen) return;
    const place = Number.isFinite(chosen.lat) ? chosen : (await get(`/facilities?q=${encodeURIComponent(chosen.id)}`).catch(() => ({ items: [] }))).items.find((item) => item.id === chosen.id);
    if (place) this.point(place.lat, place.lon, place.name);
  }

  /** A place on the map, or a facility's. */
  point(lat, lon, name) {
    byId('origin-lat').value = lat.toFixed(5);
    byId('origin-lon').value = lon.toFixed(5);
    if (name !== undefined) byId('origin-label').value = name;
    announce(t('dispatch.originSet'));
  }

  get isOpen() {
    return !form.hidden;
  }

  async send() {
    clearErrors(form);
    const destination = this.destination();
    for (const [field, fine] of [[byId('trip-destination'), destination], [byId('origin-lat'), byId('origin-lat').value.trim()], [byId('origin-lon'), byId('origin-lon').value.trim()]]) {
      if (fine) continue;
      markField(field, t('error.required'));
      field.focus();
      return;
    }
    const body = { id: this.id, ...readForm(form), destination: { facilityId: destination.id } };
    try {
      const trip = await insist(() => post('/trips', body, { key: this.id }));
      form.reset();
      this.id = uuid7();
      this.open(false);
      announce(t('dispatch.created'));
      await this.created(trip);
    } catch (problem) {
      if (problem.status === undefined) throw problem;
      // The mended body is another request; after a dead link it is still the same.
      if (!problem.passing) this.id = uuid7();
      showProblem(form, problem);
    }
  }
}

function options(select, empty, pairs) {
  const chosen = select.value;
  select.replaceChildren(el('option', { value: '' }, empty), ...pairs.map(([value, words]) => el('option', { value }, words)));
  if (pairs.some(([value]) => value === chosen)) select.value = chosen;
  text(select.options[0], empty);
}
