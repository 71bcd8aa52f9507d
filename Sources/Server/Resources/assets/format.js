// Dates and times as people here read them: Vietnam's clock, whatever the device believes.

import { lang, t } from './texts.js';
import { serverNow } from './api.js';

const zone = 'Asia/Ho_Chi_Minh';
const locale = lang === 'en' ? 'en-GB' : 'vi-VN';
const style = (options) => new Intl.DateTimeFormat(locale, { timeZone: zone, ...options });
const clockStyle = style({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const secondsStyle = style({ hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
const dateStyle = style({ day: '2-digit', month: '2-digit', year: 'numeric' });
const dayStyle = style({ weekday: 'long', day: '2-digit', month: '2-digit' });
const isoDay = new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' });

const instant = (value) => (value instanceof Date ? value : new Date(value));

export const time = (value) => clockStyle.format(instant(value));
export const timeWithSeconds = (value) => secondsStyle.format(instant(value));
export const date = (value) => dateStyle.format(instant(value));
export const dateTime = (value) => (value ? `${time(value)} ${date(value)}` : '');
export const weekday = (value) => dayStyle.format(instant(value));

/** The day in Vietnam as `2026-11-21`. */
export const day = (value = serverNow()) => isoDay.format(instant(value));
/** Vietnam has had no summer time since 1975, so a day's edge can be written with a fixed offset. */
export const dayStart = (name) => `${name}T00:00:00+07:00`;
export const addDays = (name, count) => day(new Date(Date.parse(dayStart(name)) + count * 86_400_000));
export const today = (value) => day(value) === day();

/** From and to the value of an `<input type="datetime-local">`. */
export const toWire = (local) => `${local.length === 16 ? `${local}:00` : local}+07:00`;
export function toLocal(value) {
  const moment = instant(value);
  return `${day(moment)}T${new Intl.DateTimeFormat('en-GB', { timeZone: zone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(moment)}`;
}

/** How RFC 3339 wants an instant of this device's clock. */
export const wireNow = (milliseconds = serverNow()) => `${new Date(milliseconds + 7 * 3_600_000).toISOString().slice(0, 19)}+07:00`;

/** "12 giây", "5 phút", "2 giờ 5 phút": an age, rounded down, never "just now". */
export function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return t('time.seconds', { n: whole });
  if (whole < 3600) return t('time.minutes', { n: Math.floor(whole / 60) });
  if (whole < 86_400) return t('time.hours', { n: Math.floor(whole / 3600), m: Math.floor((whole % 3600) / 60) });
  return t('time.days', { n: Math.floor(whole / 86_400) });
}

/** A running clock: "4:05", "1:02:05". */
export function clock(milliseconds) {
  const whole = Math.floor(Math.abs(milliseconds) / 1000);
  const pad = (value) => String(value).padStart(2, '0');
  const minutes = Math.floor(whole / 60) % 60;
  const hours = Math.floor(whole / 3600);
  return hours ? `${hours}:${pad(minutes)}:${pad(whole % 60)}` : `${minutes}:${pad(whole % 60)}`;
}

/** When, shortly: only the time if it is today. */
export const brief = (value) => (today(value) ? time(value) : dateTime(value));
