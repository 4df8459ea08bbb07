/* server/web/links.js - the addresses in a text: of the web, also without https:// if they begin with www., and of
 * mail. An address ends where its sentence goes on: at blanks, quotation marks, CJK punctuation and brackets, at a
 * closing bracket that it has not opened, and before what only ends a sentence. Takes time in proportion to the text,
 * whatever stands in it. */

/* Of scripts that put blanks between words: in others nothing tells a word before or behind an address from it. */
const LETTER = '\\p{Script=Latin}\\p{Script=Greek}\\p{Script=Cyrillic}';
const WORD = `[${LETTER}\\p{Nd}](?:[${LETTER}\\p{Nd}\\-]*[${LETTER}\\p{Nd}])?`;
const MAIL = `(?<![${LETTER}\\p{Nd}._%+\\-@/])[${LETTER}\\p{Nd}][${LETTER}\\p{Nd}._%+\\-]*@${WORD}(?:\\.${WORD})*`
  + `\\.[${LETTER}]{2,}(?![${LETTER}\\p{Nd}_\\-])`;
const WEB = '(?<![\\w.@/\\-])(?:https?://|www\\.)';
const BEGINNING = new RegExp(`(?<mail>${MAIL})|${WEB}`, 'giu');

/* What ends an address of the web: blanks, brackets and quotation marks but ASCII's; what turns the direction of text
 * or is not seen; the CJK scripts' commas, full stops and the like, of full and half width, upright and small. */
const STOP = new RegExp('[\\s<>"`\\p{Cc}\\p{Cs}\\p{Pi}\\p{Pf}\u2026]|(?=[^\\0-\\x7f])[\\p{Ps}\\p{Pe}]'
  + '|[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]'
  + '|[\u3001-\u3003\uff01\uff02\uff07\uff0c\uff0e\uff1a\uff1b\uff1f\uff61\uff64\ufe10-\ufe19\ufe50-\ufe57]', 'u');
const TAIL = /[.,;:!?'([{\u301c\uff5e]|(?=[^\0-\x7f])\p{Po}/u;
const OPENED_BY = { ')': '(', ']': '[', '}': '{' };

/* From here to what cannot stand in an address, or closes a bracket that was opened before it. */
function readWeb(text, from) {
  const open = { '(': 0, '[': 0, '{': 0 };
  let to = from;
  while (to < text.length) {
    const letter = String.fromCodePoint(text.codePointAt(to));
    if (letter in open) open[letter] += 1;
    if (STOP.test(letter) || (letter in OPENED_BY && (open[OPENED_BY[letter]] -= 1) < 0)) break;
    to += letter.length;
  }
  while (to > from && TAIL.test(text[to - 1])) to -= 1;
  return text.slice(from, to);
}

function hrefOf(address) {
  if (/^https?:/iu.test(address)) return address;
  return /^www\.[^./]+\.[^./]/iu.test(address) ? `http://${address}` : null;
}

/* [{ index, text, href }], in their order. */
export function findLinks(text) {
  const links = [];
  BEGINNING.lastIndex = 0;
  for (let match; (match = BEGINNING.exec(text)) !== null;) {
    const { index, groups: { mail } } = match;
    const address = mail ?? readWeb(text, index);
    const href = mail === undefined ? hrefOf(address) : `mailto:${mail}`;
    if (href !== null && URL.canParse(href)) links.push({ index, text: address, href });
    BEGINNING.lastIndex = index + Math.max(1, address.length);    /* another may begin right behind it */
  }
  return links;
}
