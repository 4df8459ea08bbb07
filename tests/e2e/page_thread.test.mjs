/* tests/e2e/page_thread.test.mjs - the messages of the built-in chat page when answers come late or in another order,
 * logs are lost and lines die at the wrong moment: nothing twice, no holes, nothing unsaid. Each window's WebSocket can
 * be held, changed and broken from the test (wire.mjs), so that none of it depends on time. */

import assert from 'node:assert/strict';
import {
  box, choosePlace, message, messageOf, newRoom, openChat, send, stateIs, textsAre, textsOf, waitsLong,
} from './browser.mjs';
import { HISTORY, nextMessage, pageTests, rawClient } from './page.mjs';
import { startServer } from './server.mjs';
import { wired } from './wire.mjs';

const { pageTest, browser } = pageTests();

const openWired = (server, { path = '/', ...options } = {}) => (
  openChat(wired(browser), server.url + path, { name: 'Anna', ...options }));

/* Messages 0 to count - 1 of Ben, when the server has them. */
async function say(raw, count, word = 'message') {
  for (let i = 0; i < count; i++) raw.send(`Ben: ${word} ${i}`);
  raw.ping();
  await new Promise((resolve) => { raw.once('pong', resolve); });
}

/* Kills the server; the page does not try again before reconnect(). */
async function lose(server, page) {
  await waitsLong(page);
  await server.kill();
  await stateIs(page, 'Disconnected');
}

async function reconnect(page) {
  await page.evaluate(() => dispatchEvent(new Event('online')));
  await stateIs(page, 'Connected');
}

const heardIs = (page, piece) => page.waitForFunction((wanted) => (
  globalThis.wire.heard.some((text) => text.includes(wanted))), piece);

const idOf = (page) => page.evaluate(() => JSON.parse(localStorage.token).split('.')[0]);

const stateOf = (page, text) => message(page, text).getAttribute('data-state');

/* Scrolls up to the first one; all that is shown on the way are numbers without a hole. */
async function scrollToFirst(page, pattern) {
  await page.getByRole('log').hover();
  for (;;) {
    const numbers = (await textsOf(page)).map((text) => Number(pattern.exec(text)[1]));
    assert.deepEqual(numbers, numbers.map((_, index) => numbers[0] + index));
    if (numbers[0] === 0) return;
    await page.mouse.wheel(0, -1500);
  }
}

/* ---- Answers of the history that come late -------------------------------------------------------------------- */

const SAME_KEY = ['--app', '1:k:s', ...HISTORY];    /* with another one the page would begin anew */

pageTest('the log is lost while one waits for older messages: nothing of the new one stands above', SAME_KEY,
  async (server) => {
    const raw = await rawClient(server);
    await say(raw, 200);
    const page = await openWired(server);
    await messageOf(page, 'message 199');
    await lose(server, page);
    await page.evaluate(async () => {
      const { channel } = (await import('/rooms.js')).allPlaces()[0];
      const history = channel.history.bind(channel);
      channel.history = (what) => {
        globalThis.asked = what;
        return history(what);
      };
    });
    await page.waitForFunction(() => {
      document.getElementById('log').scrollTop = 0;
      return globalThis.asked?.before > 0;    /* and waits for a connection */
    });
    const next = await startServer(SAME_KEY, { port: server.port });
    try {
      await say(await rawClient(server), 3, 'new');
      await reconnect(page);
      await page.getByText('Some messages may be missing here').waitFor();
      await page.evaluate(async () => {    /* answered after all that was asked before */
        const { channel } = (await import('/rooms.js')).allPlaces()[0];
        return (await channel.history({ limit: 1 })).offset;
      });
      const texts = await textsOf(page);
      assert.deepEqual(texts.slice(-4), ['message 199', 'new 0', 'new 1', 'new 2']);
      assert.equal(texts.filter((text) => text.startsWith('new')).length, 3);
    } finally {
      await next.kill();
    }
  }, { endsWell: false });

