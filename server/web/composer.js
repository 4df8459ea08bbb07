/* server/web/composer.js - the text box: what is in the way of sending, the draft of each place, and the keys. */

import { draftOf, keepDraft } from '/unsent.js';

const $ = (id) => document.getElementById(id);
const box = $('text');
const encoder = new TextEncoder();

let hooks = null;               /* { place(), isOpen(), problem(), send(text), typing(isTyping) } */
let limits = null;              /* { eventBytes, frameBytes } */
const FRAME_BYTES = 300;        /* at most, around the data of a message */

function sizeOf(text) {
  const wire = hooks.place().wire(text);
  const eventBytes = encoder.encode(wire).length;
  const frameBytes = encoder.encode(JSON.stringify(wire)).length + FRAME_BYTES + hooks.place().channelName.length;
  if (eventBytes > limits.eventBytes) return { bytes: eventBytes, max: limits.eventBytes };
  return frameBytes > limits.frameBytes ? { bytes: frameBytes, max: limits.frameBytes } : null;
}

/* Says what stands in the way of sending, if anything; the text itself is never touched. */
export function inspectText() {
  const place = hooks.place();
  const text = box.value.trimEnd();
  const tooLong = sizeOf(text);
  const problem = hooks.problem();
  let notice = '';
  let detail = '';
  if (problem !== null) ({ notice, detail } = problem);
  else if (place.refusal !== null) notice = `You are not let in: ${place.refusal}`;
  else if (tooLong !== null) {
    notice = 'Too long to send.';
    detail = `${tooLong.bytes.toLocaleString('en')} of ${tooLong.max.toLocaleString('en')} bytes`;
  } else if (place.isWaiting) detail = `${place.title} is not here. Your message waits.`;
  if ($('notice').textContent !== notice) $('notice').textContent = notice;    /* said once by screen readers */
  $('detail').textContent = detail;
  box.setAttribute('aria-invalid', tooLong !== null);
  $('send').setAttribute('aria-disabled',
    !hooks.isOpen() || place.refusal !== null || tooLong !== null || text.trim() === '');
}

function sendText() {
  inspectText();
  if ($('send').getAttribute('aria-disabled') === 'true') return;
  const text = box.value.trimEnd();
  setText('');
  keepDraft(hooks.place().channelName, '');
  hooks.typing(false);
  hooks.send(text);
}

function setText(text) {
  box.value = text;
  fitBox();
  inspectText();
}

function fitBox() {
  box.style.height = 'auto';
  box.style.height = `${box.scrollHeight + box.offsetHeight - box.clientHeight}px`;    /* composer.css bounds it */
}

function textChanged() {
  fitBox();
  inspectText();
  keepDraft(hooks.place().channelName, box.value);
  hooks.typing(box.value.trim() !== '');
}

function textKeyPressed(event) {
  /* Safari says 229 of the key that ends a composition, and no longer isComposing. */
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  sendText();
}

/* Each place has its own draft. Called between two places. */
export function changeDraft(from, to) {
  if (from !== null) keepDraft(from.channelName, box.value);
  setText(draftOf(to.channelName));
  box.placeholder = `Message ${to.title}`;
}

/* On a touch screen a keyboard would cover what one came for. */
export function focusText() {
  if (matchMedia('(hover: hover)').matches) box.focus();
}

export function startComposer(given, givenLimits) {
  hooks = given;
  limits = givenLimits;
  box.addEventListener('input', textChanged);
  box.addEventListener('keydown', textKeyPressed);
  $('composer').addEventListener('submit', (event) => {
    event.preventDefault();
    sendText();
  });
}
