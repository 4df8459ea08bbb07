/* server/web/people.js - who is here, and who is typing: the presence channel beside the room one looks at.
 * Without guests on the server there is none, and nothing of this is shown. */

import { hueOf, initialOf } from '/message.js';

const TYPING_EVERY_MS = 3_000;      /* at most so often is it said that we are typing */
const TYPING_LASTS_MS = 5_000;      /* and so long it is believed */
const NAMES_MAX = 3;

const $ = (id) => document.getElementById(id);

let client = null;
let identity = null;
let choose = null;              /* (id, name): somebody to write to */
let changed = null;             /* somebody came or went */
let presence = null;            /* the channel */
let typingChannel = null;       /* where typing is told: the presence channel, or a direct conversation */
let unbindTyping = () => {};
let saidTypingAt = -Infinity;
const typists = new Map();      /* id -> { name, timer } */

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
  const focusedId = document.activeElement?.closest('#people button')?.dataset.id;
  const people = [...presence?.members ?? []].map(([id, info]) => ({ id, name: nameOf(info) }));
  people.sort((a, b) => (b.id === presence.myId) - (a.id === presence.myId) || a.name.localeCompare(b.name));
  $('people').replaceChildren(...people.map(({ id, name }) => makePerson(id, name)));
  $('people-count').textContent = people.length;
  $('people-button').setAttribute('aria-label', `Who is here: ${people.length}`);
  if (focusedId !== undefined) $('people').querySelector(`button[data-id="${CSS.escape(focusedId)}"]`)?.focus();
  changed();
}

/* The room one looks at now; null: none that knows who is here. */
export function enterPresence(name) {
  if (presence?.name === name) return;
  presence?.unsubscribe();
  presence = null;
  if (name !== null) {
    presence = client.subscribe(name);
    const entered = presence;
    entered.on('members', () => { if (entered === presence) showPeople(); });
    entered.on('leave', ({ id }) => stopped(id));
    entered.on('error', () => { if (entered === presence) enterPresence(null); });
  }
  showPeople();
}

/* Comes in again under another name; a member's name is fixed while it is here. */
export function renamePresence() {
  const name = presence?.name ?? null;
  enterPresence(null);
  enterPresence(name);
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
  for (const id of [...typists.keys()]) stopped(id);
  unbindTyping();
  typingChannel = channel;
  saidTypingAt = -Infinity;
  unbindTyping = channel?.bind('client-typing', (event) => heardTyping(event, peer)) ?? (() => {});
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
  ({ client, identity, choose, changed } = given);
  $('people').addEventListener('click', (event) => {
    const button = event.target.closest('button');
    if (button !== null) choose(button.dataset.id, button.querySelector('bdi').textContent);
  });
}
