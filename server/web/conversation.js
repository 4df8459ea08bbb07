/* server/web/conversation.js - the list of messages: grouping, time, scrolling, what is unread, the window's title.
 * What it is given enters the document as textContent and in no other way. */

const GROUP_WITHIN_MS = 5 * 60_000; /* the name is not repeated within this time */
const MESSAGES_MAX = 2000;          /* kept in the document; the oldest leave first */
const BOTTOM_SLACK_PX = 48;
const ROUNDING_PX = 2;
const HUES = 8;                     /* sender colours in conversation.css */

const $ = (id) => document.getElementById(id);
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });

let plainTitle = '';    /* of the document, without the count of unread messages */
let previous = null;    /* { sender, own, at } of the message that a next one may be grouped with */
let following = true;   /* the reader is at the bottom and the conversation scrolls along */
let scrollDue = false;
let scrolledTo = 0;
let unread = 0;         /* below the reader's place, or arrived while the window was hidden */

function hueOf(sender) {
  let hash = 0;
  for (const letter of sender) hash = (hash * 31 + letter.codePointAt(0)) % 65_521;
  return hash % HUES;
}

/* own: written in this window; such a message also brings the reader to the bottom. */
export function showMessage({ sender, text, binary = false }, own) {
  const item = $('message-template').content.firstElementChild.cloneNode(true);
  const now = new Date();
  const grouped = previous?.sender === sender && previous.own === own && now - previous.at < GROUP_WITHIN_MS;
  item.classList.toggle('own', own);
  item.classList.toggle('grouped', grouped);
  item.classList.toggle('binary', binary);
  item.dataset.hue = hueOf(sender);
  item.querySelector('.avatar').textContent = [...sender.trim()][0].toUpperCase();
  item.querySelector('.name').textContent = sender;
  item.querySelector('.text').textContent = text;
  if (!grouped) previous = { sender, own, at: now };
  $('empty').hidden = true;
  append(item, now);
  if (own) follow();
  else if (!following || document.hidden) showUnread(unread + 1);
}

/* What the chat itself has to say: connected, lost and so on. */
export function showNote(text) {
  const item = $('note-template').content.firstElementChild.cloneNode(true);
  item.querySelector('.text').textContent = text;
  previous = null;
  append(item, new Date());
}

function append(item, now) {
  const time = item.querySelector('time');
  time.dateTime = now.toISOString();
  time.textContent = clock.format(now);
  time.title = calendar.format(now);
  const list = $('messages');
  list.append(item);
  if (list.childElementCount > MESSAGES_MAX) {
    list.firstElementChild.remove();
    list.firstElementChild.classList.remove('grouped');
    $('trimmed').hidden = false;
  }
  if (following) scrollSoon();
}

/* Once per frame, however many messages came: measuring the list after each one would lay it out each time. */
function scrollSoon() {
  if (scrollDue) return;
  scrollDue = true;
  requestAnimationFrame(() => {
    scrollDue = false;
    if (following) $('log').scrollTop = $('log').scrollHeight;
    scrolledTo = $('log').scrollTop;
  });
}

/* Any step up stops the following, however small: snapping back would fight the reader's hand. Coming down to the
 * bottom, or near it, resumes it. Growth below the reader is no step at all. */
function readerScrolled() {
  const log = $('log');
  const below = log.scrollHeight - log.scrollTop - log.clientHeight;
  const movedUp = log.scrollTop < scrolledTo;
  scrolledTo = log.scrollTop;
  if (movedUp) setFollowing(below <= ROUNDING_PX);    /* a taller log moves up too, and stays at the bottom */
  else if (below < BOTTOM_SLACK_PX) setFollowing(true);
  if (following) showUnread(0);
}

function setFollowing(yes) {
  following = yes;
  $('log').classList.toggle('following', yes);
}

function follow() {
  setFollowing(true);
  scrollSoon();
  showUnread(0);
}

function showUnread(count) {
  unread = count;
  $('newer').hidden = following || unread === 0;
  $('newer').textContent = unread === 1 ? '1 new message' : `${unread} new messages`;
  document.title = `${unread > 0 ? `(${unread}) ` : ''}${plainTitle}`;
}

export function startConversation(title) {
  plainTitle = title;
  $('log').addEventListener('scroll', readerScrolled, { passive: true });
  $('newer').addEventListener('click', () => { follow(); $('log').focus(); });
  new ResizeObserver(() => { if (following) scrollSoon(); }).observe($('log'));
  document.addEventListener('visibilitychange', () => { if (following && !document.hidden) showUnread(0); });
  follow();
}
