/* server/web/rooms.js - the places that this browser knows, and their list at the side: the rooms one has visited and
 * the people one writes to alone. We are subscribed to all of them, so their number is bounded.
 *
 * All windows of a browser share these lists: each change is made to what is stored at that moment, and what another
 * window has added is added here. What was left elsewhere stays here until this window is loaded again. */

import { clockTime, dayName, hueOf, initialOf } from '/message.js';
import { OwnMessages } from '/own.js';
import { Place } from '/place.js';
import { channelOf, roomName } from '/room_name.js';
import { isText, isTextList, listOf, onElsewhere, recall, remember, undone } from '/storage.js';

const ROOMS_MAX = 20;           /* the one visited longest ago leaves first */
const DIRECTS_MAX = 20;         /* the one that was silent longest */
const INVITATIONS_MAX = 20;     /* beside them: they drive no conversation out, and reach whose list is full */
const PREVIEW_CHARACTERS = 90;

const GUEST_ID = /^[A-Za-z0-9_-]{1,64}$/;

const $ = (id) => document.getElementById(id);

let client = null;
let identity = null;
let told = null;
let isInUse = null;             /* (place): is it one where one is? */
let isEchoed = false;
const rooms = new Map();        /* name -> Place, the one visited last is the last */
const directs = new Map();      /* id of the other person -> Place */
const elements = new Map();     /* Place -> its <li> */
const noted = new WeakMap();    /* direct Place -> what we have remembered of it */
let directsOf = null;           /* the guest whose conversations these are */

export const allPlaces = () => [...rooms.values(), ...directs.values()];

/* A channel's letters need no escapes. */
export function pathOf({ name, channelName }) {
  if (name === 'lobby') return '/';
  return `/room/${name === channelName ? name : encodeURIComponent(name)}`;
}

/* The name of the room at this path, which may be percent-encoded; null: there can be no such room. */
export function roomOfPath(path) {
  if (!path.startsWith('/room/')) return 'lobby';
  try {
    return roomName(decodeURIComponent(path.slice('/room/'.length)));
  } catch {
    return null;
  }
}

/* ---- Rooms ---------------------------------------------------------------------------------------------------- */

/* The one visited last is the last. */
function storedRooms() {
  const names = recall('localStorage', 'rooms', isTextList) ?? [];
  return names.filter((name) => roomName(name) === name).slice(-ROOMS_MAX);
}

function rememberRooms(change) {
  remember('localStorage', 'rooms', change(storedRooms()).slice(-ROOMS_MAX));
}

function addRoom(name) {
  const place = new Place({ kind: 'room', name, channelName: channelOf(name), identity, isEchoed, told });
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
    if (oldName !== 'lobby' && old !== place && !isInUse(old)) removePlace(old);
  }
  rememberRooms((names) => [...names.filter((other) => other !== name), name]);
  return place;
}

/* ---- Direct conversations ------------------------------------------------------------------------------------- */

/* Stored as [peer, name, isListed]. One that is not listed is an invitation: the other one has come, and what is said
 * there must be heard, also by a page that is loaded in between. Older pages stored [peer, name] of what was listed. */
const isEntry = (value) => Array.isArray(value) && value.length >= 2 && isTextList(value.slice(0, 2))
  && GUEST_ID.test(value[0]);

const directsKey = () => `directs ${identity.id}`;

function storedDirects() {
  const entries = (recall('localStorage', directsKey(), Array.isArray) ?? []).filter(isEntry);
  return entries.map(([peer, name, listed]) => [peer, name, listed !== false]);
}

const isListed = (place) => place.kind === 'room' || place.isOpened || place.thread.lastMessage !== null;

/* Whoever is known, also while the history has not come. Only what has changed here, or another window's changes
 * would be undone; removePlace() forgets. */
function rememberDirects() {
  const stateOf = (place) => `${isListed(place)} ${place.name}`;
  const changed = [...directs.values()].filter((place) => noted.get(place) !== stateOf(place));
  if (changed.length === 0) return;
  const entries = new Map(storedDirects().map((entry) => [entry[0], entry]));
  for (const place of changed) {
    const { peer, name } = place;
    entries.set(peer, [peer, name, isListed(place) || entries.get(peer)?.[2] === true]);
    noted.set(place, stateOf(place));
  }
  storeDirects(entries);
}

function storeDirects(entries) {
  const [invitations, others] = [false, true].map((is) => [...entries.values()].filter((entry) => entry[2] === is));
  remember('localStorage', directsKey(), [...invitations, ...others].slice(-DIRECTS_MAX - INVITATIONS_MAX));
}

/* An invitation takes the place of an older one, a conversation of the one that was silent longest. False: there is no
 * room for an invitation. */
