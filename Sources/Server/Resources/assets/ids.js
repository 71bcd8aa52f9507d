// UUIDv7: made on the device, so that a request has its name before the link is there to carry it.

let lastTime = 0;
let counter = 0;

export function uuid7() {
  let now = Date.now();
  // A clock that stands still or steps back must not break the order: the outbox sorts by these ids.
  if (now <= lastTime) {
    now = lastTime;
    counter += 1;
    if (counter > 0xfff) {
      counter = 0;
      now += 1;
    }
  } else {
    counter = 0;
  }
  lastTime = now;
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  for (let index = 5, rest = now; index >= 0; index -= 1, rest = Math.floor(rest / 256)) bytes[index] = rest % 256;
  bytes[6] = 0x70 | (counter >> 8);
  bytes[7] = counter & 0xff;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