pageTest('a page of older messages that comes after the thread was trimmed leaves no hole', HISTORY, async (server) => {
  const raw = await rawClient(server);
  await say(raw, 400);
  const page = await openWired(server);
  await newRoom(page, 'tea');
  await choosePlace(page, 'Lobby');
  await messageOf(page, 'message 399');
  await page.getByRole('log').hover();
  while (await message(page, 'message 250').count() === 0) await page.mouse.wheel(0, -1500);
  await page.evaluate(() => { globalThis.wire.holds = 'ringcast_history'; });
  while (await page.evaluate(() => globalThis.wire.held.length === 0)) await page.mouse.wheel(0, -1500);
  await choosePlace(page, 'tea');
  await page.evaluate(() => globalThis.wire.let());
  await choosePlace(page, 'Lobby');
  await scrollToFirst(page, /^message (\d+)$/);
  raw.terminate();
});

const OFTEN = ['--app', '1:k:s client_events_per_second=100000', '--guests', '--history',
  '* size=2000 client_events=yes'];

pageTest('older messages are found behind a thousand events that are none', OFTEN, async (server) => {
  const anna = await openChat(browser(), server.url, { name: 'Anna' });
  await openChat(browser(), server.url, { name: 'Ben' });
  await anna.getByRole('button', { name: 'Write to Ben' }).click();
  await send(anna, 'long ago');
  await message(anna, 'long ago', { state: 'sent' }).waitFor();
  await anna.evaluate(async () => {
    const { allPlaces } = await import('/rooms.js');
    const { channel } = allPlaces().find(({ kind }) => kind === 'direct');
    for (let i = 0; i < 1100; i++) channel.trigger('client-typing', {});
  });
  await send(anna, 'now');
  await message(anna, 'now', { state: 'sent' }).waitFor();
  await anna.reload();
  await textsAre(anna, ['long ago', 'now']);
});

pageTest('what was missed is counted once, whatever else comes before the history', HISTORY, async (server) => {
  const raw = await rawClient(server, '/room/tea');
  raw.send('Ben: seen');
  const before = await openWired(server, { path: '/room/tea' });
  await messageOf(before, 'seen');
  await choosePlace(before, 'Lobby');
  const context = before.context();
  await before.close();
  for (const text of ['Ben: missed one', 'Ben: missed two']) raw.send(text);
  await context.addInitScript(() => { globalThis.wire.holds = 'ringcast_history'; });
  const held = (page) => page.waitForFunction(() => globalThis.wire.held.length >= 2);    /* of both rooms */

  let page = await context.newPage();
  await page.goto(server.url);
  await held(page);
  raw.send('Ben: live');
  await page.waitForFunction(() => document.title.startsWith('(1) '));
  await page.evaluate(() => globalThis.wire.let());
  await page.getByText('Quiet so far').waitFor();
  await page.getByLabel('3 unread', { exact: true }).waitFor();
  assert.equal(await page.title(), '(3) Lobby · ringcast');
  await page.close();

  /* The line breaks before the answer: the question is asked again, and not twice. */
  page = await context.newPage();
  await page.goto(server.url);
  await held(page);
  await waitsLong(page);    /* or nobody might see that it was gone */
  await page.evaluate(() => globalThis.wire.cut());
  await stateIs(page, 'Disconnected');
  await page.evaluate(() => dispatchEvent(new Event('online')));
  await held(page);
  await page.evaluate(() => globalThis.wire.let());
  await page.getByText('Quiet so far').waitFor();
  await page.getByLabel('3 unread', { exact: true }).waitFor();
  assert.equal(await page.title(), '(3) Lobby · ringcast');
  await choosePlace(page, 'tea');
  await textsAre(page, ['seen', 'missed one', 'missed two', 'live']);
  assert.equal(await message(page, 'missed one').locator('.fresh').count(), 1);
  raw.terminate();
});

