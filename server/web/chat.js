/* server/web/chat.js - the built-in chat, put together: the connection, where one is, and who tells whom.
 *
 *   storage.js, identity.js     what the browser remembers; our name and guest
 *   own.js, unsent.js           which messages are ours; drafts and messages on their way
 *   thread.js, place.js         the messages of a room or direct conversation; the same tied to its channel
 *   rooms.js, people.js         the lists: places at the one side, people at the other
 *   room_name.js, links.js      what rooms may be called; addresses in what is said
 *   message.js, conversation.js the place one looks at, in the document
 *   composer.js, panels.js      the text box; drawers and dialogs
 *   ringcast.js                 the protocol */

import { changeDraft, focusText, inspectText, startComposer } from '/composer.js';
import { follow, isAtEnd, isSeen, refreshEnds, showThread, speak, startConversation } from '/conversation.js';
import { Identity } from '/identity.js';
import { hueOf, initialOf } from '/message.js';
import { closeDrawer, openDialog, setHasPeople, showNoRoom, startPanels } from '/panels.js';
import { enterPresence, forgetTyping, hasSpoken, movePeople, peopleHere, presenceChannel, renamePresence, sayTyping,
  startPeople, watchTyping } from '/people.js';
import { UNKNOWN_KEY } from '/place.js';
import { Ringcast } from '/ringcast.js';
import { roomName } from '/room_name.js';
import { allPlaces, directWith, moveRooms, openDirect, pathOf, recallDirects, removePlace, roomOfPath, showPlaces,
  startRooms, visitRoom } from '/rooms.js';

const TRIM_EVERY = 200;         /* messages over the bound before a thread is cut to it */
const ITEMS_MAX = 5000;
const KEY_WITHIN_MS = 10_000;   /* to ask for the key of today, */
const KEY_FIRST_MS = 1_000;     /* and again: after a random time below this one, doubled with each failure */
const KEY_MAX_MS = 30_000;
const NO_ROOM = 'Letters, digits, spaces and _ - = @ , . ; up to 47 characters, 190 if all are English letters; '
  + 'not starting with private-, presence- or cache-';

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
  const name = roomOfPath(pathname);
  base = visitRoom(name ?? 'lobby');
  const direct = hash.startsWith('#with-') ? directWith(hash.slice('#with-'.length)) : null;
  if (direct !== null) openDirect(direct);
  enter(direct ?? base);
  const toBase = () => history.replaceState(null, '', pathOf(base) + hash);
  if (name === null) showNoRoom(pathname.slice('/room/'.length), toBase);
  else if (pathname !== pathOf(base)) toBase();    /* its one address, not a percent-encoded one */
}

function go(place) {
  closeDrawer();
  if (place === current) return focusText();
  if (place.kind === 'room') base = visitRoom(place.name);
  else openDirect(place);
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

function renamed() {
  showName();
  inspectText();
  if (!hasGuests) return;
  renamePresence();
  attend();
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
  const people = isTroubled ? null : peopleHere();
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
  $('people-head').textContent = isTroubled ? 'Here before' : 'Here now';
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
  speak(place.kind === 'room' ? `${sender}: ${text}` : `${sender}, to you alone: ${text}`);
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
  listed: showSoon,
};

/* ---- The connection ------------------------------------------------------------------------------------------- */

const STATE_WORDS = {
  closed: 'Connecting…', connecting: 'Connecting…', open: 'Connected', waiting: 'Disconnected', failed: 'Refused',
};

let isTroubled = false;         /* an attempt failed or a connection was lost, and none is open now */
let countdown = 0;
let renewal = null;             /* { failures, retryAt, timer } while the key of today is asked for */

function newClient() {
  client = new Ringcast({ key, authorize: identity.authorize, signIn: hasGuests ? identity.signIn : undefined });
  client.on('state', stateChanged);
  client.user.bind('ringcast-direct', ({ json }) => {
    if (typeof json?.from?.id === 'string') directWith(json.from.id, json.from.name, { isInvited: true });
  });
  return client;
}

function stateChanged({ name, code }) {
  isTroubled = name !== 'open' && (isTroubled || name === 'waiting' || name === 'failed');
  if (name !== 'open') {
    for (const place of allPlaces()) place.disconnected();
    forgetTyping();
  }
  if (code === UNKNOWN_KEY) renewKey();
  else showState(name);
}

function showState(name) {
  clearInterval(countdown);
  if (name === 'waiting') countdown = setInterval(inspectText, 1000);
  document.documentElement.dataset.state = name;
  $('state').textContent = STATE_WORDS[name];
  $('retry').hidden = name !== 'waiting' && name !== 'failed';
  inspectText();
  showHead();
}

/* The key that the server writes into this page; null if it does not answer now. */
async function askKey() {
  try {
    const answer = await fetch(location.pathname, { cache: 'no-store', signal: AbortSignal.timeout(KEY_WITHIN_MS) });
    return /<meta name="ringcast-key" content="([^"]+)">/.exec(await answer.text())?.[1] ?? null;
  } catch {
    return null;
  }
}

