/* server/web/chat.js - the built-in chat, put together: the connection, where one is, and who tells whom.
 *
 *   storage.js, identity.js     what the browser remembers; our name and guest
 *   thread.js, place.js         the messages of a room or direct conversation; the same tied to its channel
 *   rooms.js, people.js         the lists: places at the one side, people at the other
 *   message.js, conversation.js the place one looks at, in the document
 *   composer.js, panels.js      the text box; drawers and dialogs
 *   ringcast.js                 the protocol */

import { changeDraft, focusText, inspectText, startComposer } from '/composer.js';
import { follow, isAtEnd, isSeen, refreshEnds, showThread, startConversation } from '/conversation.js';
import { Identity } from '/identity.js';
import { hueOf, initialOf } from '/message.js';
import { closeDrawer, openDialog, setHasPeople, startPanels } from '/panels.js';
import { enterPresence, hasSpoken, movePeople, peopleHere, presenceChannel, renamePresence, sayTyping, startPeople,
  watchTyping } from '/people.js';
import { UNKNOWN_KEY } from '/place.js';
import { Ringcast } from '/ringcast.js';
import { allPlaces, directWith, moveRooms, pathOf, recallDirects, removePlace, showPlaces, startRooms, visitRoom }
  from '/rooms.js';

const TRIM_EVERY = 200;         /* messages over the bound before a thread is cut to it */
const ANNOUNCED_MAX = 5;        /* kept for screen readers that are still speaking */
const ITEMS_MAX = 5000;

const $ = (id) => document.getElementById(id);
const setting = (name) => document.querySelector(`meta[name="ringcast-${name}"]`).content;

const hasGuests = setting('guests') === 'yes';
const identity = new Identity();
let key = setting('key');
let client = null;
let base = null;                /* the room of the address */
let current = null;             /* the place one looks at: the room, or a direct conversation over it */
let showDue = false;

/* ---- Where one is --------------------------------------------------------------------------------------------- */

function addressOf(place) {
  return place.kind === 'room' ? pathOf(place) : `${pathOf(base)}#with-${place.peer}`;
}

/* The place that the address names; a conversation that cannot be is left out. */
function fromAddress() {
  const { pathname, hash } = location;
  base = visitRoom(pathname.startsWith('/room/') ? pathname.slice('/room/'.length) : 'lobby');
  const direct = hash.startsWith('#with-') ? directWith(hash.slice('#with-'.length)) : null;
  if (direct !== null) direct.isOpened = true;
  enter(direct ?? base);
}

function go(place) {
  closeDrawer();
  if (place === current) return focusText();
  if (place.kind === 'room') base = visitRoom(place.name);
  else place.isOpened = true;
  history.pushState(null, '', addressOf(place));
  enter(place);
  return focusText();
}

function enter(place) {
  const previous = current;
  current = place;
  showThread(place.thread);
  if (previous !== null && previous !== place) {
    previous.thread.forgetLine();
    previous.thread.trim(true);
  }
  changeDraft(previous, place);
  attend();
  showHead();
  showSoon();
}

/* Who is here and who is typing, in the place one looks at. */
function attend() {
  if (!hasGuests) return;
  enterPresence(base.presenceName);
  const isDirect = current.kind === 'direct';
  const channel = isDirect ? current.channel : presenceChannel();
  watchTyping(channel, isDirect ? { id: current.peer, name: current.name } : null);
}

function writeTo(peer, name) {
  const place = directWith(peer, name);
  if (place !== null) go(place);
}

function leave(place) {
  const wasCurrent = place === current || place === base;
  removePlace(place);
  if (wasCurrent) go(visitRoom(place.kind === 'room' ? 'lobby' : base.name));
  showSoon();
  $('new-room').focus();
}

/* ---- What is shown around the conversation -------------------------------------------------------------------- */

function subtitle() {
  const people = peopleHere();
  if (current.kind === 'direct') {
    return people?.has(current.peer) ? 'Here now · only the two of you see this' : 'Only the two of you see this';
  }
  if (people === null) return current.name === 'lobby' ? 'The room for everybody' : 'Room';
  return people.size === 1 ? 'Only you are here' : `${people.size} people here`;
}

function showHead() {
  $('title').textContent = current.title;
  $('subtitle').textContent = subtitle();
  $('empty-text').textContent = current.kind === 'direct' ? `Say hello to ${current.title}.`
    : 'Whatever is written here reaches everyone in the room at once.';
  setHasPeople(presenceChannel() !== null && current.kind === 'room');
  showTitle();
}

function showTitle() {
  const unread = allPlaces().reduce((sum, { thread }) => sum + thread.unread, 0);
  const elsewhere = unread - current.thread.unread;
  document.title = `${unread > 0 ? `(${unread}) ` : ''}${current.title} · ringcast`;
  $('menu-badge').hidden = elsewhere === 0;
  $('menu-badge').textContent = elsewhere;
  $('menu').setAttribute('aria-label', `Rooms and conversations${elsewhere > 0 ? `, ${elsewhere} unread` : ''}`);
}

/* Once per frame, however much happened; a hidden window has no frames, but its title is read. */
function showSoon() {
  showTitle();
  if (showDue) return;
  showDue = true;
  requestAnimationFrame(() => {
    showDue = false;
    showPlaces(current);
  });
}

function announce(place, { sender, text }) {
  const line = document.createElement('p');
  line.textContent = place.kind === 'room' ? `${sender}: ${text}` : `${sender}, to you alone: ${text}`;
  $('announcer').append(line);
  if ($('announcer').childElementCount > ANNOUNCED_MAX) $('announcer').firstElementChild.remove();
}

