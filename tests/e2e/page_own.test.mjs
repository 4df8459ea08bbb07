/* tests/e2e/page_own.test.mjs - what is ours in the built-in chat page: the messages that this browser has published,
 * whatever name others write, and what was written and not sent when the page is loaded again. */

import assert from 'node:assert/strict';
import {
  box, choosePlace, message, messageOf, newRoom, openChat, send, stateIs, textsAre,
} from './browser.mjs';
import { HISTORY, pageTests } from './page.mjs';
import { connect } from './support.mjs';
import { wired } from './wire.mjs';

const { pageTest, browser } = pageTests();

const openWired = (server, name = 'Zed') => openChat(wired(browser), server.url, { name });

async function reload(page) {
  await page.reload();
  await stateIs(page, 'Connected');
}

async function secondWindow(page) {
  const second = await page.context().newPage();
  await second.goto(page.url());
  await stateIs(second, 'Connected');
  return second;
}

const isOwn = async (page, text) => (await messageOf(page, text)).own;

async function sendAndWait(page, text) {
  await send(page, text);
  await message(page, text, { state: 'sent' }).waitFor();
}

/* ---- Whose a message is --------------------------------------------------------------------------------------- */

pageTest('a message is ours if this browser has published it, whatever name it bears', HISTORY, async (server) => {
  const raw = await connect(server);
  const zed = await openChat(browser(), server.url, { name: 'Zed' });
  const namesake = await openChat(browser(), server.url, { name: 'Zed' });
  await sendAndWait(zed, 'my move');
  raw.send('Zed: I resign');
  await messageOf(zed, 'I resign');
  await sendAndWait(namesake, 'so do I');
  await messageOf(zed, 'so do I');
  const texts = ['my move', 'I resign', 'so do I'];
  for (const page of [zed, namesake]) {
    await reload(page);
    await textsAre(page, texts);
  }
  const ownOf = (page) => Promise.all(texts.map((text) => isOwn(page, text)));
  assert.deepEqual(await ownOf(zed), [true, false, false]);
  assert.deepEqual(await ownOf(namesake), [false, false, true]);
  assert.equal(await message(zed, 'I resign').locator('.tick').isVisible(), false);

  await zed.getByRole('button', { name: 'Change name' }).click();
  await zed.getByRole('textbox', { name: 'Your name' }).fill('Zora');
  await zed.keyboard.press('Enter');
  await reload(zed);
  await textsAre(zed, texts);
  assert.deepEqual(await ownOf(zed), [true, false, false], 'under the former name, too');
  assert.deepEqual([zed.problems, namesake.problems], [[], []]);
  raw.terminate();
});

pageTest('windows of one person share what is theirs, two fresh windows are two people', HISTORY, async (server) => {
  const zed = await openChat(browser(), server.url, { name: 'Zed' });
  const second = await secondWindow(zed);
  await sendAndWait(zed, 'from the first');
  await second.locator('.message.own', { hasText: 'from the first' }).waitFor();

  const guest = await openChat(browser(), server.url);
  const other = await secondWindow(guest);
  await sendAndWait(guest, 'from a guest');
  assert.equal(await isOwn(other, 'from a guest'), false);
  await reload(other);
  assert.equal(await isOwn(other, 'from a guest'), false);
  await reload(guest);
  assert.equal(await isOwn(guest, 'from a guest'), true);
});

pageTest('what is ours is remembered within a bound, and forgotten with its room', HISTORY, async (server) => {
  const zed = await openChat(browser(), server.url, { name: 'Zed' });
  await newRoom(zed, 'tea');
  await sendAndWait(zed, 'one');
  const stored = () => zed.evaluate(() => JSON.parse(localStorage.getItem('own tea')));
  const [epoch, first] = await stored();
  await zed.evaluate(([person, inEpoch]) => {
    const others = Array.from({ length: 1000 }, (_, i) => [person, 1000 + i]);
    localStorage.setItem('own tea', JSON.stringify([inEpoch, ...others]));
  }, [first[0], epoch]);
  await sendAndWait(zed, 'two');
  const entries = await stored();
  assert.equal(entries.length, 1 + 1000);
  assert.deepEqual([entries[0], entries[1][1], entries.at(-1)], [epoch, 1001, [first[0], 2]]);
  await zed.getByRole('button', { name: 'Leave tea' }).click();
  await zed.waitForFunction(() => localStorage.getItem('own tea') === null);
});

