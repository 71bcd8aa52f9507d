// Camera and microphone: asked for before the call, so that trouble shows while there is time to mend it.

import { t } from './texts.js';

const sound = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
// Enough to judge a face, a wound or an ECG sheet, and still fit a station's uplink.
const picture = { width: { ideal: 640 }, height: { ideal: 360 }, frameRate: { ideal: 20, max: 24 } };

export class Media {
  constructor() {
    this.stream = new MediaStream();
    this.muted = false;
  }

  get audio() {
    return this.stream.getAudioTracks()[0] ?? null;
  }

  get video() {
    return this.stream.getVideoTracks()[0] ?? null;
  }

  /** Opens what it can. Returns the failure to show, or null: sound without a picture is still a call. */
  async open({ camera = true, cameraId, micId } = {}) {
    this.stop();
    if (!navigator.mediaDevices?.getUserMedia) return t('media.insecure');
    const audio = { ...sound, ...(micId ? { deviceId: { exact: micId } } : {}) };
    const video = camera ? { ...picture, ...(cameraId ? { deviceId: { exact: cameraId } } : {}) } : false;
    try {
      this.take(await navigator.mediaDevices.getUserMedia({ audio, video }));
      return null;
    } catch (error) {
      if (!camera) return reason(error);
      const problem = reason(error);
      for (const constraints of [{ audio }, { video }]) {
        try {
          this.take(await navigator.mediaDevices.getUserMedia(constraints));
          return problem;
        } catch {
          // The next kind alone may still open.
        }
      }
      return problem;
    }
  }

  take(stream) {
    for (const track of stream.getTracks()) this.stream.addTrack(track);
    if (this.audio) this.audio.enabled = !this.muted;
  }

  mute(muted) {
    this.muted = muted;
    if (this.audio) this.audio.enabled = !muted;
  }

  /** Really off: the camera's light goes out. */
  stopCamera() {
    for (const track of this.stream.getVideoTracks()) {
      track.stop();
      this.stream.removeTrack(track);
    }
  }

  async startCamera(cameraId) {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { ...picture, ...(cameraId ? { deviceId: { exact: cameraId } } : {}) } });
    this.stopCamera();
    this.stream.addTrack(stream.getVideoTracks()[0]);
    return this.video;
  }

  stop() {
    for (const track of this.stream.getTracks()) {
      track.stop();
      this.stream.removeTrack(track);
    }
  }
}

export function reason(error) {
  switch (error?.name) {
    case 'NotAllowedError':
    case 'SecurityError': return t('media.refused');
    case 'NotFoundError':
    case 'OverconstrainedError': return t('media.none');
    case 'NotReadableError':
    case 'AbortError': return t('media.busy');
    default: return t('media.failed');
  }
}

/** The level of a stream's sound, 0 to 1, about ten times a second. Returns a function that stops it. */
export function meter(stream, show) {
  const Context = window.AudioContext ?? window.webkitAudioContext;
  if (!Context || stream.getAudioTracks().length === 0) return () => {};
  const context = new Context();
  const analyser = context.createAnalyser();
  analyser.fftSize = 512;
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    // Speech lies around -30 dB: a logarithmic scale moves as people expect.
    show(Math.min(1, Math.max(0, (10 * Math.log10(power + 1e-10) + 60) / 50)));
  }, 100);
  return () => {
    clearInterval(timer);
    context.close();
  };
}