/* ---- What places report --------------------------------------------------------------------------------------- */

const told = {
  arrived(place, item) {
    const { thread } = place;
    if (!item.own && item.kind === 'message') {
      if (isSeen(thread)) thread.markRead();
      else thread.countUnread(item);
      if (place === current) hasSpoken(item.sender);
      if (place === current || place.kind === 'direct') announce(place, item);
    }
    if (place !== current) thread.trim(true);
    else if (isAtEnd(thread) && thread.items.length >= ITEMS_MAX + TRIM_EVERY) thread.trim(false);
    showSoon();
  },
  ready(place) {
    if (place === current) showThread(place.thread);
    showSoon();
  },
  changed(place) {
    if (place === current) {
      if (isSeen(place.thread)) place.thread.markRead();
      refreshEnds();
      inspectText();
    }
    showSoon();
  },
  chosen: go,
  left: leave,
};

/* ---- The connection ------------------------------------------------------------------------------------------- */

const STATE_WORDS = {
  closed: 'Connecting…', connecting: 'Connecting…', open: 'Connected', waiting: 'Disconnected', failed: 'Refused',
};

let isTroubled = false;         /* an attempt failed or a connection was lost, and none is open now */
let countdown = 0;

function newClient() {
  client = new Ringcast({ key, authorize: identity.authorize, signIn: hasGuests ? identity.signIn : undefined });
  client.on('state', stateChanged);
  client.user.bind('ringcast-direct', ({ json }) => {
    if (typeof json?.from?.id === 'string') directWith(json.from.id, json.from.name);
  });
  return client;
}

async function stateChanged({ name, code }) {
  isTroubled = name !== 'open' && (isTroubled || name === 'waiting' || name === 'failed');
  if (name !== 'open') for (const place of allPlaces()) place.disconnected();
  clearInterval(countdown);
  if (name === 'waiting') countdown = setInterval(inspectText, 1000);
  showState(code === UNKNOWN_KEY ? 'connecting' : name);
  if (code === UNKNOWN_KEY && !await renewKey()) showState(name);
}

function showState(name) {
  document.documentElement.dataset.state = name;
  $('state').textContent = STATE_WORDS[name];
  $('retry').hidden = name !== 'waiting' && name !== 'failed';
  inspectText();
  showHead();
}

/* A server without apps of its own makes up a key at each start, and writes it into this page. */
async function renewKey() {
  try {
    const page = await (await fetch(location.pathname, { cache: 'no-store' })).text();
    const found = /<meta name="ringcast-key" content="([^"]+)">/.exec(page)?.[1] ?? key;
    if (found === key) return false;
    key = found;
  } catch {
    return false;
  }
  moveRooms(newClient());
  if (hasGuests) {
    movePeople(client);
    attend();
  }
  client.connect();
  return true;
}

/* What stands in the way of sending, apart from the text itself. */
function problem() {
  if (!isTroubled) return null;
  const { name, code, retryAt, reason } = client.state;
  if (name === 'failed' && (code !== UNKNOWN_KEY || !$('retry').hidden)) {
    return { notice: 'The server refuses this page.', detail: reason ?? '' };
  }
  const seconds = Math.ceil((retryAt - Date.now()) / 1000);
  const detail = name === 'waiting' && seconds > 0 ? `Trying again in ${seconds} s` : 'Trying…';
  return { notice: 'Not connected. Your text stays here.', detail };
}

/* ---- Our name ------------------------------------------------------------------------------------------------- */

function showName() {
  $('own-name').textContent = $('guest-name').textContent = identity.name;
  $('own-kind').textContent = identity.isGuest ? 'Guest' : 'You';
  $('own-avatar').textContent = initialOf(identity.name);
  $('own-avatar').dataset.hue = hueOf(identity.name);
  $('invitation').hidden = !identity.isGuest;
}

function askName() {
  closeDrawer();
  openDialog('name', identity.isGuest ? '' : identity.name, (name) => {
    identity.rename(name);
    showName();
    inspectText();
    if (!hasGuests) return;
    renamePresence();
    attend();
  });
}

function act(item, action) {
  if (action === 'retry') current.retry(item);
  if (action === 'remove') current.thread.remove(item);
  $('text').focus();
}

/* ---- Start ---------------------------------------------------------------------------------------------------- */

identity.onGuest = () => {
  const isDirect = current.kind === 'direct';
  recallDirects();
  if (isDirect || location.hash !== '') fromAddress();
  showSoon();
};

startConversation({
  loadOlder: () => current.loadOlder(),
  seen: (thread) => { thread.markRead(); showSoon(); },
  act,
});
startRooms({ client: newClient(), identity, told, isEchoed: setting('lobby-echo') === 'yes' });
startPeople({ client, identity, choose: writeTo, changed: () => { if (current !== null) showHead(); } });
startPanels();
startComposer({
  place: () => current,
  isOpen: () => client.state.name === 'open',
  problem,
  send: (text) => { current.send(text); follow(); },
  typing: sayTyping,
}, { eventBytes: Number(setting('event-bytes-max')), frameBytes: Number(setting('message-bytes-max')) });

$('direct-part').hidden = !hasGuests;
$('new-room').addEventListener('click', () => {
  closeDrawer();
  openDialog('room', '', (name) => go(visitRoom(name)));
});
$('rename').addEventListener('click', askName);
$('choose-name').addEventListener('click', askName);
$('retry').addEventListener('click', () => client.connect());
document.addEventListener('visibilitychange', () => { if (!document.hidden) client.retryNow(); });
addEventListener('online', () => client.retryNow());
addEventListener('popstate', fromAddress);
showName();
fromAddress();
client.connect();