/* ---- Own messages --------------------------------------------------------------------------------------------- */

pageTest('a message of which nobody knew whether it was published is found again, once', HISTORY, async (server) => {
  const page = await openWired(server);
  const raw = await rawClient(server);
  const minutesPass = () => page.evaluate(() => {
    const now = Date.now;
    Date.now = () => now() + 10 * 60_000;    /* longer than ringcast.js may send it again */
    globalThis.wire.cut();
    Object.assign(globalThis.wire, { holds: null, isMute: false });
  });
  await page.evaluate(() => { globalThis.wire.holds = ''; });
  const heard = nextMessage(raw);
  await send(page, 'it arrived');
  assert.equal(await heard, 'Anna: it arrived');
  await minutesPass();
  await message(page, 'it arrived', { state: 'sent' }).waitFor();
  await stateIs(page, 'Connected');
  await textsAre(page, ['it arrived']);

  await page.evaluate(() => { globalThis.wire.isMute = true; });
  await send(page, 'it did not');
  await minutesPass();
  await page.locator('.reason', { hasText: /^Perhaps not sent: / }).waitFor();
  const spoken = page.locator('#announcer p').last();
  assert.match(await spoken.textContent(), /^Your message “it did not”\. Perhaps not sent: /);
  await stateIs(page, 'Connected');
  await page.getByRole('button', { name: 'Send again' }).click();
  await message(page, 'it did not', { state: 'sent' }).waitFor();
  await textsAre(page, ['it arrived', 'it did not']);
  raw.terminate();
});

pageTest('where the server echoes and keeps, others may say the same as we did', ['--lobby-echo', ...HISTORY],
  async (server) => {
    const page = await openChat(browser(), server.url, { name: 'Anna' });
    const raw = await rawClient(server);
    for (const text of ['yes', 'no']) {
      await send(page, text);
      await message(page, text, { state: 'sent' }).waitFor();
    }
    for (const text of ['Anna: yes', 'Anna: no', 'Ben: the end']) raw.send(text);
    await textsAre(page, ['yes', 'no', 'yes', 'no', 'the end']);
    raw.terminate();
  });

pageTest('what waits or is written in a conversation that was closed is said not to be sent', ['--guests'],
  async (server) => {
    const ben = await openChat(browser(), server.url, { name: 'Ben' });
    const anna = await openChat(browser(), server.url, { name: 'Anna' });
    await anna.getByRole('button', { name: 'Write to Ben' }).waitFor();
    await ben.route('**/guests/auth', (route) => route.abort());    /* he never comes in */
    await anna.getByRole('button', { name: 'Write to Ben' }).click();
    await send(anna, 'waits');
    await anna.getByText('Ben is not here. Your message waits.').waitFor();
    await anna.evaluate(async () => {
      const { allPlaces } = await import('/rooms.js');
      allPlaces().find(({ kind }) => kind === 'direct').leave();
    });
    await message(anna, 'waits', { state: 'failed' }).waitFor();
    await send(anna, 'written');
    await message(anna, 'written', { state: 'failed' }).waitFor();
    assert.match(await message(anna, 'written').locator('.reason').textContent(), /^Not sent: it was closed here/);
  });

/* ---- A history that goes and comes ---------------------------------------------------------------------------- */

pageTest('a server that has no history any more: it is said, and the page goes on', HISTORY, async (server) => {
  const page = await openWired(server);
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  await send(page, 'before');
  await message(page, 'before', { state: 'sent' }).waitFor();
  await page.evaluate(() => {
    const isAnswer = (text) => text.includes('subscription_succeeded') && text.includes('"channel":"lobby"');
    globalThis.wire.change = (text) => (isAnswer(text)
      ? JSON.stringify({ ...JSON.parse(text), data: '{"recovered":false}' }) : text);
    globalThis.wire.cut();
  });
  await page.getByText('Connected again. What was said meanwhile is not shown.').waitFor();
  await send(page, 'after');
  await message(page, 'after', { state: 'sent' }).waitFor();
  await textsAre(page, ['before', 'after']);
  assert.equal(await page.locator('.note').count(), 1);
  assert.deepEqual(errors, []);
});

