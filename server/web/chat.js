/* server/web/chat.js - the built-in chat: one raw WebSocket to the page's own path, the name and the text box.
 * On the wire a message is plain text, "NAME: text", so every raw client of the room can read it and write it. */

import { showMessage, showNote, startConversation } from '/conversation.js';

const RETRY_FIRST_MS = 500;         /* ceiling of the first delay; doubles with each failure */
const RETRY_MAX_MS = 30_000;
const CONNECT_TIMEOUT_MS = 10_000;
const STEADY_AFTER_MS = 10_000;     /* a connection that lasted this long starts the delays afresh */
const NAME_LENGTH_MAX = 32;

/* Close codes that tell a person something (RFC 6455 7.4.1 and its IANA registry). */
const CLOSE_WORDS = {
  1001: 'The server stopped',
  1009: 'The server refused a message as too long',
  1013: 'The server is busy',
};

const $ = (id) => document.getElementById(id);
const setting = (name) => document.querySelector(`meta[name="ringcast-${name}"]`).content;

const echoed = setting('lobby-echo') === 'yes';     /* the server also returns what we send */
const messageBytesMax = Number(setting('message-bytes-max'));
const room = location.pathname.startsWith('/room/') ? location.pathname.slice('/room/'.length) : null;

/* ---- Name ------------------------------------------------------------------------------------------------------ */

/* Storage throws where it is switched off; the chat works without it. */
function remember(storage, key, value) {
  try { window[storage].setItem(key, value); } catch { /* the name then lasts as long as the page */ }
}

function recall(storage, key) {
  try { return window[storage].getItem(key); } catch { return null; }
}

/* The separator and line breaks cannot be part of a name. */
function cleanName(name) {
  return [...name.replace(/[:\s]+/g, ' ').trim()].slice(0, NAME_LENGTH_MAX).join('').trim();
}

/* A chosen name is for every window, a made-up one for this window alone: two fresh windows are two guests. */
const guestName = recall('sessionStorage', 'guest') ?? `Guest ${1000 + Math.floor(Math.random() * 9000)}`;
remember('sessionStorage', 'guest', guestName);

function ownName() {
  return cleanName($('name').value) || guestName;
}

function nameChanged() {
  remember('localStorage', 'name', cleanName($('name').value));   /* cleared: a guest again */
  $('name').value = ownName();
  inspectText();
}

/* ---- The connection -------------------------------------------------------------------------------------------- */

const STATE_WORDS = { connecting: 'Connecting…', open: 'Connected', closed: 'Disconnected' };

let socket = null;
let state = 'connecting';
let failures = 0;           /* attempts since a connection lasted; the exponent of the delay */
let openedBefore = false;   /* this page has been connected at some time */
let troubled = false;       /* an attempt failed or a connection was lost, and none is open now */
let retryTimer = 0;
const unconfirmed = [];     /* sent and not yet come back; used only when the server echoes */

function enterState(next) {
  state = next;
  document.documentElement.dataset.state = state;
  $('state').textContent = STATE_WORDS[state];
  $('retry').hidden = state !== 'closed';
  inspectText();
}

function connect() {
  clearTimeout(retryTimer);
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
  const attempt = new WebSocket(`${scheme}://${location.host}${location.pathname}`);
  const timeout = setTimeout(() => attempt.close(), CONNECT_TIMEOUT_MS);
  let openedAt = Infinity;
  attempt.onopen = () => {
    clearTimeout(timeout);
    openedAt = performance.now();
    opened();
  };
  attempt.onmessage = ({ data }) => received(data);
  attempt.onclose = ({ code }) => {
    clearTimeout(timeout);
    if (performance.now() - openedAt >= STEADY_AFTER_MS) failures = 0;
    closed(code);
  };
  socket = attempt;
  enterState('connecting');
}

function opened() {
  troubled = false;
  enterState('open');
  showNote(openedBefore ? 'Connected again' : 'Connected');
  openedBefore = true;
}

