/* tests/e2e/page.test.mjs - the built-in chat page in a real Chromium against the real server: people and raw clients
 * in rooms, what is kept, what is lost and found again. Every test starts a server of its own; all share one browser.
 * How the page is operated is in page_use.test.mjs. */

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  box, choosePlace, message, messageOf, newRoom, openChat, send, stateIs, textsAre, textsOf,
} from './browser.mjs';
import { HISTORY, nextMessage, pageTests, rawClient } from './page.mjs';
import { startServer } from './server.mjs';

const { pageTest, browser } = pageTests();

pageTest('two windows chat both ways with names, times and ticks', HISTORY, async (server) => {
  const anna = await openChat(browser(), server.url, { name: 'Anna' });
  const ben = await openChat(browser(), server.url, { name: 'Ben' });
  await send(anna, 'Is anybody here?');
  const question = await messageOf(ben, 'Is anybody here?');
  assert.equal(question.sender, 'Anna');
  assert.equal(question.own, false);
  assert.match(question.time, /^\d\d:\d\d$/);
  await send(ben, 'Yes: me.\nAnd שלום 🎉');
  assert.equal((await messageOf(anna, 'Yes: me.\nAnd שלום 🎉')).sender, 'Ben');
  await message(anna, 'Is anybody here?', { state: 'sent' }).waitFor();
  assert.equal((await messageOf(anna, 'Is anybody here?')).own, true);
  assert.equal(await message(anna, 'Is anybody here?').getByRole('img', { name: 'Sent' }).count(), 1);
  assert.deepEqual([anna.problems, ben.problems], [[], []]);
});

for (const args of [HISTORY, ['--guests', '--lobby-echo'], []]) {
  pageTest(`raw clients and the page understand each other (${args.join(' ')})`, args, async (server) => {
    const page = await openChat(browser(), server.url, { name: 'Anna' });
    const raw = await rawClient(server);
    const heard = nextMessage(raw);
    await send(page, 'Hello raw one');
    assert.equal(await heard, 'Anna: Hello raw one');
    raw.send('no name in front');
    raw.send('Robot: beep');
    raw.send(Buffer.alloc(1000));
    raw.send('Robot: done');
    assert.equal((await messageOf(page, 'no name in front')).sender, 'Guest');
    assert.equal((await messageOf(page, 'beep')).sender, 'Robot');
    await messageOf(page, 'done');
    assert.deepEqual(await textsOf(page), ['Hello raw one', 'no name in front', 'beep', 'done']);
    assert.deepEqual(page.problems, []);
    raw.terminate();
  });
}

pageTest('who enters sees what was said before', HISTORY, async (server) => {
  const raw = await rawClient(server, '/room/tea');
  for (const text of ['Ben: one', 'Anna: two', 'three']) raw.send(text);
  raw.ping();
  await new Promise((resolve) => { raw.once('pong', resolve); });
  const anna = await openChat(browser(), `${server.url}/room/tea`, { name: 'Anna' });
  await textsAre(anna, ['one', 'two', 'three']);
  await anna.getByText('This is the beginning of what is kept here').waitFor();
  raw.terminate();
});

pageTest('earlier messages come when one scrolls up, the place stays, the document stays small', HISTORY,
  async (server) => {
    const raw = await rawClient(server);
    for (let i = 0; i < 700; i++) raw.send(`Ben: message ${i}`);
    const page = await openChat(browser(), server.url, { name: 'Anna' });
    await messageOf(page, 'message 699');
    const inDocument = () => page.locator('#messages > li').count();
    assert.ok(await inDocument() <= 240);
    await page.evaluate(() => {
      globalThis.jumps = [];
      const log = document.getElementById('log');
      /* Where a message stands on the screen before and after a change of the list: nowhere else. */
      const tops = new Map();
      const measure = () => {
        for (const element of log.querySelectorAll('.text')) {
          const top = element.getBoundingClientRect().top;
          if (top > 0 && top < innerHeight && tops.has(element) && tops.get(element).scroll === log.scrollTop
            && Math.abs(tops.get(element).top - top) > 1) globalThis.jumps.push(element.textContent);
        }
        tops.clear();
        for (const element of log.querySelectorAll('.text')) {
          tops.set(element, { top: element.getBoundingClientRect().top, scroll: log.scrollTop });
        }
        requestAnimationFrame(measure);
      };
      measure();
    });
    await page.getByRole('log').hover();
    while (await page.locator('.text', { hasText: /^message 0$/ }).count() === 0) {
      await page.mouse.wheel(0, -1500);
      assert.ok(await inDocument() <= 300);
    }
    assert.deepEqual(await page.evaluate(() => globalThis.jumps), []);
    await page.getByRole('button', { name: /Latest messages/ }).click();
    await messageOf(page, 'message 699');
    const texts = await textsOf(page);
    assert.deepEqual(texts, texts.map((_, index) => `message ${700 - texts.length + index}`));
    raw.terminate();
  });

