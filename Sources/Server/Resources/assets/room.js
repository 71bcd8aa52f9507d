// The call's socket: a seat in the consult's room that outlives a lost link.

import { backOff, get, openSocket, post, Problem } from './api.js';
import { callable } from './chips.js';
import { Peer } from './peer.js';

const silence = 15_000;
const terminal = new Set([1000, 4401, 4403, 4404]);

/** Handlers: `changed()`, `chat({from, text})`, `state(name)`, `error(code, detail)`, `ended(code)`. */
export class Room {
  constructor(consult, media, handlers, { relay = false } = {}) {
    this.consult = consult;
    this.media = media;
    this.handlers = handlers;
    this.relay = relay;
    this.peers = new Map();
    this.members = new Map();
    this.iceServers = [];
    this.rosterVersion = -1;
    this.attempt = 0;
    this.gone = new AbortController();
    const hurry = () => {
      if (this.timer) this.connect();
      // The link moved from Wi-Fi to mobile: the old paths are dead even if nothing says so yet.
      for (const peer of this.peers.values()) peer.restart();
    };
    // A page that goes away says so; one that only lost its link cannot, and its seat is held.
    window.addEventListener('pagehide', () => this.leave(), this.gone);
    window.addEventListener('online', hurry, this.gone);
    navigator.connection?.addEventListener?.('change', hurry, this.gone);
    this.connect();
  }

  get configuration() {
    return { iceServers: this.iceServers, iceTransportPolicy: this.relay ? 'relay' : 'all', bundlePolicy: 'max-bundle' };
  }

  connect() {
    clearTimeout(this.timer);
    this.timer = undefined;
    const socket = openSocket(`/consults/${encodeURIComponent(this.consult)}/call`, 'hoichan.call.v1');
    this.socket = socket;
    this.joined = false;
    this.heard = Date.now();
    this.handlers.state('connecting');
    clearInterval(this.watch);
    // Neither end sees a link die: a minute of silence would be a minute of talking to nobody.
    this.watch = setInterval(() => this.listen(), 5000);
    socket.onopen = () => {
      // The token is kept in memory only: a page that was loaded anew has lost its connections, so it must join
      // afresh (a new generation), or the others would go on with keys that nobody holds any more.
      socket.send(JSON.stringify({ op: 'join', resume: this.resume }));
    };
    socket.onmessage = ({ data }) => {
      this.heard = Date.now();
      if (this.socket === socket) this.queue(JSON.parse(data));
    };
    socket.onclose = (event) => { if (this.socket === socket) this.lost(event); };
  }

  listen() {
    const quiet = Date.now() - this.heard;
    if (quiet > silence) {
      const socket = this.socket;
      this.lost({ code: 1006 });
      socket?.close();
    } else if (this.joined) {
      this.send({ op: 'ping' });
    }
  }

  /** One message after the other: an offer's work must end before the candidate behind it is looked at. */
  queue(message) {
    this.work = (this.work ?? Promise.resolve()).then(() => this.receive(message)).catch((error) => console.warn(message.op, error));
  }

  async receive(message) {
    switch (message.op) {
      case 'joined': return this.take(message);
      case 'roster': return this.roster(message);
      case 'description': return this.peer(message)?.describe(message.description);
      case 'candidate': return this.peer(message)?.candidate(message.candidate);
      case 'chat': return this.handlers.chat(message);
      case 'ping': return this.send({ op: 'pong' });
      case 'error': return this.refuse(message);
      default: return undefined;
    }
  }

  /** The peer a message is from, if it speaks of the connection that is open now. */
  peer({ from, generation }) {
    const peer = this.peers.get(from);
    return peer && peer.generation === generation ? peer : undefined;
  }

  async take(message) {
    const resumed = this.self === message.self;
    this.self = message.self;
    this.joined = true;
    this.attempt = 0;
    this.iceServers = message.iceServers ?? [];
    this.resume = message.resume;
    this.rosterVersion = -1;
    for (const peer of this.peers.values()) peer.configure(this.configuration);
    this.roster(message.roster);
    this.handlers.state('joined');
    if (message.renegotiate) for (const peer of this.peers.values()) await peer.again();
    else if (resumed) for (const peer of this.peers.values()) if (peer.state === 'restoring') peer.restart();
  }

  roster({ version, members }) {
    if (version <= this.rosterVersion) return;
    this.rosterVersion = version;
    this.members = new Map(members.map((member) => [member.id, member]));
    for (const [id, peer] of this.peers) {
      if (this.members.get(id)?.generation === peer.generation) continue;
      peer.close();
      this.peers.delete(id);
    }
    for (const member of members) {
      if (member.id === this.self) continue;
      const known = this.peers.get(member.id);
      if (known) known.member = member;
      else this.peers.set(member.id, this.meet(member));
    }
    this.handlers.changed();
  }

  meet(member) {
    return new Peer(member, {
      configuration: this.configuration,
      media: this.media,
      changed: () => this.handlers.changed(),
      send: (op, payload) => this.send({ op, to: member.id, generation: member.generation, ...payload }),
    });
  }

  refuse({ code, detail }) {
    if (!this.joined && this.resume) {
      // A seat that is gone is not an end: the next join is a fresh one.
      this.resume = undefined;
      this.send({ op: 'join' });
      return;
    }
    this.handlers.error(code, detail);
  }

  send(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  async lost({ code }) {
    clearInterval(this.watch);
    this.socket = undefined;
    this.joined = false;
    if (this.left) return;
    if (terminal.has(code)) {
      this.close();
      this.handlers.ended(code);
      return;
    }
    // Sound and picture go on without the socket; only what needs the server waits.
    this.handlers.state('restoring');
    this.attempt += 1;
    this.timer = setTimeout(() => this.connect(), this.attempt === 1 ? 300 : backOff(this.attempt - 2, 8000));
    if (this.attempt % 4 === (this.self ? 0 : 1)) await this.stillAllowed();
  }

  /** A refused upgrade shows no status to a page: a ticket and the consult say whether the room is still open to us. */
  async stillAllowed() {
    try {
      await post('/tickets', { purpose: 'call', consultId: this.consult });
      const { state } = await get(`/consults/${encodeURIComponent(this.consult)}`);
      if (!callable.has(state)) throw new Problem(404);
    } catch (problem) {
      if (![401, 403, 404].includes(problem.status)) return;
      this.close();
      this.handlers.ended(4000 + problem.status);
    }
  }

  leave() {
    this.send({ op: 'leave' });
    this.close();
  }

  close() {
    this.left = true;
    clearTimeout(this.timer);
    clearInterval(this.watch);
    this.gone.abort();
    for (const peer of this.peers.values()) peer.close();
    this.peers.clear();
    this.socket?.close(1000);
  }
}
