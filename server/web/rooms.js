/* server/web/rooms.js - the places that this browser knows, and their list at the side: the rooms one has visited and
 * the people one writes to alone. We are subscribed to all of them, so their number is bounded. */

import { clockTime, dayName, hueOf, initialOf } from '/message.js';
import { Place } from '/place.js';
import { isText, isTextList, recall, remember } from '/storage.js';

const ROOMS_MAX = 20;           /* the one visited longest ago leaves first */
const DIRECTS_MAX = 20;
const PREVIEW_CHARACTERS = 90;

const ROOM_NAME = /^(?!private-|presence-|cache-)(?!\.{1,2}$)[A-Za-z0-9_\-=@,.;]{1,200}$/;
const GUEST_ID = /^[A-Za-z0-9_-]{1,64}$/;

const $ = (id) => document.getElementById(id);

let client = null;
let identity = null;
let told = null;
let isEchoed = false;
const rooms = new Map();        /* name -> Place, the one visited last is the last */
const directs = new Map();      /* id of the other person -> Place */
const elements = new Map();     /* Place -> its <li> */

export const allPlaces = () => [...rooms.values(), ...directs.values()];

export const pathOf = (room) => (room.name === 'lobby' ? '/' : `/room/${room.name}`);

/* ---- Rooms ---------------------------------------------------------------------------------------------------- */

function rememberRooms() {
  remember('localStorage', 'rooms', [...rooms.keys()]);
}

function addRoom(name) {
  const place = new Place({ kind: 'room', name, channelName: name, identity, isEchoed, told });
  rooms.set(name, place);
  place.connect(client);
  return place;
}

/* Visits a room. */
export function visitRoom(name) {
  const place = rooms.get(name) ?? addRoom(name);
  rooms.delete(name);
  rooms.set(name, place);
  for (const [oldName, old] of rooms) {
    if (rooms.size <= ROOMS_MAX) break;
    if (oldName !== 'lobby') removePlace(old);
  }
  rememberRooms();
  return place;
}

/* ---- Direct conversations ------------------------------------------------------------------------------------- */

const isPair = (value) => isTextList(value) && value.length === 2 && GUEST_ID.test(value[0]);
const isPairList = (value) => Array.isArray(value) && value.every(isPair);

const isListed = (place) => place.kind === 'room' || place.isOpened || place.thread.lastMessage !== null;

function rememberDirects() {
  const pairs = [...directs.values()].filter(isListed).map(({ peer, name }) => [peer, name]);
  remember('localStorage', `directs ${identity.id}`, pairs);
}

/* The conversation with this person; null if there can be none. */
export function directWith(peer, name) {
  if (identity.id === null || peer === identity.id || !GUEST_ID.test(peer)) return null;
  let place = directs.get(peer);
  if (place === undefined) {
    const channelName = `private-direct-${[peer, identity.id].sort().join()}`;
    place = new Place({ kind: 'direct', name: name ?? 'Guest', peer, channelName, identity, isEchoed, told });
    directs.set(peer, place);
    place.connect(client);
    for (const old of [...directs.values()].slice(0, -DIRECTS_MAX)) removePlace(old);
  }
  if (isText(name)) place.name = name;
  return place;
}

/* The server has told who we are: another guest has other conversations. */
export function recallDirects() {
  for (const place of [...directs.values()]) removePlace(place);
  const pairs = recall('localStorage', `directs ${identity.id}`, isPairList) ?? [];
  for (const [peer, name] of pairs) directWith(peer, name);
}

export function removePlace(place) {
  place.leave();
  if (place.kind === 'room') rooms.delete(place.name);
  else directs.delete(place.peer);
  elements.get(place)?.remove();
  elements.delete(place);
  remember('localStorage', `read ${place.channelName}`, null);
  if (place.kind === 'room') rememberRooms();
  else rememberDirects();
}

/* ---- The list ------------------------------------------------------------------------------------------------- */

function previewOf({ kind, thread }) {
  const last = thread.lastMessage;
  if (last === null) return '';
  const text = last.text.slice(0, PREVIEW_CHARACTERS).replace(/\s+/g, ' ');
  if (last.own) return `You: ${text}`;
  return kind === 'room' ? `${last.sender}: ${text}` : text;
}

function whenOf({ thread }) {
  const at = thread.lastMessage?.at;
  if (at === undefined) return '';
  const day = dayName(at);
  return day === dayName(Date.now()) ? clockTime(at) : day.replace(/,? \d{4}$/, '').replace(/^.*, /, '');
}

export const countText = ({ thread }) => `${thread.unread}${thread.unreadIsMore ? '+' : ''}`;

function makePlace(place) {
  const element = $('place-template').content.firstElementChild.cloneNode(true);
  const leave = element.querySelector('.leave');
  element.querySelector('a').addEventListener('click', (event) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    told.chosen(place);
  });
  leave.addEventListener('click', () => told.left(place));
  leave.hidden = place.kind === 'room' && place.name === 'lobby';
  elements.set(place, element);
  return element;
}

function showPlace(place, current) {
  const element = elements.get(place) ?? makePlace(place);
  const { unread } = place.thread;
  const link = element.querySelector('a');
  const sign = element.querySelector('.sign');
  const isDirect = place.kind === 'direct';
  link.href = isDirect ? `#with-${place.peer}` : pathOf(place);
  if (place === current) link.setAttribute('aria-current', 'page');
  else link.removeAttribute('aria-current');
  sign.textContent = isDirect ? initialOf(place.name) : '#';
  sign.classList.toggle('avatar', isDirect);
  element.dataset.hue = hueOf(place.name);
  element.classList.toggle('has-unread', unread > 0);
  element.querySelector('bdi').textContent = place.title;
  element.querySelector('time').textContent = whenOf(place);
  element.querySelector('.preview').textContent = previewOf(place);
  const badge = element.querySelector('.badge');
  badge.hidden = unread === 0;
  badge.textContent = countText(place);
  badge.setAttribute('aria-label', `${countText(place)} unread`);
  element.querySelector('.leave').setAttribute('aria-label', `${isDirect ? 'Close' : 'Leave'} ${place.title}`);
  return element;
}

/* The lobby first, then by name: what stands still can be found. */
const byName = (a, b) => (b.channelName === 'lobby') - (a.channelName === 'lobby') || a.name.localeCompare(b.name);

function showList(list, places, current) {
  places.sort(byName).forEach((place, index) => {
    const element = showPlace(place, current);
    if (list.children[index] !== element) list.insertBefore(element, list.children[index] ?? null);
  });
  while (list.children.length > places.length) list.lastElementChild.remove();
}

export function showPlaces(current) {
  const listed = [...directs.values()].filter(isListed);
  showList($('rooms'), [...rooms.values()], current);
  showList($('directs'), listed, current);
  $('no-directs').hidden = listed.length > 0;
  for (const place of allPlaces()) place.rememberRead();
  if (identity.id !== null) rememberDirects();
}

/* All go on with another client. */
export function moveRooms(next) {
  client = next;
  for (const place of allPlaces()) place.connect(client);
}

/* told: what places report (place.js), and chosen(place), left(place) of this list. */
export function startRooms(given) {
  ({ client, identity, told, isEchoed } = given);
  const names = recall('localStorage', 'rooms', isTextList) ?? [];
  for (const name of new Set(['lobby', ...names.filter((name) => ROOM_NAME.test(name)).slice(-ROOMS_MAX)])) {
    addRoom(name);
  }
}
