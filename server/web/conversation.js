/* server/web/conversation.js - the thread one looks at: which of its messages are in the document, and the scrolling.
 *
 * The document holds a window of the thread, never more than WINDOW_MAX messages however many there are: it grows
 * where the reader goes and shrinks behind. Heights are real, none is estimated, so whatever is added or removed
 * above the reader is made up for by scrollTop, in every browser alike (and the browser's own anchoring is off). */

import { dress, makeElement, troubleOf } from '/message.js';

const CHUNK = 40;               /* added at a time */
const WINDOW_MAX = 240;
const REACH_SCREENS = 1.5;      /* more is added when the reader is so near the window's end */
const BOTTOM_SLACK_PX = 48;
const ROUNDING_PX = 2;
const ABOVE_LINE_PX = 72;       /* kept visible above the line "New messages" */
const SPOKEN_MAX = 5;           /* lines kept for screen readers that are still speaking */
const QUOTED_CHARACTERS = 100;

const $ = (id) => document.getElementById(id);

let thread = null;
let first = 0;                  /* thread.items[first] to [last - 1] are in the document, */
let last = 0;
let elements = new Map();       /* each here */
let following = true;           /* the reader is at the end and the conversation scrolls along */
let scrollDue = false;
let scrolledTo = 0;
let sizeThen = [0, 0];          /* clientHeight and scrollHeight of the log when that was noted */
let loading = false;
let olderFailed = false;
let today = new Date().toDateString();
let hooks = null;               /* { loadOlder(thread), seen(thread), act(item, action), dayTurned() } */

const log = $('log');
const list = $('messages');

/* ---- What stands in the document ------------------------------------------------------------------------------ */

function dressAt(index) {
  const item = thread.items[index];
  const element = elements.get(item);
  if (element !== undefined) dress(element, item, thread.items[index - 1], item === thread.firstUnread);
}

function place(index, isArriving) {
  const item = thread.items[index];
  const element = makeElement(item);
  elements.set(item, element);
  element.classList.toggle('arriving', isArriving);
  list.insertBefore(element, elements.get(thread.items[index + 1]) ?? null);
  dressAt(index);
}

function drop(item) {
  elements.get(item)?.remove();
  elements.delete(item);
}

function widen(from, to) {
  for (let index = first - 1; index >= from; index--) place(index, false);
  for (let index = last; index < to; index++) place(index, false);
  const seam = first;
  first = Math.min(first, from);
  last = Math.max(last, to);
  if (seam < last) dressAt(seam);
}

function narrow(from, to) {
  for (let index = first; index < from; index++) drop(thread.items[index]);
  for (let index = to; index < last; index++) drop(thread.items[index]);
  first = Math.max(first, from);
  last = Math.min(last, to);
}

function renderAround(from) {
  list.replaceChildren();
  elements = new Map();
  const count = thread.items.length;
  first = last = Math.max(0, Math.min(from, count - CHUNK));
  widen(first, Math.min(count, first + WINDOW_MAX));
  showEnds();
}

/* What stands above the first message, and instead of any. */
function showEnds() {
  const isEmpty = thread.items.length === 0;
  const atTop = first === 0;
  $('empty').hidden = !isEmpty || !thread.isReady || thread.hasOlder;
  $('loading').hidden = !((isEmpty && !thread.isReady) || (atTop && thread.hasOlder && !olderFailed));
  $('older').hidden = !(atTop && thread.hasOlder && olderFailed);
  $('beginning').hidden = isEmpty || !atTop || thread.hasOlder || (thread.epoch === null && !thread.isTrimmed);
  $('beginning').textContent = thread.isTrimmed ? 'Earlier messages are no longer shown'
    : 'This is the beginning of what is kept here';
}

/* ---- The reader's place --------------------------------------------------------------------------------------- */

/* The first visible message; its text, because what is above that depends on the message before. */
function anchor() {
  const top = log.getBoundingClientRect().top;
  for (const element of list.children) {
    if (element.getBoundingClientRect().bottom > top) return element.querySelector('.text');
  }
  return null;
}

function keepPlace(change) {
  const mark = anchor();
  const before = mark?.getBoundingClientRect().top;
  change();
  if (mark?.isConnected) log.scrollTop += mark.getBoundingClientRect().top - before;
  noteScroll();
}