function makeRoom(isInvited) {
  const all = [...directs.values()], listed = all.filter(isListed), invited = all.length - listed.length;
  const isFull = isInvited ? invited >= INVITATIONS_MAX || all.length >= DIRECTS_MAX + INVITATIONS_MAX
    : listed.length >= DIRECTS_MAX;
  if (!isFull) return true;
  const lastAt = ({ thread }) => thread.lastMessage?.at ?? (thread.isReady ? 0 : Infinity);
  const candidates = all.filter((place) => isListed(place) !== isInvited && !isInUse(place));
  const [leaving] = isInvited ? candidates : candidates.sort((one, other) => lastAt(one) - lastAt(other) || 0);
  if (leaving === undefined) return false;
  removePlace(leaving);
  return true;
}

/* The conversation with this person; null if there can be none. isInvited: it was not we who chose. */
export function directWith(peer, name, { isInvited = false } = {}) {
  if (identity.id === null || peer === identity.id || !GUEST_ID.test(peer)) return null;
  let place = directs.get(peer);
  if (place === undefined) {
    if (!makeRoom(isInvited)) return null;
    const channelName = `private-direct-${[peer, identity.id].sort().join()}`;
    place = new Place({ kind: 'direct', name: name ?? 'Guest', peer, channelName, identity, isEchoed, told });
    directs.set(peer, place);
    place.connect(client);
  }
  if (isText(name)) place.name = name;
  rememberDirects();
  return place;
}

/* Chosen by us: listed from now on, whatever other windows have left. */
export function openDirect(place) {
  place.isOpened = place.isChosen = true;
  noted.delete(place);
  rememberDirects();
}

function addStoredDirects() {
  for (const [peer, name, listed] of storedDirects()) {
    const place = directs.get(peer) ?? directWith(peer, name, { isInvited: true });
    if (place !== null && listed) place.isOpened = true;
  }
}

/* The server has told who we are: another guest has other conversations. */
export function recallDirects() {
  for (const place of [...directs.values()]) dropPlace(place);
  if (directsOf !== null) remember('localStorage', `directs ${directsOf}`, null);    /* nobody can be that one again */
  directsOf = identity.id;
  addStoredDirects();
}

function dropPlace(place) {
  place.leave();
  if (place.kind === 'room') rooms.delete(place.name);
  else directs.delete(place.peer);
  elements.get(place)?.remove();
  elements.delete(place);
  place.forget();
}

export function removePlace(place) {
  dropPlace(place);
  if (place.kind === 'room') rememberRooms((names) => names.filter((name) => name !== place.name));
  else remember('localStorage', directsKey(), storedDirects().filter(([peer]) => peer !== place.peer));
}

/* Makes another window's change again, if we wrote before we heard of it. What is in use here stays. */
function redoRooms({ added, removed }) {
  const isLeft = (name) => removed.includes(name) && !isInUse(rooms.get(name));
  const stays = (name) => !isLeft(name) && !added.includes(name);
  rememberRooms((names) => [...names.filter(stays), ...added.filter(isText)]);
}

function redoDirects({ added, removed }) {
  const entries = new Map(storedDirects().map((entry) => [entry[0], entry]));
  for (const [peer] of removed.filter(isEntry)) if (!isInUse(directs.get(peer))) entries.delete(peer);
  for (const [peer, name, listed] of added.filter(isEntry)) {
    entries.set(peer, [peer, name, listed !== false || entries.get(peer)?.[2] === true]);
  }
  storeDirects(entries);
}

/* What another window has added. */
function listChanged(key, oldValue, newValue) {
  const change = undone(key, oldValue, newValue);
  if (key === 'rooms') {
    if (change !== null) redoRooms(change);
    const names = storedRooms();
    for (const name of names) if (!rooms.has(name)) addRoom(name);
    for (const [name, room] of rooms) {
      if (rooms.size > ROOMS_MAX && name !== 'lobby' && !names.includes(name) && !isInUse(room)) dropPlace(room);
    }
  } else if (identity.id !== null && key === directsKey()) {
    if (change !== null) redoDirects(change);
    addStoredDirects();
  } else if (key.startsWith('own ')) {
    const room = [...rooms.values()].find(({ channelName }) => OwnMessages.keyOf(channelName) === key);
    room?.recallOwn(listOf(newValue)[0], change?.added ?? []);
  } else {
    return;
  }
  told.listed();
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

/* told: what places report (place.js), and chosen(place), left(place), listed() of this list. */
export function startRooms(given) {
  ({ client, identity, told, isInUse, isEchoed } = given);
  for (const name of new Set(['lobby', ...storedRooms()])) addRoom(name);
  onElsewhere(listChanged);
}
