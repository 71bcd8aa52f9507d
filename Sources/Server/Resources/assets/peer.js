// One connection to one member: perfect negotiation, with the politeness and the generation that the server gave.

const offerPatience = 8000;
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
    this.connection = new RTCPeerConnection(configuration);
    this.listen();
    this.attach(media);
  }

  attach(media) {
    const { connection } = this;
    // Both kinds from the start, also without a device: a camera that is switched on later needs no new offer.
    const streams = [this.local = media.stream];
    this.audio = connection.addTransceiver(media.audio ?? 'audio', { direction: 'sendrecv', streams });
    this.video = connection.addTransceiver(media.video ?? 'video', { direction: 'sendrecv', streams });
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
      // The polite side lets the other begin, and steps in only if nothing comes: fewer collisions on slow links.
      if (this.polite && !connection.remoteDescription) this.later = setTimeout(() => this.offer(), 2500);
      else this.offer();
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
      this.adopt();
      await connection.setLocalDescription();
      this.send('description', { description: connection.localDescription.toJSON() });
    }
    for (const candidate of this.early.splice(0)) await this.candidate(candidate);
  }

  /**
   * An offer that came first made its own transceivers; ours, not yet negotiated, are then left over. The tracks move
   * to the ones that will be used, or the other side would see and hear nothing.
   */
  adopt() {
    for (const kind of ['audio', 'video']) {
      const mine = this[kind];
      if (mine.mid !== null) continue;
      const theirs = this.connection.getTransceivers().find((other) => other !== mine && other.mid !== null && other.receiver.track.kind === kind);
      if (!theirs) continue;
      theirs.direction = 'sendrecv';
      theirs.sender.replaceTrack(mine.sender.track);
      // The same stream on both, so that lips and voice stay together over there.
      theirs.sender.setStreams?.(this.local);
      this[kind] = theirs;
      mine.stop();
    }
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

  /** After a resume that lost messages: whatever was half said is said again. */
  async renegotiate() {
    await this.again();
  }

  configure(configuration) {
    this.connection.setConfiguration(configuration);
  }

  setTrack(kind, track) {
    return this[kind].sender.replaceTrack(track);
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