const below = () => log.scrollHeight - log.scrollTop - log.clientHeight;

/* Adds where the reader is near an end, and takes away at the other. */
async function reach() {
  const near = REACH_SCREENS * log.clientHeight;
  if (last < thread.items.length && below() < near) {
    keepPlace(() => {
      widen(first, Math.min(thread.items.length, last + CHUNK));
      narrow(Math.max(first, last - WINDOW_MAX), last);
      showEnds();
    });
  } else if (log.scrollTop < near && (first > 0 || thread.hasOlder)) {
    if (first === 0 && !await fetchOlder()) return;
    keepPlace(() => {
      widen(Math.max(0, first - CHUNK), last);
      if (!following) narrow(first, Math.min(last, first + WINDOW_MAX));
      showEnds();
    });
    if (following) scrollSoon();
  } else {
    return;
  }
  reachSoon();
}

function reachSoon() {
  requestAnimationFrame(() => { if (thread !== null) reach(); });
}

async function fetchOlder() {
  if (loading || olderFailed) return false;
  const asked = thread;
  loading = true;
  let count = -1;
  try {
    count = await hooks.loadOlder(asked);
  } catch { /* said below */ }
  loading = false;
  if (asked !== thread) {
    reachSoon();
    return false;
  }
  if (count < 0) {
    olderFailed = true;
    showEnds();
    return false;
  }
  if (count === 0) showEnds();
  return count > 0;
}

function noteScroll() {
  scrolledTo = log.scrollTop;
  sizeThen = [log.clientHeight, log.scrollHeight];
}

/* Any step up stops the following, however small: snapping back would fight the reader's hand. Coming down to the
 * end, or near it, resumes it. Growth below the reader is no step at all, nor is what a changed layout does. */
function readerScrolled() {
  const movedUp = log.scrollTop < scrolledTo;
  const isLayout = log.clientHeight !== sizeThen[0] || log.scrollHeight < sizeThen[1];
  noteScroll();
  const isAtTail = last === thread.items.length;
  if (movedUp && isLayout && following) scrollSoon();
  else if (movedUp) following = isAtTail && below() <= ROUNDING_PX;
  else if (isAtTail && below() < BOTTOM_SLACK_PX) following = true;
  told();
  reach();
}

/* Once per frame, however many messages came: measuring the list after each one would lay it out each time. */
function scrollSoon() {
  if (scrollDue) return;
  scrollDue = true;
  requestAnimationFrame(() => {
    scrollDue = false;
    if (thread === null || !following) return;
    if (last - first > WINDOW_MAX) narrow(last - WINDOW_MAX / 2, last);
    showEnds();
    log.scrollTop = log.scrollHeight;
    noteScroll();
  });
}

/* Tells the rest of the page, and the button, what is seen. */
function told() {
  if (isSeen(thread) && thread.unread > 0) hooks.seen(thread);
  const button = $('newer');
  button.hidden = following || (thread.unread === 0 && below() < log.clientHeight && last === thread.items.length);
  const count = thread.unread;
  button.textContent = count === 0 ? 'Latest messages' : count === 1 ? '1 new message' : `${count} new messages`;
}

/* The days have other names than yesterday. */
function turnDay() {
  const now = new Date().toDateString();
  if (now === today) return;
  today = now;
  for (let index = first; index < last; index++) dressAt(index);
  hooks.dayTurned();
}

function turnDayAtMidnight() {
  const midnight = new Date().setHours(24, 0, 0, 0);
  setTimeout(() => {
    turnDay();
    turnDayAtMidnight();
  }, midnight - Date.now());
}

/* ---- What the thread reports ---------------------------------------------------------------------------------- */

