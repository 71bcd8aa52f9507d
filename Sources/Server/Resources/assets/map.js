// A Leaflet map. Without a tile server it is plain: outlines come from the facilities' own places, and nothing is
// asked from outside.

import { byId, el } from './dom.js';
import { t } from './texts.js';

let loaded;

/** Leaflet once, and its style sheet; null when this server has none, and the lists must do. */
export function leaflet() {
  loaded ??= import('/assets/leaflet/leaflet.esm.min.js').then((module) => {
    document.head.append(el('link', { rel: 'stylesheet', href: '/assets/leaflet/leaflet.css' }));
    return module.default?.map ? module.default : module;
  }).catch(() => null);
  return loaded;
}

export async function makeMap(id) {
  const place = byId(id);
  const L = await leaflet();
  if (!L) {
    place.classList.add('no-map');
    place.textContent = t('map.missing');
    return null;
  }
  place.textContent = '';
  const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  const map = L.map(place, {
    attributionControl: false, zoomControl: true, zoomAnimation: !calm, fadeAnimation: !calm, markerZoomAnimation: !calm,
    preferCanvas: true, minZoom: 5, maxZoom: 18, zoomSnap: 0.25,
  }).setView([19.8, 105.6], 8);
  L.control.scale({ imperial: false }).addTo(map);
  const tiles = document.body.dataset.tiles;
  if (tiles) L.tileLayer(tiles, { maxZoom: 18 }).addTo(map);
  return new PlaceMap(L, map);
}

class PlaceMap {
  constructor(L, map) {
    this.L = L;
    this.map = map;
    this.marks = new Map();
    this.facilities = L.layerGroup().addTo(map);
  }

  /** Stations as small dots, hospitals as larger ones with their names. */
  showFacilities(items) {
    this.facilities.clearLayers();
    const bounds = [];
    for (const item of items) {
      if (!Number.isFinite(item.lat) || !Number.isFinite(item.lon)) continue;
      bounds.push([item.lat, item.lon]);
      const large = item.kind === 'hospital' || item.kind === 'centre';
      this.L.circleMarker([item.lat, item.lon], {
        radius: large ? 6 : 3, weight: 1, color: '#4a5a68', fillColor: large ? '#4a5a68' : '#9fb0bd', fillOpacity: 0.9,
      }).bindTooltip(tooltip(item.name)).addTo(this.facilities);
    }
    if (bounds.length > 1 && !this.framed) {
      this.framed = true;
      this.map.fitBounds(bounds, { padding: [16, 16] });
    }
  }

  /** Puts a vehicle at its place. A stale one is hollow and grey, and says how old it is. */
  place(id, { lat, lon, stale, label, kind = 'vehicle' }) {
    let mark = this.marks.get(id);
    const icon = this.L.divIcon({ className: `pin ${kind} ${stale ? 'stale' : 'fresh'}`, iconSize: [22, 22], html: el('span') });
    if (!mark) {
      mark = this.L.marker([lat, lon], { icon, keyboard: false, alt: label }).addTo(this.map);
      mark.bindTooltip(tooltip(label), { permanent: true, direction: 'top', offset: [0, -10], className: 'pin-label' });
      this.marks.set(id, mark);
    } else {
      mark.setLatLng([lat, lon]);
      if (mark.stale !== stale) mark.setIcon(icon);
      if (mark.label !== label) mark.setTooltipContent(tooltip(label));
    }
    mark.stale = stale;
    mark.label = label;
    return mark;
  }

  keep(ids) {
    for (const id of [...this.marks.keys()]) if (!ids.has(id)) this.remove(id);
  }

  remove(id) {
    this.marks.get(id)?.remove();
    this.marks.delete(id);
  }

  frame() {
    const points = [...this.marks.values()].map((mark) => mark.getLatLng());
    if (points.length) this.map.fitBounds(this.L.latLngBounds(points), { padding: [40, 40], maxZoom: 14 });
  }
}

// Leaflet takes a string as HTML and a node as it is: names are given as nodes.
const tooltip = (words) => el('span', {}, words);