pageTest('a server that keeps from now on: what can be had is shown, and that something may be missing',
  ['--app', '1:k:s'], async (server) => {
    const page = await openWired(server);
    await send(page, 'before');
    await message(page, 'before', { state: 'sent' }).waitFor();
    await lose(server, page);
    const next = await startServer(['--app', '1:k:s', '--history', '*'], { port: server.port });
    try {
      const raw = await rawClient(server);
      raw.send('Ben: missed');
      await reconnect(page);
      await page.waitForFunction(async () => (await import('/rooms.js')).allPlaces()[0].channel.position !== null);
      await page.evaluate(async () => {    /* as ringcast.js does, or does once more */
        const { channel } = (await import('/rooms.js')).allPlaces()[0];
        channel._emit('gap', { position: channel.position });
      });
      await message(page, 'missed').waitFor();
      raw.send('Ben: live');
      await textsAre(page, ['before', 'missed', 'live']);
      await page.waitForFunction(() => document.querySelectorAll('.note').length === 1);
      assert.equal(await page.locator('.note .text').textContent(), 'Some messages may be missing here');
      raw.terminate();
    } finally {
      await next.kill();
    }
  }, { endsWell: false });

/* ---- Bounds --------------------------------------------------------------------------------------------------- */

pageTest('the document stays small while somebody reads a little above the end', HISTORY, async (server) => {
  const page = await openChat(browser(), server.url, { name: 'Anna' });
  const raw = await rawClient(server);
  await say(raw, 100, 'old');
  await messageOf(page, 'old 99');
  await page.getByRole('log').hover();
  await page.mouse.wheel(0, -60);
  await page.waitForFunction(() => {
    const log = document.getElementById('log');
    return log.scrollHeight - log.scrollTop - log.clientHeight > 50;
  });
  await say(raw, 400);
  await page.waitForFunction(() => document.title.startsWith('(400) '));
  assert.ok(await page.locator('#messages > li').count() <= 240);
  await page.getByRole('button', { name: '400 new messages' }).click();
  await messageOf(page, 'message 399');
  while (await message(page, 'old 99').count() === 0) await page.mouse.wheel(0, -1500);
  const texts = await textsOf(page);
  const at = texts.indexOf('old 99');
  assert.deepEqual(texts.slice(at + 1), texts.slice(at + 1).map((_, index) => `message ${index}`));
  raw.terminate();
});

pageTest('threads are bounded: not looked at and not kept, or with the reader far above', [], async (server) => {
  const page = await openChat(browser(), server.url, { name: 'Anna' });
  const found = await page.evaluate(async () => {
    const { Thread } = await import('/thread.js');
    const make = (count, epoch) => {
      const thread = Object.assign(new Thread(), { epoch });
      for (let i = 1; i <= count; i++) {
        thread.add({ kind: 'message', state: 'sent', text: '', offset: epoch === null ? null : i });
      }
      return thread;
    };
    const unkept = make(5001, null);
    unkept.trim(true);
    const far = make(20_600, 'e');
    far.trimFar();
    return [unkept, far].map(({ items, isTrimmed, hasOlder }) => [items.length, isTrimmed, hasOlder]);
  });
  assert.deepEqual(found, [[5000, true, false], [20_000, false, true]]);
});

/* ---- Two people ----------------------------------------------------------------------------------------------- */

/* The server says who has sent a client event: this id, in frames of this event. */
const sentBy = (page, event, id) => page.evaluate(([wanted, userId]) => {
  globalThis.wire.change = (text) => (text.includes(`"event":"${wanted}"`)
    ? JSON.stringify({ ...JSON.parse(text), user_id: userId }) : text);
}, [event, id]);