pageTest('what others say in our words while ours is on its way is theirs', HISTORY, async (server) => {
  const zed = await openWired(server);
  const raw = await connect(server);
  await sendAndWait(zed, 'first');
  await zed.evaluate(() => { globalThis.wire.holds = 'ringcast_ack'; });
  await send(zed, 'yes');
  assert.deepEqual(await raw.inbox.take(2), ['Zed: first', 'Zed: yes']);
  raw.send('Zed: yes');
  raw.send('Ben: the end');
  await messageOf(zed, 'the end');
  await textsAre(zed, ['first', 'the end', 'yes']);
  await zed.evaluate(() => globalThis.wire.let());
  await textsAre(zed, ['first', 'yes', 'yes', 'the end']);
  const owns = await zed.locator('.message').evaluateAll((all) => all.map((one) => one.classList.contains('own')));
  assert.deepEqual(owns, [true, true, false, false]);
  raw.terminate();
});

/* ---- What was written and not sent ---------------------------------------------------------------------------- */

pageTest('drafts survive a reload, each in its room, within a bound', HISTORY, async (server) => {
  const zed = await openChat(browser(), server.url, { name: 'Zed' });
  await box(zed).fill('half a sentence');
  await newRoom(zed, 'tea');
  await box(zed).fill('two\nlines');
  await reload(zed);
  assert.equal(await box(zed).inputValue(), 'two\nlines');
  await choosePlace(zed, 'Lobby');
  assert.equal(await box(zed).inputValue(), 'half a sentence');
  await sendAndWait(zed, 'a whole one');
  await reload(zed);
  assert.equal(await box(zed).inputValue(), '');
  await choosePlace(zed, 'tea');
  assert.equal(await box(zed).inputValue(), 'two\nlines');

  await choosePlace(zed, 'Lobby');
  await zed.evaluate(async () => {    /* not through the box, which takes seconds to lay it out */
    (await import('/unsent.js')).keepDraft('lobby', 'x'.repeat(500_001));
  });
  await reload(zed);
  assert.equal(await box(zed).inputValue(), '');
  await choosePlace(zed, 'tea');
  assert.equal(await box(zed).inputValue(), 'two\nlines');
});

for (const [what, wire, isHeard] of [
  ['whose acknowledgement had not come', { holds: 'ringcast_ack' }, true],
  ['that had not left', { isMute: true }, false],
]) {
  pageTest(`a message ${what} is sent once, though the page is loaded again`, HISTORY, async (server) => {
    const zed = await openWired(server);
    const raw = await connect(server);
    await sendAndWait(zed, 'before');
    assert.equal(await raw.inbox.next(), 'Zed: before');
    await zed.evaluate((how) => Object.assign(globalThis.wire, how), wire);
    await send(zed, 'only once');
    const heard = isHeard ? [await raw.inbox.next()] : [];
    await reload(zed);
    await message(zed, 'only once', { state: 'sent' }).waitFor();
    await textsAre(zed, ['before', 'only once']);
    assert.equal(await isOwn(zed, 'only once'), true);
    await sendAndWait(zed, 'after');
    heard.push(...await raw.inbox.take(2 - heard.length));
    assert.deepEqual(heard, ['Zed: only once', 'Zed: after']);
    await reload(zed);
    await textsAre(zed, ['before', 'only once', 'after']);
    assert.equal(await zed.evaluate(() => sessionStorage.waiting), '[]');
    raw.terminate();
  });
}

/* The server remembers ids for ten minutes. */
const minutesPass = (page) => page.evaluate(() => {
  const waiting = JSON.parse(sessionStorage.waiting);
  for (const [, item] of waiting) item.at -= 10 * 60_000;
  sessionStorage.waiting = JSON.stringify(waiting);
});

