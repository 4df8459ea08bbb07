/* server/web/message.js - one message as an element: who, when, the text with its links, how far it got.
 * What others wrote enters the document as text, and as href of a link that begins with http(s):// or mailto:. */

import { findLinks } from '/links.js';

const GROUP_WITHIN_MS = 5 * 60_000; /* the name is not repeated within this time */
const HUES = 8;                     /* sender colours in conversation.css */
const EMOJI_MAX = 3;                /* so many emoji and nothing else are shown large */
const DAY_MS = 86_400_000;

const EMOJI_ONLY = /^(?:\p{RI}{2}|\p{Emoji_Presentation}|\p{Emoji}\uFE0F|\p{EMod}|\u200D|\s)+$/u;

const STATES = {
  sending: 'Sending',
  sent: 'Sent',
  failed: 'Not sent',
};

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const fullDay = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'long', year: 'numeric' });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });

const $ = (id) => document.getElementById(id);

export const clockTime = (at) => clock.format(at);

/* Noon, so that a change to summer time does not move a day. */
const dayOf = (at) => new Date(at).setHours(12, 0, 0, 0);

const capital = (text) => text.charAt(0).toLocaleUpperCase() + text.slice(1);

/* "Today", "Yesterday", "Monday, 3 May", "3 May 2024". */
export function dayName(at, now = Date.now()) {
  const daysAgo = Math.round((dayOf(now) - dayOf(at)) / DAY_MS);
  if (daysAgo < 2 && daysAgo >= 0) return capital(relative.format(-daysAgo, 'day'));
  return (daysAgo < 300 ? weekday : fullDay).format(at);
}

export function hueOf(name) {
  let hash = 0;
  for (const letter of name) hash = (hash * 31 + letter.codePointAt(0)) % 65_521;
  return hash % HUES;
}

export function initialOf(name) {
  return ([...name.trim()][0] ?? '?').toUpperCase();
}

/* Text with its addresses as links. */
function linkedText(text) {
  const parts = document.createDocumentFragment();
  let done = 0;
  for (const { index, text: address, href } of findLinks(text)) {
    const link = document.createElement('a');
    link.href = href;
    if (!href.startsWith('mailto:')) link.target = '_blank';
    link.rel = 'noopener noreferrer';
    link.textContent = address;
    parts.append(text.slice(done, index), link);
    done = index + address.length;
  }
  parts.append(text.slice(done));
  return parts;
}

function isLargeEmoji(text) {
  if (text.length > EMOJI_MAX * 12 || !EMOJI_ONLY.test(text)) return false;
  return [...new Intl.Segmenter().segment(text.replace(/\s/gu, ''))].length <= EMOJI_MAX;
}

/* How far an own message got, in words. */
function stateOf({ state, code }) {
  return state === 'failed' && code === 'uncertain' ? 'Perhaps not sent' : STATES[state];
}

/* What went wrong with one; empty if nothing did. */
export function troubleOf(item) {
  return item.state === 'failed' ? `${stateOf(item)}: ${item.reason}` : '';
}

/* The element of an item, undressed: see dress(). */
export function makeElement(item) {
  const element = $(`${item.kind}-template`).content.firstElementChild.cloneNode(true);
  if (item.kind === 'note') {
    element.querySelector('.text').textContent = item.text;
    return element;
  }
  element.querySelector('.text').append(linkedText(item.text));
  element.classList.toggle('large', isLargeEmoji(item.text));
  return element;
}

/* What depends on the neighbours and on how far the message got. Cheap enough to do again at every change. */
export function dress(element, item, previous, isFirstUnread) {
  const time = element.querySelector('time');
  time.dateTime = new Date(item.at).toISOString();
  time.textContent = clock.format(item.at);
  time.title = calendar.format(item.at);
  const newDay = previous === undefined || dayOf(previous.at) !== dayOf(item.at);
  separator(element, 'day', newDay ? dayName(item.at) : null);
  separator(element, 'fresh', isFirstUnread ? 'New messages' : null);
  if (item.kind === 'note') return;
  const grouped = !newDay && !isFirstUnread && previous.kind === 'message' && previous.sender === item.sender
    && previous.own === item.own && item.at - previous.at < GROUP_WITHIN_MS;
  element.classList.toggle('grouped', grouped);
  element.classList.toggle('own', item.own);
  element.dataset.hue = hueOf(item.sender);
  element.dataset.state = item.state;
  element.querySelector('.avatar').textContent = initialOf(item.sender);
  element.querySelector('.name').textContent = item.sender;
  const tick = element.querySelector('.tick');
  tick.toggleAttribute('hidden', !item.own);    /* SVG has the attribute only */
  tick.setAttribute('aria-label', stateOf(item));
  tick.setAttribute('title', stateOf(item));
  element.querySelector('.trouble').hidden = item.state !== 'failed';
  element.querySelector('.reason').textContent = troubleOf(item);
}

function separator(element, name, text) {
  let line = element.querySelector(`:scope > .${name}`);
  if (text === null) return line?.remove();
  if (line === null) {
    line = document.createElement('p');
    line.className = name;
    line.append(document.createElement('span'));
    if (name === 'day') element.prepend(line);
    else element.querySelector(':scope > .body').before(line);
  }
  line.firstElementChild.textContent = text;
}
