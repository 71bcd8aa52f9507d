// The call's page: check the devices, join, talk, hang up, or go on by another way when the link gives out.

import { get } from './api.js';
import { announce, button, byId, el, fill, onSubmit, show, text, whileBusy } from './dom.js';
import { stateChip, urgencyChip } from './chips.js';
import { move } from './consult-actions.js';
import { follow } from './feed.js';
import { time } from './format.js';
import { Media, meter, reason } from './media.js';
import { Quality } from './quality.js';
import { Room } from './room.js';
import { loading, pageId } from './shell.js';
import { label, t } from './texts.js';

const media = new Media();
const relay = new URLSearchParams(location.search).get('relay') === '1';
let room;
let quality;
let consult;
let mode = 'video';
let stopMeter = () => {};
const tiles = new Map();

// ---- before: camera and microphone ----

// One opening after another, and nobody joins before the last: a camera that was just switched off must not be sent.
let asked = 0;
let opening = Promise.resolve();

function prepare() {
  asked += 1;
  const mine = asked;
  byId('join').disabled = true;
  opening = opening.catch(() => null).then(() => (mine === asked ? openDevices(mine) : null));
  return opening;
}

async function openDevices(mine) {
  stopMeter();
  const problem = await media.open({
    camera: !byId('no-camera').checked, cameraId: byId('camera-select').value, micId: byId('mic-select').value,
  });
  fill(byId('media-problem'), problem ? el('p', { class: 'notice bad', testid: 'media-problem' }, problem) : null);
  byId('preview').srcObject = media.stream;
  show(byId('preview'), Boolean(media.video));
  await listDevices();
  let heard = false;
  text(byId('level-text'), media.audio ? t('call.speak') : t('call.noMic'));
  stopMeter = meter(media.stream, (level) => {
    byId('level').value = level;
    if (level > 0.3 && !heard) {
      heard = true;
      text(byId('level-text'), t('call.heard'));
    }
  });
  // Without any device one can still read, write and listen.
  byId('join').disabled = mine !== asked;
}

async function listDevices() {
  const devices = await navigator.mediaDevices?.enumerateDevices().catch(() => []) ?? [];
  for (const [id, kind, track] of [['camera-select', 'videoinput', media.video], ['mic-select', 'audioinput', media.audio]]) {
    const select = byId(id);
    const chosen = track?.getSettings().deviceId ?? select.value;
    const found = devices.filter((device) => device.kind === kind && device.deviceId);
    fill(select, found.map((device, index) => el('option', { value: device.deviceId }, device.label || `${index + 1}`)));
    if (found.length === 0) fill(select, el('option', { value: '' }, t('call.noDevice')));
    else select.value = chosen;
    select.disabled = found.length < 2;
  }
}

for (const id of ['camera-select', 'mic-select', 'no-camera']) byId(id).addEventListener('change', prepare);
navigator.mediaDevices?.addEventListener?.('devicechange', listDevices);

// ---- during ----

function join() {
  stopMeter();
  show(byId('before'), false);
  show(byId('after'), false);
  show(byId('during'), true);
  if (!media.video) mode = 'audio';
  byId('self').srcObject = media.stream;
  room = new Room(pageId, media, {
    changed: draw,
    state: (state) => { roomState = state; drawLink(); },
    chat: (message) => chatLine(room.members.get(message.from)?.name ?? '', message.text),
    error: (code, detail) => notice(detail || label('error', code), true),
    ended,
  }, { relay });
  quality = new Quality(room, { show: drawNumbers, report, tooWeak });
  // For tests: the connections, to read what was decoded.
  window.hoichanCall = { room, get peers() { return [...room.peers.values()].map((peer) => peer.connection); } };
  keepAwake();
  draw();
}

let roomState = 'connecting';
let numbers = null;