pageTest('nobody can write in our name: the server says who it was', HISTORY, async (server) => {
  const anna = await openWired(server);
  const ben = await openWired(server, { name: 'Ben' });
  await anna.getByRole('button', { name: 'Write to Ben' }).click();
  await send(anna, 'hello');
  await choosePlace(ben, 'Anna');
  await sentBy(anna, 'client-message', await idOf(ben));
  const annaId = await idOf(anna);
  await ben.evaluate(async (id) => {
    const { allPlaces } = await import('/rooms.js');
    const { channel } = allPlaces().find(({ kind }) => kind === 'direct');
    await channel.publish('client-message', { text: 'I owe Ben 100 euros', name: 'Anna', from: id });
  }, annaId);
  assert.equal((await messageOf(anna, 'I owe Ben 100 euros')).own, false);
  assert.equal((await messageOf(anna, 'hello')).own, true);
});

pageTest('a direct message waits until the other one is there, whoever else is', ['--guests'], async (server) => {
  const anna = await openWired(server);
  let ben = await openChat(browser(), server.url, { name: 'Ben' });
  const peerLeft = () => anna.evaluate(async () => {
    const { allPlaces } = await import('/rooms.js');
    allPlaces().find(({ kind }) => kind === 'direct').peerLeft();
  });
  await anna.getByRole('button', { name: 'Write to Ben' }).click();
  await send(anna, 'here?');
  await message(anna, 'here?', { state: 'sent' }).waitFor();

  /* In another room he hears it all the same, and answers. */
  await newRoom(ben, 'tea');
  await peerLeft();
  await send(anna, 'in the other room?');
  await message(anna, 'in the other room?', { state: 'sent' }).waitFor();
  await choosePlace(ben, 'Anna');
  await textsAre(ben, ['here?', 'in the other room?']);

  await ben.context().close();
  await anna.waitForFunction(async () => (await import('/people.js')).peopleHere().size === 1);
  await peerLeft();
  await send(anna, 'gone?');
  await anna.getByText('Ben is not here. Your message waits.').waitFor();

  /* Our own other window is not Ben. */
  await sentBy(anna, 'client-here', await idOf(anna));
  const second = await anna.context().newPage();
  await anna.evaluate(() => { globalThis.wire.heard = []; });
  await second.goto(anna.url());
  await heardIs(anna, '"event":"client-here"');
  assert.equal(await stateOf(anna, 'gone?'), 'sending');
});

/* ---- Time, and what is heard of it ---------------------------------------------------------------------------- */

pageTest('after midnight yesterday is no longer called today', [], async (server) => {
  const page = await openChat(browser(), server.url, { name: 'Anna', timezoneId: 'UTC', locale: 'en-GB' });
  await page.clock.install({ time: '2030-05-14T12:00:00Z' });    /* whatever the hour of the test */
  await page.reload();
  await stateIs(page, 'Connected');
  await send(page, 'the day before');
  await page.getByText('Today', { exact: true }).waitFor();
  await page.clock.fastForward('24:00:00');
  await page.locator('.day', { hasText: 'Yesterday' }).waitFor();
  await send(page, 'the day after');
  await message(page, 'the day after').getByText('Today').waitFor();
  assert.deepEqual(await page.locator('.day').allTextContents(), ['Yesterday', 'Today']);
});

pageTest('that a message was not sent is spoken', ['--app', '1:k:s client_events=no', ...HISTORY], async (server) => {
  const page = await openChat(browser(), server.url, { name: 'Anna' });
  await openChat(browser(), server.url, { name: 'Ben' });
  await page.getByRole('button', { name: 'Write to Ben' }).click();
  await send(page, 'refused');
  await message(page, 'refused', { state: 'failed' }).waitFor();
  const spoken = page.locator('[aria-live="polite"] p');
  assert.match(await spoken.textContent(), /^Your message “refused”\. Not sent: /);
  await box(page).press('Escape');
});
