/* server/web/room_name.js - what a room may be called, and what its channel is called then. A name of the letters that
 * channels may have is its channel's name; any other is written there as "=" and base64url, as the server does with
 * what stands in addresses (server/component/lobby.c). */

const PLAIN_NAME = /^[A-Za-z0-9_\-=@,.;]{1,200}$/;
const RESERVED = /^(?:private-|presence-|cache-)|^\.{1,2}$/;
const TEXT_NAME = /^[A-Za-z0-9_\-=@,.; \P{ASCII}]+$/u;
const TEXT_BYTES_MAX = 141;
const UNSEEN = /[\p{Cc}\p{Cs}\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu;    /* or turns the direction of text */

const bytesOf = (text) => new TextEncoder().encode(text);

export function channelOf(name) {
  if (PLAIN_NAME.test(name)) return name;
  const letters = btoa(String.fromCharCode(...bytesOf(name)));
  return `=${letters.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')}`;
}

/* The name whose channel this is, if it is not its own. */
function nameOfChannel(channelName) {
  try {
    const letters = atob(channelName.slice(1).replaceAll('-', '+').replaceAll('_', '/'));
    const name = new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(letters, (c) => c.charCodeAt(0)));
    return channelOf(name) === channelName && roomName(name) === name ? name : null;
  } catch {
    return null;
  }
}

/* The name of the room that somebody means; null: there can be no such room. One room has one name, however it was
 * written or encoded. */
export function roomName(written) {
  const name = written.normalize('NFC').replace(/\s+/gu, ' ').replace(UNSEEN, '').trim();
  if (RESERVED.test(name)) return null;
  if (PLAIN_NAME.test(name)) return (name.startsWith('=') ? nameOfChannel(name) : null) ?? name;
  return TEXT_NAME.test(name) && bytesOf(name).length <= TEXT_BYTES_MAX ? name : null;
}
