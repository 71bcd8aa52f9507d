// The facts of a consult, as far as this person may see them.

import { el, fill } from './dom.js';
import { date, dateTime } from './format.js';
import { newsChip } from './chips.js';
import { label, t } from './texts.js';

export function showFacts(place, consult) {
  fill(place,
    patient(consult.patient),
    prose(consult),
    vitals(consult),
    el('dl', { class: 'facts' },
      fact('field.mode', label('mode', consult.mode)),
      fact('field.urgencyReason', consult.urgencyReason),
      fact('field.requestedAt', dateTime(consult.requestedAt)),
      fact('field.dueAt', consult.state === 'requested' ? dateTime(consult.dueAt) : null),
      fact('field.startedAt', dateTime(consult.startedAt)),
      fact('field.endedAt', dateTime(consult.endedAt)),
      fact('new.consent', consult.consent ? `${label('consentShort', consult.consent.basis)} · ${dateTime(consult.consent.at)}` : null)),
    consult.reasons?.length ? [el('h3', {}, t('field.reasons')), el('ul', { testid: 'reasons' }, consult.reasons.map((one) =>
      el('li', {}, `${t(`transition.${one.transition}`)}, ${dateTime(one.at)}: ${one.reason}`)))] : null);
}

function fact(key, value) {
  return value ? [el('dt', {}, t(key)), el('dd', {}, value)] : null;
}

function patient(person) {
  if (!person) return el('p', { class: 'hint', testid: 'no-identity' }, t('patient.hidden'));
  return el('dl', { class: 'facts', testid: 'patient' },
    fact('field.name', person.name ?? t('patient.temporary')),
    fact('field.birthDate', person.birthDate ? date(`${person.birthDate}T12:00:00+07:00`) : null),
    fact('field.sex', person.sex ? label('sex', person.sex) : null),
    fact('field.personalId', person.personalId),
    fact('field.insuranceNumber', person.insuranceNumber),
    fact('field.phone', person.phone ? el('a', { href: `tel:${person.phone.replace(/[^\d+]/g, '')}` }, person.phone) : null));
}

function prose(consult) {
  const parts = ['situation', 'background', 'assessment', 'request'].filter((name) => consult[name]);
  return parts.map((name) => [el('h3', {}, t(`field.${name}`)), el('p', { class: 'prose', testid: `fact-${name}` }, consult[name])]);
}

const measures = [
  ['respiratoryRate', '/min'], ['spo2', '%'], ['systolic', 'mmHg'], ['diastolic', 'mmHg'], ['pulse', '/min'], ['temperature', '°C'],
];

function vitals(consult) {
  const { vitals: taken, news2 } = consult;
  if (!taken && news2 === undefined) return null;
  const score = (name) => {
    const points = news2?.scores?.[name];
    return el('td', { class: points === undefined ? '' : `score s${points}` }, points === undefined ? '' : points ? `+${points}` : '0');
  };
  const line = (name, value) => el('tr', {}, el('th', { scope: 'row' }, t(`field.${name}`)), el('td', {}, value), score(name));
  const lines = !taken ? [] : [
    ...measures.filter(([name]) => taken[name] !== undefined && taken[name] !== null).map(([name, unit]) => line(name, `${taken[name]} ${unit}`)),
    taken.oxygen === undefined || taken.oxygen === null ? null : line('oxygen', t(taken.oxygen ? 'vitals.oxygen' : 'vitals.air')),
    taken.consciousness ? line('consciousness', label('consciousness', taken.consciousness)) : null,
  ];
  return [
    el('h3', {}, t('new.vitals'), ' ', newsChip(news2), consult.pregnant ? el('span', { class: 'chip' }, t('field.pregnant')) : null),
    lines.length ? el('table', { class: 'vitals', testid: 'vitals' }, el('tbody', {}, lines)) : null,
    taken?.at ? el('p', { class: 'hint' }, t('vitals.at', { time: dateTime(taken.at) })) : null,
  ];
}