function draw() {
  const present = new Set(room.peers.keys());
  for (const [id, tile] of tiles) {
    if (present.has(id)) continue;
    tile.node.remove();
    tiles.delete(id);
    announce(t('call.gone', { name: tile.name }));
  }
  for (const [id, peer] of room.peers) drawTile(id, peer);
  show(byId('alone'), present.size === 0);
  show(byId('self'), Boolean(media.video));
  text(byId('mute'), t(media.muted ? 'call.unmute' : 'call.mute'));
  byId('mute').setAttribute('aria-pressed', String(media.muted));
  text(byId('camera'), t(media.video ? 'call.cameraOff' : 'call.cameraOn'));
  byId('camera').setAttribute('aria-pressed', String(!media.video));
  fill(byId('ways'), ['video', 'audio', 'phone', 'written'].map((way) =>
    button(t(`way.${way}`), () => go(way), { 'aria-pressed': String(way === mode), testid: `way-${way}`, data: { key: way } })));
  drawLink();
}

function drawTile(id, peer) {
  let tile = tiles.get(id);
  if (!tile) {
    const name = peer.member.name ?? label('role', peer.member.role);
    const video = el('video', { class: 'video', autoplay: true, playsinline: true, testid: 'remote-video', 'aria-label': name });
    const words = el('figcaption', { testid: 'remote-name' });
    tile = { name, video, words, node: el('figure', { class: 'remote', data: { member: id } }, video, words) };
    tiles.set(id, tile);
    byId('remotes').append(tile.node);
    announce(t('call.came', { name }));
  }
  if (tile.video.srcObject !== peer.stream) {
    tile.video.srcObject = peer.stream;
    // Sound may wait for a touch when the browser has not seen one on this page.
    tile.video.play().catch(() => notice(t('call.touch')));
  }
  const { picture } = peer;
  tile.node.classList.toggle('no-picture', !picture);
  tile.node.dataset.state = peer.state;
  text(tile.words, [`${tile.name} · ${label('role', peer.member.role)}`, peer.state === 'connected' ? (picture ? '' : t('call.noPicture')) : t(`link.${peer.state}`)].filter(Boolean).join(' · '));
}

/** One word for the link, worst first: the socket, the connections, then their quality. */
function drawLink() {
  const states = room ? [...room.peers.values()].map((peer) => peer.state) : [];
  const state = roomState === 'restoring' && !states.includes('connected') ? 'restoring'
    : states.includes('restoring') ? 'restoring'
      : roomState === 'connecting' ? 'connecting'
        : states.length === 0 ? 'alone'
          : states.every((one) => one === 'connected') ? numbers?.level ?? 'connected' : 'connecting';
  byId('call-link').dataset.state = state;
  text(byId('call-link'), t(`link.${state}`) + (roomState === 'restoring' ? ` (${t('link.signaling')})` : ''));
}

function drawNumbers(now) {
  numbers = now;
  text(byId('call-numbers'), now ? t('call.numbers', { rtt: Math.round(now.rttMs), loss: now.lossPct.toFixed(1) }) : '');
  drawLink();
}

const report = ({ rttMs, lossPct }) => room.send({ op: 'quality', rttMs: Math.round(rttMs), lossPct: Math.round(lossPct * 10) / 10, mode });

/** The link does not carry a picture: the voice is worth more. */
async function tooWeak() {
  if (mode !== 'video' || !media.video) return;
  notice(t('call.pictureOff'), true);
  await go('audio');
}

async function go(way) {
  if (way === mode) return;
  mode = way;
  if (way === 'video') await cameraOn();
  else if (media.video) await cameraOff();
  if (way === 'phone' || way === 'written') {
    media.mute(true);
    notice(t(way === 'phone' ? 'call.byPhone' : 'call.byWriting'));
    if (way === 'phone') await showPhone();
  } else if (media.muted) {
    media.mute(false);
  }
  report(numbers ?? { rttMs: 0, lossPct: 0 });
  draw();
}

async function cameraOff() {
  for (const peer of room.peers.values()) await peer.setTrack('video', null);
  media.stopCamera();
}