/* A server without apps of its own makes up a key at each start. One that is just starting, or a proxy before it, may
 * not have the page yet: then again. */
async function renewKey() {
  clearTimeout(renewal?.timer);
  const asking = { failures: renewal?.failures ?? 0, retryAt: null, timer: 0 };
  renewal = asking;
  showState('connecting');
  const found = await askKey();
  if (asking !== renewal) return;
  if (found === null) {
    const delayMs = Math.random() * Math.min(KEY_MAX_MS, KEY_FIRST_MS * 2 ** asking.failures);
    asking.failures += 1;
    asking.retryAt = Date.now() + delayMs;
    asking.timer = setTimeout(renewKey, delayMs);
    showState('waiting');
    return;
  }
  renewal = null;
  if (found === key) {
    showState('failed');
    return;
  }
  key = found;
  moveRooms(newClient());
  if (hasGuests) {
    movePeople(client);
    attend();
  }
  client.connect();
}

/* The network is back, or somebody looks at the page again. */
function lookAgain() {
  if (client.state.code === UNKNOWN_KEY) renewKey();
  else client.retryNow();
}

/* What stands in the way of sending, apart from the text itself. */
function problem() {
  if (!isTroubled) return null;
  const { name, retryAt, reason } = client.state;
  if (name === 'failed' && renewal === null) return { notice: 'The server refuses this page.', detail: reason ?? '' };
  const seconds = Math.ceil(((renewal ?? { retryAt }).retryAt - Date.now()) / 1000);
  const detail = seconds > 0 ? `Trying again in ${seconds} s` : 'Trying…';
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
    renamed();
  });
}

function act(item, action) {
  if (action === 'retry') current.retry(item);
  if (action === 'remove') current.discard(item);
  $('text').focus();
}

/* ---- Start ---------------------------------------------------------------------------------------------------- */

identity.onGuest = () => {
  const isDirect = current.kind === 'direct';
  recallDirects();
  if (isDirect || location.hash !== '') fromAddress();
  showSoon();
};

identity.onRenamed = renamed;

startConversation({
  loadOlder: () => current.loadOlder(),
  seen: (thread) => { thread.markRead(); showSoon(); },
  act,
  dayTurned: showSoon,    /* the list, too, says when something was said */
});
startRooms({
  client: newClient(),
  identity,
  told,
  isInUse: (place) => place === current || place === base,
  isEchoed: setting('lobby-echo') === 'yes',
});
startPeople({
  client,
  identity,
  choose: writeTo,
  changed: () => { if (current !== null) showHead(); },
  left: (id) => allPlaces().find(({ peer }) => peer === id)?.peerLeft(),
  entered: attend,
});
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
  $('room').setCustomValidity('');
  openDialog('room', '', (written) => go(visitRoom(roomName(written))));
});
$('room').addEventListener('input', ({ target }) => {
  target.setCustomValidity(target.value === '' || roomName(target.value) !== null ? '' : NO_ROOM);
});
$('rename').addEventListener('click', askName);
$('choose-name').addEventListener('click', askName);
$('retry').addEventListener('click', () => {
  if (client.state.code === UNKNOWN_KEY) renewKey();
  else client.connect();
});
document.addEventListener('visibilitychange', () => { if (!document.hidden) lookAgain(); });
addEventListener('online', lookAgain);
addEventListener('popstate', fromAddress);
showName();
fromAddress();
client.connect();