const watcher = {
  inserted(index) {
    if (index < first) {
      first += 1;
      last += 1;
    } else if (index < last || (last === thread.items.length - 1 && (following || last - first < WINDOW_MAX))) {
      last += 1;
      place(index, last === thread.items.length);
      if (index + 1 < last) dressAt(index + 1);
      $('empty').hidden = true;
    }
    /* A hidden window has no frames, in which the document would be made smaller. Who is not at the end comes there
     * by reach(). */
    if (following && last - first > 2 * WINDOW_MAX) narrow(last - WINDOW_MAX, last);
    if (!following) narrow(first, Math.min(last, first + WINDOW_MAX));
    if (following) scrollSoon();
    turnDay();
  },
  prepended(count) {
    first += count;
    last += count;
  },
  changed(item) {
    const index = thread.items.lastIndexOf(item);
    if (index >= first && index < last) dressAt(index);
    if (following) scrollSoon();
    told();
  },
  failed(item) {
    speak(`Your message “${item.text.slice(0, QUOTED_CHARACTERS)}”. ${troubleOf(item)}`);
  },
  removed(index) {
    if (index < first) first -= 1;
    if (index < last) last -= 1;
    for (const item of elements.keys()) if (!thread.items.includes(item)) drop(item);
    if (index >= first && index < last) dressAt(index);
    showEnds();
  },
  /* Said before the first `count` items go, and after. */
  trimming(count) {
    if (count >= last) renderAround(count);    /* the reader's place, too */
    keepPlace(() => narrow(Math.max(first, count), last));
    first -= count;
    last -= count;
  },
  trimmed() {
    dressAt(first);
    showEnds();
  },
  reset() {
    follow();
  },
};

/* ---- For the rest of the page --------------------------------------------------------------------------------- */

/* Has screen readers say this; the log itself is silent, for in it old messages come and go. */
export function speak(text) {
  const line = document.createElement('p');
  line.textContent = text;
  $('announcer').append(line);
  while ($('announcer').childElementCount > SPOKEN_MAX) $('announcer').firstElementChild.remove();
}

/* Is what comes to this thread now in front of somebody's eyes? */
export function isSeen(other) {
  return other === thread && following && !document.hidden;
}

/* Does the conversation scroll along with it? */
export function isAtEnd(other) {
  return other === thread && following;
}

/* Shows this thread from now on: from the first unread message on, else the end. */
export function showThread(next) {
  if (thread !== null) thread.watcher = null;
  thread = next;
  thread.watcher = watcher;
  olderFailed = false;
  const at = thread.firstUnread === null ? -1 : thread.items.indexOf(thread.firstUnread);
  following = true;
  renderAround(at < 0 ? thread.items.length : at - CHUNK / 2);
  log.scrollTop = log.scrollHeight;
  const line = elements.get(thread.firstUnread)?.querySelector('.fresh');
  if (line) {
    const target = log.scrollTop + line.getBoundingClientRect().top - log.getBoundingClientRect().top - ABOVE_LINE_PX;
    if (target < log.scrollTop) log.scrollTop = target;
  }
  noteScroll();
  following = below() <= ROUNDING_PX && last === thread.items.length;
  told();
  reachSoon();
}

/* To the end, and along with it from now on. */
export function follow() {
  following = true;
  if (last !== thread.items.length || elements.size !== last - first) renderAround(thread.items.length);
  scrollSoon();
  told();
  reachSoon();
}

/* The thread's state changed as a whole: it became ready, history came or failed. */
export function refreshEnds() {
  olderFailed = false;
  showEnds();
  if (following) scrollSoon();
  reachSoon();
}

export function startConversation(given) {
  hooks = given;
  log.addEventListener('scroll', readerScrolled, { passive: true });
  $('newer').addEventListener('click', () => { follow(); log.focus(); });
  /* The button stands over the log, not in it: the wheel would turn in vain there. */
  $('newer').addEventListener('wheel', ({ deltaY }) => log.scrollBy(0, deltaY), { passive: true });
  $('older-button').addEventListener('click', refreshEnds);
  list.addEventListener('click', (event) => {
    const button = event.target.closest('button[data-action]');
    if (button === null) return;
    const element = button.closest('li');
    for (const [item, own] of elements) if (own === element) hooks.act(item, button.dataset.action);
  });
  turnDayAtMidnight();
  new ResizeObserver(() => { if (following) scrollSoon(); }).observe(log);
  document.addEventListener('visibilitychange', () => {
    if (thread === null || document.hidden) return;
    turnDay();
    if (following && thread.unread > 0) showThread(thread);    /* to where one has stopped reading */
    else told();
  });
}
