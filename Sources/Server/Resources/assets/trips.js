// Trips and where their vehicles are, with the age of every position: what is old is never drawn as live.

import { all, get, serverNow } from './api.js';
import { span } from './format.js';
import { label, t } from './texts.js';

export const staleAfter = 60;

export class TripBoard {
  constructor() {
    this.trips = new Map();
  }

  /** Those under way, newest first. */
  async load() {
    return this.take((await all('/trips', { open: true }, 400)).filter((trip) => !trip.closed));
  }

  /** Shows these from now on; positions that came by socket since they were read are kept if they are newer. */
  take(items) {
    const before = this.trips;
    this.trips = new Map(items.map((trip) => [trip.id, { ...trip, position: newer(stamp(trip.position), before.get(trip.id)?.position) }]));
    return [...this.trips.values()];
  }

  /** A `trip.position` from the socket. */
  move(event) {
    const trip = this.trips.get(event.subject?.replace(/^trips\//, ''));
    const { lat, lon, at = event.time } = event.data ?? {};
    if (!trip || !Number.isFinite(lat) || !Number.isFinite(lon)) return null;
    trip.position = newer({ lat, lon, at, taken: Date.parse(at) }, trip.position);
    return trip;
  }

  draw(map) {
    if (!map) return;
    const shown = new Set();
    for (const trip of this.trips.values()) {
      if (!trip.position) continue;
      shown.add(trip.id);
      const stale = isStale(trip.position);
      map.place(trip.id, { ...trip.position, stale, label: `${trip.vehicleLabel ?? t('trip.noVehicle')}${stale ? ` · ${ageText(trip.position)}` : ''}` });
    }
    map.keep(shown);
  }
}

/** Fixes when a position was taken by the server's clock: its age then runs here. */
export function stamp(position) {
  if (!position) return null;
  const age = Number.isFinite(position.ageSeconds) ? position.ageSeconds * 1000 : serverNow() - Date.parse(position.at);
  return { ...position, taken: serverNow() - age };
}

const newer = (one, other) => (!one ? other ?? null : !other || one.taken >= other.taken ? one : other);

export const ageSeconds = (position) => Math.max(0, (serverNow() - position.taken) / 1000);
export const isStale = (position) => ageSeconds(position) >= staleAfter;
export const ageText = (position) => t('trip.age', { age: span(ageSeconds(position)) });

export const milestoneName = (milestone) => label('milestone', milestone);

const facilities = new Map();

export function learnFacilities(items) {
  for (const item of items) facilities.set(item.id, item.name);
}

/** A trip names its facilities by code; what is not yet known is asked for, once. */
export async function nameFacilities(trips) {
  const codes = new Set(trips.flatMap((trip) => [trip.origin?.facilityId, trip.destination?.facilityId]).filter((code) => code && !facilities.has(code)));
  for (const code of codes) {
    facilities.set(code, code);
    const { items } = await get(`/facilities?q=${encodeURIComponent(code)}&limit=5`).catch(() => ({ items: [] }));
    learnFacilities(items.filter((item) => item.id === code));
  }
}

/** Where from and where to, shortly. */
export const route = (trip) => [placeName(trip.origin), placeName(trip.destination)].filter(Boolean).join(' → ');
function placeName(place) {
  if (!place) return '';
  return place.label ?? place.facilityName ?? facilities.get(place.facilityId) ?? place.facilityId ?? (Number.isFinite(place.lat) ? `${place.lat.toFixed(4)}, ${place.lon.toFixed(4)}` : '');
}
