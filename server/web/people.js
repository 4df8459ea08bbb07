/* server/web/people.js - who is here, and who is typing: the presence channel beside the room one looks at.
 * Without guests on the server there is none, and nothing of this is shown. */

import { hueOf, initialOf } from '/message.js';

const TYPING_EVERY_MS = 3_000;      /* at most so often is it said that we are typing */
const TYPING_LASTS_MS = 5_000;      /* and so long it is believed */
const NAMES_MAX = 3;
const ROWS_MAX = 200;               /* of the list; of the others it is said how many they are */
const RENAME_TRIES = 3;
const RENAME_PAUSE_MS = 400;

const $ = (id) => document.getElementById(id);

let client = null;
let identity = null;
let choose = null;              /* (id, name): somebody to write to */
let changed = null;             /* somebody came or went */
let left = null;                /* (id): this one did */
let entered = null;             /* into the same presence channel once more */
let presence = null;            /* the channel */
let typingChannel = null;       /* where typing is told: the presence channel, or a direct conversation */
let unbindTyping = () => {};
let saidTypingAt = -Infinity;
let showDue = false;
let renameTries = 0;
let rows = new Map();           /* id -> { name, isSelf, element } */
const typists = new Map();      /* id -> { name, timer } */

const collator = new Intl.Collator();

const nameOf = (info) => (typeof info?.name === 'string' && info.name.trim() !== '' ? info.name : 'Guest');

/* ---- Who is here ---------------------------------------------------------------------------------------------- */

/* Null: nobody knows. Without a connection it is who was here. */
export function peopleHere() {
  return presence === null || presence.members.size === 0 ? null : presence.members;
}

function makePerson(id, name) {
  const element = $('person-template').content.firstElementChild.cloneNode(true);
  const button = element.querySelector('button');
  const isSelf = id === presence.myId;
  element.dataset.hue = hueOf(name);
  element.querySelector('.avatar').textContent = initialOf(name);
  element.querySelector('bdi').textContent = name;
  element.querySelector('.aside').textContent = isSelf ? 'you' : '';
  button.dataset.id = id;
  button.disabled = isSelf;
  if (!isSelf) button.setAttribute('aria-label', `Write to ${name}`);
  return element;
}

function showPeople() {
  const people = [...presence?.members ?? []].map(([id, info]) => ({ id, name: nameOf(info) }));
  people.sort((a, b) => (b.id === presence.myId) - (a.id === presence.myId) || collator.compare(a.name, b.name));
  showRows(people.slice(0, ROWS_MAX));
  const more = people.length - ROWS_MAX;
  $('people-more').hidden = more <= 0;
  $('people-more').textContent = `and ${more} more`;
  $('people-count').textContent = people.length;
  $('people-button').setAttribute('aria-label', `Who is here: ${people.length}`);
  changed();
}

/* Who stays keeps the element, and with it the focus. */
function showRows(people) {
  const before = rows;
  rows = new Map();
  for (const { id, name } of people) {
    const row = before.get(id);
    const isSame = row?.name === name && row.isSelf === (id === presence.myId);
    rows.set(id, isSame ? row : { name, isSelf: id === presence.myId, element: makePerson(id, name) });
  }
  for (const [id, row] of before) if (rows.get(id) !== row) row.element.remove();
  let next = $('people').firstElementChild;
  for (const { element } of rows.values()) {
    if (element === next) next = next.nextElementSibling;
    else $('people').insertBefore(element, next);
  }
}

/* Once per frame: a crowd comes back one by one. */
function showSoon() {
  if (showDue) return;
  showDue = true;
  requestAnimationFrame(() => {
    showDue = false;
    showPeople();
  });
}

/* The room one looks at now; null: none that knows who is here. */
export function enterPresence(name) {
  if (presence?.name === name) return;
  presence?.unsubscribe();
  presence = null;
  if (name !== null) {
    presence = client.subscribe(name);
    const here = presence;
    here.on('members', () => { if (here === presence) membersChanged(); });
    here.on('leave', ({ id }) => {
      stopped(id);
      left(id);
    });
    here.on('error', () => { if (here === presence) enterPresence(null); });
  }
  showSoon();
}

function membersChanged() {
  showSoon();
  const name = presence.members.get(presence.myId)?.name;
  if (renameTries === 0 || name === undefined) return;
  renameTries = name === identity.name ? 0 : renameTries - 1;
  if (renameTries > 0) stepOut();
}

/* Another window of ours was still in, under the old name. It hears of the new one and steps out as well, so that
 * both come in as somebody new. */
function stepOut() {
  const old = presence;
  old.unsubscribe();
  setTimeout(() => {
    if (presence !== old) return;
    comeBack();
    entered();
  }, RENAME_PAUSE_MS);
}

function comeBack() {
  const name = presence?.name ?? null;
  enterPresence(null);
  enterPresence(name);
}

/* Comes in again under another name; a member's name is fixed while it is here. */
export function renamePresence() {
  renameTries = RENAME_TRIES;
  comeBack();
}

/* ---- Who is typing -------------------------------------------------------------------------------------------- */

function showTyping() {
  const names = [...typists.values()].map(({ name }) => name);
  const who = names.length > NAMES_MAX ? 'Several people'
    : new Intl.ListFormat('en', { type: 'conjunction' }).format(names);
  $('typing').textContent = names.length === 0 ? '' : `${who} ${names.length === 1 ? 'is' : 'are'} typing…`;
}

function stopped(id) {
  clearTimeout(typists.get(id)?.timer);
  if (typists.delete(id)) showTyping();
}

function heardTyping({ userId, json, isReplayed }, peer) {
  const id = userId ?? peer?.id;
  if (isReplayed || id === undefined || id === null || id === identity.id) return;
  stopped(id);
  if (json?.typing !== true) return;
  const name = peer?.name ?? nameOf(presence?.members.get(id));
  typists.set(id, { name, timer: setTimeout(() => stopped(id), TYPING_LASTS_MS) });
  showTyping();
}

/* Who has just said something is no longer typing. */
export function hasSpoken(name) {
  for (const [id, typist] of typists) if (typist.name === name) stopped(id);
}

/* Typing is heard and told here from now on; peer: the one other person of a direct conversation, { id, name }. */
export function watchTyping(channel, peer) {
  if (channel === typingChannel) return;
  forgetTyping();
  unbindTyping();
  typingChannel = channel;
  unbindTyping = channel?.bind('client-typing', (event) => heardTyping(event, peer)) ?? (() => {});
}

/* Without a connection nobody knows. */
export function forgetTyping() {
  for (const id of [...typists.keys()]) stopped(id);
  saidTypingAt = -Infinity;
}

export const presenceChannel = () => presence;

/* Called at every key. */
export function sayTyping(isTyping) {
  const now = performance.now();
  const wasTyping = now - saidTypingAt < TYPING_LASTS_MS;
  if (isTyping ? now - saidTypingAt < TYPING_EVERY_MS : !wasTyping) return;
  saidTypingAt = isTyping ? now : -Infinity;
  typingChannel?.trigger('client-typing', { typing: isTyping });
}

/* Goes on with another client. */
export function movePeople(next) {
  const name = presence?.name ?? null;
  presence = null;
  client = next;
  enterPresence(name);
}

export function startPeople(given) {
  ({ client, identity, choose, changed, left, entered } = given);
  $('people').addEventListener('click', (event) => {
    const button = event.target.closest('button');
    if (button !== null) choose(button.dataset.id, button.querySelector('bdi').textContent);
  });
}
