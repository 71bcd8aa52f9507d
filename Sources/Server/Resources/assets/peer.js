// One connection to one member: perfect negotiation, with the politeness and the generation that the server gave.

const offerPatience = 8000;
const politePatience = 2500;
const disconnectedPatience = 4000;

export class Peer {
  /** `send(op, payload)` relays to this member; `changed()` says that a state or a stream is new. */
  constructor(member, { configuration, media, send, changed }) {
    this.id = member.id;
    this.member = member;
    this.generation = member.generation;
    this.polite = member.polite;
    this.send = send;
    this.changed = changed;
    this.stream = new MediaStream();
    this.makingOffer = false;
    this.ignoreOffer = false;
    this.settingAnswer = false;
    this.early = [];
    // Whether new frames come; a track says nothing when the other side just stops sending.
    this.picture = false;
    this.frames = 0;
    this.still = 0;
    this.connection = new RTCPeerConnection(configuration);
    this.listen();
    this.attach(media);
  }

  /** By `addTrack`, so that an offer that comes first uses these same lines instead of making its own. */
  attach(media) {
    this.local = media.stream;
    for (const track of media.stream.getTracks()) this.connection.addTrack(track, media.stream);
    // The polite side lets the other begin, and steps in only if nothing comes: fewer collisions on slow links.
    if (this.polite) this.later = setTimeout(() => this.offer(), politePatience);
    else this.complete();
  }

  transceiver(kind) {
    return this.connection.getTransceivers().find((one) => one.receiver.track.kind === kind && one.currentDirection !== 'stopped');
  }

  /** Both kinds both ways, also without a device: a camera that is switched on later needs no new offer. */
  complete() {
    for (const kind of ['audio', 'video']) {
      const found = this.transceiver(kind);
      if (!found) {
        this.connection.addTransceiver(kind, { direction: 'sendrecv', streams: [this.local] });
      } else if (found.direction !== 'sendrecv') {
        found.direction = 'sendrecv';
        // The same stream for both, so that lips and voice stay together over there.
        found.sender.setStreams?.(this.local);
      }
    }
  }

  listen() {
    const { connection } = this;
    connection.ontrack = ({ track }) => {
      for (const old of this.stream.getTracks()) if (old.kind === track.kind && old !== track) this.stream.removeTrack(old);
      this.stream.addTrack(track);
      track.onmute = track.onunmute = () => this.changed();
      this.changed();
    };
    connection.onicecandidate = ({ candidate }) => this.send('candidate', { candidate: candidate ? candidate.toJSON() : null });
    connection.onnegotiationneeded = () => {
      if (!this.polite || connection.remoteDescription) this.offer();
    };
    connection.oniceconnectionstatechange = () => {
      clearTimeout(this.broken);
      const state = connection.iceConnectionState;
      if (state === 'failed') this.restart();
      if (state === 'disconnected') this.broken = setTimeout(() => this.restart(), disconnectedPatience);
      this.changed();
    };
    connection.onconnectionstatechange = () => this.changed();
  }

  async offer() {
    clearTimeout(this.later);
    const { connection } = this;
    if (this.makingOffer || connection.signalingState !== 'stable') return;
    try {
      this.makingOffer = true;
      this.complete();
      await connection.setLocalDescription();
      this.send('description', { description: connection.localDescription.toJSON() });
      this.watchOffer();
    } catch (error) {
      // Closed, or overtaken by the other side's offer in this very moment: that one leads.
      if (connection.signalingState !== 'closed') console.warn('offer', error);
    } finally {
      this.makingOffer = false;
    }
  }

  /** An offer or its answer can be lost with a socket; without this both sides would wait for ever. */
  watchOffer() {
    clearTimeout(this.unanswered);
    this.unanswered = setTimeout(() => this.again(), offerPatience);
  }

  /** Whatever was half said is said again. */
  async again() {
    const { connection } = this;
    if (connection.signalingState === 'have-local-offer') await connection.setLocalDescription({ type: 'rollback' }).catch(() => {});
    if (connection.signalingState === 'stable') this.restart();
  }

  async describe(description) {
    clearTimeout(this.later);
    const { connection } = this;
    const ready = !this.makingOffer && (connection.signalingState === 'stable' || this.settingAnswer);
    const collision = description.type === 'offer' && !ready;
    this.ignoreOffer = !this.polite && collision;
    if (this.ignoreOffer) return;
    // An answer to an offer that was rolled back meanwhile.
    if (description.type === 'answer' && connection.signalingState !== 'have-local-offer') return;
    try {
      this.settingAnswer = description.type === 'answer';
      await connection.setRemoteDescription(description);
    } finally {
      this.settingAnswer = false;
    }
    clearTimeout(this.unanswered);
    if (description.type === 'offer') {
      this.complete();
      await connection.setLocalDescription();
      this.send('description', { description: connection.localDescription.toJSON() });
    }
    for (const candidate of this.early.splice(0)) await this.candidate(candidate);
  }

  async candidate(candidate) {
    if (!this.connection.remoteDescription) {
      this.early.push(candidate);
      return;
    }
    try {
      await this.connection.addIceCandidate(candidate ?? undefined);
    } catch (error) {
      if (!this.ignoreOffer) console.warn('candidate', error);
    }
  }

  restart() {
    if (this.connection.signalingState === 'closed') return;
    this.connection.restartIce();
  }

  configure(configuration) {
    this.connection.setConfiguration(configuration);
  }

  setTrack(kind, track) {
    return this.transceiver(kind)?.sender.replaceTrack(track);
  }

  /** Told the number of frames decoded so far, every two seconds: a frozen picture must not look live. */
  sawFrames(count) {
    this.still = count > this.frames ? 0 : this.still + 1;
    this.frames = count;
    const picture = this.still < 2 && count > 0;
    if (picture === this.picture) return;
    this.picture = picture;
    this.changed();
  }

  get state() {
    const { connectionState, iceConnectionState } = this.connection;
    if (connectionState === 'connected' && iceConnectionState !== 'disconnected') return 'connected';
    if (connectionState === 'failed' || iceConnectionState === 'failed' || iceConnectionState === 'disconnected') return 'restoring';
    return 'connecting';
  }

  close() {
    for (const timer of [this.later, this.unanswered, this.broken]) clearTimeout(timer);
    this.connection.onnegotiationneeded = null;
    this.connection.close();
  }
}
