// The state of the link from getStats: what the bar says, what is reported, and when the picture gives way to sound.

const period = 2000;
// Three bad looks in a row (six seconds) before anything is changed: one burst of loss is not a bad link.
const looks = 3;
// What each step may use, from a good link down to a weak one.
const steps = [{ maxBitrate: 700_000, scale: 1 }, { maxBitrate: 250_000, scale: 2 }, { maxBitrate: 90_000, scale: 4 }];

export class Quality {
  /** `show({level, rttMs, lossPct, kbps})`, `report({rttMs, lossPct})`, `tooWeak()` when even the lowest step is too much. */
  constructor(room, { show, report, tooWeak }) {
    this.room = room;
    this.handlers = { show, report, tooWeak };
    this.last = new Map();
    this.step = 0;
    this.bad = 0;
    this.good = 0;
    this.count = 0;
    this.timer = setInterval(() => this.look(), period);
  }

  stop() {
    clearInterval(this.timer);
  }

  async look() {
    const numbers = [];
    for (const peer of this.room.peers.values()) {
      if (peer.state === 'connected') numbers.push(await this.measure(peer));
    }
    if (numbers.length === 0) return this.handlers.show(null);
    // The worst of the connections is what the conversation feels like.
    const rttMs = Math.max(...numbers.map((number) => number.rttMs));
    const lossPct = Math.max(...numbers.map((number) => number.lossPct));
    const kbps = Math.min(...numbers.map((number) => number.available));
    const level = lossPct > 12 || rttMs > 900 ? 'weak' : lossPct > 4 || rttMs > 400 ? 'fair' : 'good';
    this.handlers.show({ level, rttMs, lossPct, kbps });
    this.count += 1;
    if (this.count % 5 === 1) this.handlers.report({ rttMs, lossPct });
    return this.adapt(level, kbps);
  }

  async measure(peer) {
    const stats = await peer.connection.getStats();
    let rttMs = 0;
    let available = Infinity;
    let lost = 0;
    let received = 0;
    let remoteLoss = 0;
    let frames = 0;
    for (const stat of stats.values()) {
      if (stat.type === 'candidate-pair' && stat.nominated && stat.state === 'succeeded') {
        rttMs = Math.max(rttMs, (stat.currentRoundTripTime ?? 0) * 1000);
        if (stat.availableOutgoingBitrate) available = stat.availableOutgoingBitrate / 1000;
      } else if (stat.type === 'inbound-rtp') {
        lost += Math.max(0, stat.packetsLost ?? 0);
        received += stat.packetsReceived ?? 0;
        if (stat.kind === 'video') frames += stat.framesDecoded ?? 0;
      } else if (stat.type === 'remote-inbound-rtp') {
        remoteLoss = Math.max(remoteLoss, (stat.fractionLost ?? 0) * 100);
      }
    }
    peer.sawFrames(frames);
    const before = this.last.get(peer.connection) ?? { lost, received };
    this.last.set(peer.connection, { lost, received });
    const missing = Math.max(0, lost - before.lost);
    const expected = missing + Math.max(0, received - before.received);
    return { rttMs, available, lossPct: Math.max(remoteLoss, expected > 0 ? (missing / expected) * 100 : 0) };
  }

  async adapt(level, kbps) {
    const weak = level === 'weak' || kbps < 60;
    this.bad = weak ? this.bad + 1 : 0;
    this.good = level === 'good' ? this.good + 1 : 0;
    if (this.bad >= looks) {
      this.bad = 0;
      if (this.step < steps.length - 1) await this.use(this.step + 1);
      else this.handlers.tooWeak();
    } else if (this.good >= 10 && this.step > 0) {
      this.good = 0;
      await this.use(this.step - 1);
    }
  }

  async use(step) {
    this.step = step;
    for (const peer of this.room.peers.values()) await limit(peer, steps[step]);
  }

  /** A peer that came later starts where the others are. */
  apply(peer) {
    return limit(peer, steps[this.step]);
  }
}

async function limit(peer, { maxBitrate, scale }) {
  const sender = peer.transceiver('video')?.sender;
  if (!sender) return;
  const parameters = sender.getParameters();
  // Before the first negotiation there is no encoding to limit; the next look comes in two seconds.
  if (!parameters.encodings?.length) return;
  for (const encoding of parameters.encodings) Object.assign(encoding, { maxBitrate, scaleResolutionDownBy: scale });
  await sender.setParameters(parameters).catch((error) => console.warn('encoding', error));
}