pageTest('a message that is too old to be sent again by its id is shown as not sent, unless it was', HISTORY,
  async (server) => {
    const zed = await openWired(server);
    const raw = await connect(server);
    await sendAndWait(zed, 'before');
    await zed.evaluate(() => { globalThis.wire.isMute = true; });
    await send(zed, 'long ago');
    await minutesPass(zed);
    await reload(zed);
    await message(zed, 'long ago', { state: 'failed' }).waitFor();
    await reload(zed);
    await message(zed, 'long ago', { state: 'failed' }).waitFor();
    await textsAre(zed, ['before', 'long ago']);
    await zed.getByRole('button', { name: 'Send again' }).click();
    await message(zed, 'long ago', { state: 'sent' }).waitFor();
    assert.deepEqual(await raw.inbox.take(2), ['Zed: before', 'Zed: long ago']);

    await zed.evaluate(() => { globalThis.wire.holds = 'ringcast_ack'; });
    await send(zed, 'it arrived');
    assert.equal(await raw.inbox.next(), 'Zed: it arrived');
    await minutesPass(zed);
    await reload(zed);
    await message(zed, 'it arrived', { state: 'sent' }).waitFor();
    await textsAre(zed, ['before', 'long ago', 'it arrived']);
    raw.terminate();
  });

pageTest('what was refused stays so until it is removed', ['--app', '1:k:s event_bytes_max=200', ...HISTORY],
  async (server) => {
    const zed = await openChat(browser(), server.url, { name: 'Zed' });
    await zed.evaluate(async () => {
      const [lobby] = (await import('/rooms.js')).allPlaces();
      lobby.send('x'.repeat(300));    /* past the composer, which knows the limit */
      lobby.send('short');
    });
    const refused = message(zed, 'x'.repeat(300), { state: 'failed' });
    await refused.waitFor();
    await message(zed, 'short', { state: 'sent' }).waitFor();
    const reason = await refused.locator('.reason').textContent();
    assert.match(reason, /^Not sent: /);
    await reload(zed);
    await textsAre(zed, ['short', 'x'.repeat(300)]);
    assert.equal(await refused.locator('.reason').textContent(), reason);
    await refused.getByRole('button', { name: 'Remove' }).click();
    await reload(zed);
    await textsAre(zed, ['short']);
  });

pageTest('messages on their way are remembered within a bound', HISTORY, async (server) => {
  const zed = await openWired(server);
  await zed.evaluate(async () => {
    const [lobby] = (await import('/rooms.js')).allPlaces();
    globalThis.wire.isMute = true;
    for (let i = 0; i < 105; i++) lobby.send(`message ${i}`);
    lobby.send('y'.repeat(400_000));
  });
  const stored = await zed.evaluate(() => JSON.parse(sessionStorage.waiting).map(([, { text }]) => text));
  assert.deepEqual(stored, Array.from({ length: 100 }, (_, i) => `message ${i + 5}`));
});

pageTest('what waits for somebody who is away waits on after a reload', ['--guests'], async (server) => {
  const ben = await openChat(browser(), server.url, { name: 'Ben' });
  const zed = await openChat(browser(), server.url, { name: 'Zed' });
  await zed.getByRole('button', { name: 'Write to Ben' }).click();
  await sendAndWait(zed, 'here?');
  await ben.goto('about:blank');
  await zed.getByText('Ben is not here').or(zed.getByText('Only the two of you')).waitFor();
  await zed.waitForFunction(async () => (await import('/people.js')).peopleHere()?.size === 1);
  await send(zed, 'for later');
  await zed.getByText('Ben is not here. Your message waits.').waitFor();
  await reload(zed);
  await message(zed, 'for later', { state: 'sending' }).waitFor();
  await zed.getByText('Ben is not here. Your message waits.').waitFor();
  await ben.goto(server.url);
  await message(zed, 'for later', { state: 'sent' }).waitFor();
  await choosePlace(ben, 'Zed');
  await textsAre(ben, ['for later']);
});