pageTest('presence: who is here, who comes, goes and is renamed', HISTORY, async (server) => {
  const anna = await openChat(browser(), server.url, { name: 'Anna' });
  await anna.getByText('Only you are here').waitFor();
  const ben = await openChat(browser(), server.url, { name: 'Ben' });
  await anna.getByText('2 people here').waitFor();
  await anna.getByRole('button', { name: 'Write to Ben' }).waitFor();
  await ben.getByRole('button', { name: 'Change name' }).click();
  await ben.getByRole('textbox', { name: 'Your name' }).fill(' Be:njamin ');
  await ben.keyboard.press('Enter');
  await anna.getByRole('button', { name: 'Write to Be njamin' }).waitFor();
  await send(ben, 'it is me');
  assert.equal((await messageOf(anna, 'it is me')).sender, 'Be njamin');
  await newRoom(ben, 'tea');
  await anna.getByText('Only you are here').waitFor();
  await choosePlace(ben, 'Lobby');
  await anna.getByText('2 people here').waitFor();
  await ben.context().close();
  await anna.getByText('Only you are here').waitFor({ timeout: 20_000 });
  assert.deepEqual(anna.problems, []);
});

pageTest('typing is seen, and ends with the message or with the text', HISTORY, async (server) => {
  const anna = await openChat(browser(), server.url, { name: 'Anna' });
  const ben = await openChat(browser(), server.url, { name: 'Ben' });
  await anna.getByText('2 people here').waitFor();
  await ben.getByText('2 people here').waitFor();
  await box(ben).pressSequentially('Hel');
  await anna.getByText('Ben is typing…').waitFor();
  await box(ben).fill('');
  await anna.getByText('Ben is typing…').waitFor({ state: 'hidden' });
  await box(ben).fill('Hello');
  await anna.getByText('Ben is typing…').waitFor();
  await box(ben).press('Enter');
  await messageOf(anna, 'Hello');
  await anna.getByText('Ben is typing…').waitFor({ state: 'hidden' });
});

for (const args of [HISTORY, ['--guests', '--history', '*'], ['--guests']]) {
  pageTest(`a direct message reaches one person alone (${args.join(' ')})`, args, async (server) => {
    const anna = await openChat(browser(), server.url, { name: 'Anna' });
    const ben = await openChat(browser(), server.url, { name: 'Ben' });
    const cleo = await openChat(browser(), server.url, { name: 'Cleo' });
    await anna.getByRole('button', { name: 'Write to Ben' }).click();
    await anna.getByRole('heading', { level: 1, name: 'Ben' }).waitFor();
    await send(anna, 'for you alone');
    await message(anna, 'for you alone', { state: 'sent' }).waitFor();
    await ben.locator('#directs .badge', { hasText: '1' }).waitFor();
    assert.match(await ben.title(), /^\(1\) Lobby/);
    await choosePlace(ben, 'Anna');
    assert.equal((await messageOf(ben, 'for you alone')).sender, 'Anna');
    await ben.locator('#directs .badge').waitFor({ state: 'hidden' });
    await box(ben).pressSequentially('tha');
    await anna.getByText('Ben is typing…').waitFor();
    await send(ben, 'thanks');
    assert.equal((await messageOf(anna, 'thanks')).own, false);
    await ben.goBack();
    await ben.getByRole('heading', { level: 1, name: 'Lobby' }).waitFor();
    assert.equal(await cleo.locator('#directs li').count(), 0);
    if (args === HISTORY) {
      await anna.reload();
      await textsAre(anna, ['for you alone', 'thanks']);
      assert.equal((await messageOf(anna, 'for you alone')).own, true);
    }
    assert.deepEqual([anna.problems, ben.problems, cleo.problems], [[], [], []]);
  });
}

pageTest('unread: a mark for each room, the title, a line where one stopped reading', HISTORY, async (server) => {
  const page = await openChat(browser(), `${server.url}/room/tea`, { name: 'Anna' });
  const raw = await rawClient(server, '/room/tea');
  raw.send('Ben: seen');
  await messageOf(page, 'seen');
  await choosePlace(page, 'Lobby');
  raw.send('Ben: missed one');
  raw.send('Ben: missed two');
  await page.getByLabel('2 unread', { exact: true }).waitFor();
  assert.equal(await page.title(), '(2) Lobby · ringcast');
  await page.reload();
  await page.getByLabel('2 unread', { exact: true }).waitFor();
  await choosePlace(page, 'tea');
  await textsAre(page, ['seen', 'missed one', 'missed two']);
  const line = page.locator('.fresh');
  assert.equal(await line.textContent(), 'New messages');
  assert.equal(await message(page, 'missed one').locator('.fresh').count(), 1);
  await page.waitForFunction(() => document.title === 'tea · ringcast');
  await page.reload();
  await textsAre(page, ['seen', 'missed one', 'missed two']);
  assert.equal(await line.count(), 0);
  raw.terminate();
});