async function cameraOn() {
  try {
    const track = await media.startCamera(byId('camera-select').value);
    for (const peer of room.peers.values()) {
      await peer.setTrack('video', track);
      await quality.apply(peer);
    }
  } catch (error) {
    mode = 'audio';
    notice(reason(error), true);
  }
}

async function showPhone() {
  await loading(async () => {
    const { items } = await get(`/facilities?q=${encodeURIComponent(consult.stationName)}&limit=20`);
    const station = items.find((item) => item.id === consult.stationId);
    fill(byId('phone'), station?.phone ? [t('call.stationPhone'), ' ', el('a', { href: `tel:${station.phone}` }, station.phone)] : t('call.noPhone'));
  });
}

function notice(words, bad = false) {
  fill(byId('call-notice'), el('p', { class: `notice ${bad ? 'bad' : ''}`, testid: 'call-notice' }, words, ' ',
    button(t('app.close'), () => fill(byId('call-notice')), { class: 'quiet' })));
}

function ended(code) {
  quality?.stop();
  media.stop();
  fill(byId('remotes'), byId('alone'));
  tiles.clear();
  stopWake();
  show(byId('during'), false);
  show(byId('after'), true);
  text(byId('after-text'), code === 4403 || code === 4404 ? t('call.closed') : code === 4401 ? t('app.sessionEnded') : t('call.left'));
}

// ---- the consult beside the call ----

const load = () => loading(async () => {
  consult = await get(`/consults/${encodeURIComponent(pageId)}`);
  text(byId('call-about'), [label('specialty', consult.specialty), consult.stationName, consult.patient?.name, consult.practitionerName].filter(Boolean).join(' · '));
  fill(byId('consult-state'), urgencyChip(consult.urgency), ' ', stateChip(consult.state));
  const moves = ['start', 'interrupt', 'resume'].filter((name) => consult.allowed.includes(name));
  fill(byId('consult-actions'), moves.map((name) => button(t(`transition.${name}`), () => move(consult, name, load, byId('consult-problem')), { testid: `action-${name}`, data: { key: name } })),
    // In a window of its own: writing the outcome must not end the call.
    el('a', { class: 'button', href: `/consults/${encodeURIComponent(consult.id)}`, target: '_blank', rel: 'noopener', testid: 'open-consult' },
      t(consult.allowed.includes('conclude') ? 'call.writeOutcome' : 'call.openConsult')));
});

function chatLine(name, words, own = false) {
  byId('chat').append(el('li', { class: own ? 'own' : '', testid: 'chat-line' }, el('b', {}, name), ' ', el('time', {}, time(new Date())), el('p', {}, words)));
  // Not `scrollIntoView`: that would take the page away from the face one talks to.
  byId('chat').scrollTop = byId('chat').scrollHeight;
}

onSubmit(byId('chat-form'), () => {
  const words = byId('chat-text').value.trim();
  if (!words || !room?.joined) return;
  room.send({ op: 'chat', text: words });
  chatLine(t('call.you'), words, true);
  byId('chat-text').value = '';
});

byId('join').addEventListener('click', join);
byId('rejoin').addEventListener('click', (event) => whileBusy(event.currentTarget, async () => {
  mode = 'video';
  await prepare();
  join();
}));
byId('hangup').addEventListener('click', () => { room.leave(); ended(1000); });
byId('mute').addEventListener('click', () => { media.mute(!media.muted); draw(); });
byId('camera').addEventListener('click', (event) => whileBusy(event.currentTarget, () => go(media.video ? 'audio' : 'video')));

// A phone that falls asleep would leave the call.
let wakeLock;
async function keepAwake() {
  wakeLock = await navigator.wakeLock?.request('screen').catch(() => undefined);
}
function stopWake() {
  wakeLock?.release().catch(() => {});
  wakeLock = undefined;
}
document.addEventListener('visibilitychange', () => { if (!document.hidden && room && !room.left) keepAwake(); });

follow({ subject: `consults/${pageId}` }, load);
prepare();