function closed(code) {
  const uncertain = unconfirmed.splice(0);
  for (const wire of uncertain) showMessage(parseMessage(wire), true);
  if (uncertain.length > 0 || socket.bufferedAmount > 0) showNote('Your last message may not have arrived');
  if (state === 'open') showNote(`${CLOSE_WORDS[code] ?? 'Connection lost'}, trying again`);
  else if (!troubled && !openedBefore) showNote('The server cannot be reached, trying again');
  troubled = true;
  /* Full jitter: after a restart the clients come back spread out, not as one wave. */
  const delay_ms = Math.random() * Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** failures);
  failures += 1;
  enterState('closed');
  countDown(performance.now() + delay_ms);
}

function countDown(retryAt) {
  const left_ms = retryAt - performance.now();
  if (left_ms <= 0) return connect();
  $('detail').textContent = `Trying again in ${Math.ceil(left_ms / 1000)} s`;
  retryTimer = setTimeout(countDown, left_ms % 1000 || 1000, retryAt);
}

/* The network is back, or someone looks at the page again: do not sit out the delay. */
function retryNow() {
  if (state === 'closed') connect();
}

function parseMessage(data) {
  if (typeof data !== 'string') return { sender: 'Guest', text: `(binary message, ${data.size} bytes)`, binary: true };
  const named = /^([^:\n]{1,32}): /u.exec(data);
  if (named === null || named[1].trim() === '') return { sender: 'Guest', text: data };
  return { sender: named[1], text: data.slice(named[0].length) };
}

function received(data) {
  const at = unconfirmed.indexOf(data);
  unconfirmed.splice(0, at + 1);    /* one order for all: whatever was sent before this one is back, too */
  showMessage(parseMessage(data), at >= 0);
}

/* ---- Writing --------------------------------------------------------------------------------------------------- */

/* What would go on the wire. */
function draft() {
  return `${ownName()}: ${$('text').value.trimEnd()}`;
}

/* Says what stands in the way of sending, if anything; the text itself is never touched. */
function inspectText() {
  const bytes = new TextEncoder().encode(draft()).length;
  const tooLong = bytes > messageBytesMax;
  const blank = $('text').value.trim() === '';
  let notice = '';
  let detail = '';
  if (troubled) {
    notice = 'Not connected. Your text stays here.';
    detail = state === 'connecting' ? 'Trying…' : $('detail').textContent;
  } else if (tooLong) {
    notice = 'Too long to send.';
    detail = `${bytes.toLocaleString('en')} of ${messageBytesMax.toLocaleString('en')} bytes`;
  }
  if ($('notice').textContent !== notice) $('notice').textContent = notice;    /* said once by screen readers */
  $('detail').textContent = detail;
  $('text').setAttribute('aria-invalid', tooLong);
  $('send').setAttribute('aria-disabled', state !== 'open' || tooLong || blank);
}

function sendText() {
  if ($('send').getAttribute('aria-disabled') === 'true' || socket.readyState !== WebSocket.OPEN) return;
  const wire = draft();
  socket.send(wire);
  if (echoed) unconfirmed.push(wire);
  else showMessage(parseMessage(wire), true);
  $('text').value = '';
  textChanged();
}

function textChanged() {
  const box = $('text');
  box.style.height = 'auto';
  box.style.height = `${box.scrollHeight + box.offsetHeight - box.clientHeight}px`;    /* chat.css bounds it */
  inspectText();
}

function textKeyPressed(event) {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  sendText();
}

/* ---- Putting it together --------------------------------------------------------------------------------------- */

/* The security policy forbids a form's own submission, and the room's name belongs in the path. */
function onSubmit(form, act) {
  $(form).addEventListener('submit', (event) => {
    event.preventDefault();
    act();
  });
}

$('room-name').textContent = room ?? 'Lobby';
$('lobby-link').hidden = room === null;
$('name').value = cleanName(recall('localStorage', 'name') ?? '') || guestName;

onSubmit('composer', sendText);
onSubmit('room-form', () => location.assign(`/room/${$('room').value}`));
$('name').addEventListener('change', nameChanged);
$('text').addEventListener('input', textChanged);
$('text').addEventListener('keydown', textKeyPressed);
$('retry').addEventListener('click', retryNow);
document.addEventListener('visibilitychange', () => { if (!document.hidden) retryNow(); });
addEventListener('online', retryNow);
startConversation(`${room ?? 'Lobby'} · ringcast`);
textChanged();
connect();