pageTest('rooms: separate, changed without a reload, with the back button, and left', HISTORY, async (server) => {
  const page = await openChat(browser(), server.url, { name: 'Anna' });
  const tea = await openChat(browser(), `${server.url}/room/tea`, { name: 'Ben' });
  await page.evaluate(() => { globalThis.isSamePage = true; });
  await send(page, 'for the lobby');
  await box(page).fill('a draft');
  await newRoom(page, 'tea');
  await page.waitForURL(`${server.url}/room/tea`);
  assert.equal(await box(page).inputValue(), '');
  await send(tea, 'for the tea room');
  await messageOf(page, 'for the tea room');
  assert.deepEqual(await textsOf(page), ['for the tea room']);
  assert.equal(await page.title(), 'tea · ringcast');
  await page.goBack();
  await page.getByRole('heading', { level: 1, name: 'Lobby' }).waitFor();
  await textsAre(page, ['for the lobby']);
  assert.equal(await box(page).inputValue(), 'a draft');
  assert.equal(await page.evaluate(() => globalThis.isSamePage), true);
  await page.goForward();
  await textsAre(page, ['for the tea room']);
  await page.getByRole('button', { name: 'Leave tea' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Lobby' }).waitFor();
  assert.deepEqual(await page.locator('#rooms bdi').allTextContents(), ['Lobby']);
  assert.deepEqual(page.problems, []);
});

pageTest('the server is killed and started again while two windows chat: both end with the whole conversation', [],
  async (bystander) => {
    const directory = await mkdtemp(join(tmpdir(), 'ringcast-page-'));
    const args = ['--guests', '--history', '* durable=yes client_events=yes', '--data-dir', directory];
    let server = await startServer(args);
    try {
      const anna = await openChat(browser(), server.url, { name: 'Anna' });
      const ben = await openChat(browser(), server.url, { name: 'Ben' });
      const said = [];
      for (const [round, end] of ['kill', 'stop'].entries()) {
        for (let i = 0; i < 3; i++) {
          for (const [page, name] of [[anna, 'anna'], [ben, 'ben']]) {
            said.push(`${name} ${round} ${i}`);
            await send(page, said.at(-1));
          }
        }
        await server[end]();
        for (const page of [anna, ben]) await stateIs(page, 'Disconnected');
        await box(anna).fill('written without a connection');
        await box(anna).press('Enter');
        server = await startServer(args, { port: server.port });
        for (const page of [anna, ben]) await page.evaluate(() => dispatchEvent(new Event('online')));
        for (const page of [anna, ben]) await stateIs(page, 'Connected', { timeout: 35_000 });
        assert.equal(await box(anna).inputValue(), 'written without a connection');
      }
      await send(ben, 'the end');
      said.push('the end');
      for (const page of [anna, ben]) {
        await page.waitForFunction((count) => document.querySelectorAll('.message').length === count
          && document.querySelectorAll('.message.own:not([data-state="sent"])').length === 0, said.length);
        assert.deepEqual((await textsOf(page)).sort(), [...said].sort());
        assert.equal(await page.getByText('may be missing').count(), 0);
      }
      assert.deepEqual(await textsOf(anna), await textsOf(ben), 'in one order');
      await anna.reload();
      await textsAre(anna, await textsOf(ben));
    } finally {
      await server.kill();
      await rm(directory, { recursive: true });
      assert.ok(bystander.pid);
    }
  });

pageTest('a server that has forgotten: what was shown stays, and it is said that something may be missing', HISTORY,
  async (server) => {
    const page = await openChat(browser(), server.url, { name: 'Anna' });
    await send(page, 'before');
    await message(page, 'before', { state: 'sent' }).waitFor();
    await server.kill();
    await stateIs(page, 'Disconnected');
    await page.getByText('Not connected. Your text stays here.').waitFor();
    const next = await startServer(HISTORY, { port: server.port });
    try {
      await page.evaluate(() => dispatchEvent(new Event('online')));
      await page.getByText('Some messages may be missing here').waitFor();
      const raw = await rawClient(server);
      raw.send('Ben: after');
      await textsAre(page, ['before', 'after']);
      raw.terminate();
    } finally {
      await next.kill();
    }
  }, { endsWell: false });

pageTest('without history and guests it is simply live, and says what was not heard', [], async (server) => {
  const page = await openChat(browser(), server.url, { name: 'Anna' });
  await page.getByText('Quiet so far').waitFor();
  await send(page, 'anybody?');
  await message(page, 'anybody?', { state: 'sent' }).waitFor();
  await server.kill();
  await stateIs(page, 'Disconnected');
  const next = await startServer([], { port: server.port });
  try {
    await page.evaluate(() => dispatchEvent(new Event('online')));
    await page.getByText('Connected again. What was said meanwhile is not shown.').waitFor();
    await textsAre(page, ['anybody?']);
  } finally {
    await next.kill();
  }
}, { endsWell: false });
