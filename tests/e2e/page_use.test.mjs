/* tests/e2e/page_use.test.mjs - the built-in chat page in the hands of people: keyboard, screen reader, phone,
 * colours, names, long texts, links, what is in the way of sending. What is said and kept is in page.test.mjs. */

import assert from 'node:assert/strict';
import {
  box, choosePlace, message, messageOf, newRoom, openChat, send, stateIs, textsAre, textsOf, waitsLong,
} from './browser.mjs';
import { HISTORY, pageTests, rawClient } from './page.mjs';
import { startServer } from './server.mjs';

const POLICY = [
  "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
  "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
];
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

const { pageTest, browser } = pageTests();

const focused = (page) => page.evaluate(() => {
  const { activeElement: { id, ariaLabel, className, textContent } } = document;
  return id || ariaLabel || className || textContent.trim();
});

async function backgroundOf(page) {
  return page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number));
}

pageTest('the strict security policy is sent and the page lives within it', HISTORY, async (server) => {
  const answer = await fetch(server.url);
  assert.match(answer.headers.get('content-type'), /^text\/html/);
  const policy = answer.headers.get('content-security-policy').split(';').map((rule) => rule.trim()).filter(Boolean);
  assert.deepEqual(policy.sort(), [...POLICY].sort());
  const page = await openChat(browser(), server.url, { name: 'Anna' });
  await send(page, 'line one\nline two');
  await newRoom(page, 'tea');
  await page.waitForURL(`${server.url}/room/tea`);
  await page.reload();
  await stateIs(page, 'Connected');
  assert.deepEqual(page.problems, []);
});

pageTest('markup stays text, and only addresses of the web and of mail become links', HISTORY, async (server) => {
  const anna = await openChat(browser(), server.url, { name: '<b>Anna</b>' });
  const ben = await openChat(browser(), server.url, { name: 'Ben' });
  const raw = await rawClient(server);
  const attack = '<img src=x onerror=alert(1)><script>alert(2)</script>';
  await send(anna, attack);
  raw.send(attack);
  for (const page of [anna, ben]) {
    await page.locator('.text', { hasText: attack }).nth(1).waitFor();
    assert.equal(await page.locator('#messages img, #messages script, #messages b, #rooms b').count(), 0);
  }
  assert.equal(await ben.locator('.name').first().textContent(), '<b>Anna</b>');
  await send(anna, 'see https://example.org/a_(b)?c=d#e. or (http://example.net), not javascript:alert(1) or data:x');
  await send(anna, 'www.example.org or anna@example.org');
  const links = ben.locator('.text a');
  await links.nth(3).waitFor();
  assert.deepEqual(await links.evaluateAll((all) => all.map((a) => [a.getAttribute('href'), a.rel, a.target])), [
    ['https://example.org/a_(b)?c=d#e', 'noopener noreferrer', '_blank'],
    ['http://example.net', 'noopener noreferrer', '_blank'],
    ['http://www.example.org', 'noopener noreferrer', '_blank'],
    ['mailto:anna@example.org', 'noopener noreferrer', ''],
  ]);
  assert.deepEqual([anna.problems, ben.problems], [[], []]);
  raw.terminate();
});

/* Where a link begins and ends: its text stands between < >. */
const LINKS = [
  '<https://example.jp/page>。次の文です',
  '「<https://example.jp/a>」と（<https://example.jp/b>）、<https://example.jp/c>！',
  '<https://example.cn/页>，<https://example.cn/>；〈<https://a.jp/佐々木>〉',
  '<https://ja.wikipedia.org/wiki/スター・ウォーズ>【映画】',
  '“<https://a.org/x>” ‘<https://a.org/y>’ „<https://a.org/z>“ «<https://a.org>»',
  '"<https://a.org>" `<https://a.org>` (<https://a.org/b>)c [<https://a.org/c>](<https://a.org/d>)',
  '<https://en.wikipedia.org/wiki/A_(b)>. {<https://a.org/x>} <https://a.org/>(',
  '<https://a.org/?q=[1]&r={2}#(3)>), <http://[::1]:8080/a>]',
  'so <https://a.org/it\'s>? <https://a.org/>… <HTTPS://A.ORG/B>!',
  '<https://a.org/हिन्दी>। <https://a.org/صفحة>، <https://fa.wikipedia.org/wiki/می\u200cشود>',
  'see <www.example.org>, <www.例え.jp/あ>。',
  'www. www.de xwww.example.org x.www.example.org https:// http://。',
  '<anna@example.org>. <a.b+c@mail.example.co.uk>, 連絡は<anna@example.jp>まで',
  '<müller@müller.de> <почта@пример.рф> <https://example.org/@anna@example.net>',
  'x@y a@b.c anna@example.o1 @anna:example.org anna@@example.org',
];
const ENDLESS = ['a@', 'a.', 'www.', 'https://a.org/(', 'https://a.org/)', '(', 'x'];

pageTest('links end where their sentence goes on, in every script', HISTORY, async (server) => {
  const page = await openChat(browser(), server.url, { name: 'Anna' });
  const find = (texts) => page.evaluate(async (all) => {
    const { findLinks } = await import('/links.js');
    return all.map((text) => findLinks(text).map((link) => [link.index, link.text]));
  }, texts);
  const found = await find(LINKS.map((text) => text.replace(/[<>]/g, '')));
  for (const [i, text] of LINKS.entries()) {
    const wanted = [...text.matchAll(/<([^>]*)>/g)].map(({ 1: link, index }, before) => [index - 2 * before, link]);
    assert.deepEqual(found[i], wanted, text);
  }
  await find(ENDLESS.map((piece) => `${piece.repeat(20_000)}@${piece.repeat(20_000)}`));    /* ends all the same */
});

pageTest('the keyboard alone is enough', HISTORY, async (server) => {
  const page = await openChat(browser(), server.url, { name: 'Anna' });
  const ben = await openChat(browser(), server.url, { name: 'Ben' });
  await page.getByRole('button', { name: 'Write to Ben' }).waitFor();
  assert.equal(await focused(page), 'text', 'one can write at once');
  await page.keyboard.type('one');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('two');
  await page.keyboard.press('Enter');
  await messageOf(ben, 'one\ntwo');
  assert.equal(await focused(page), 'text');
  assert.equal(await box(page).inputValue(), '');

  await page.getByRole('button', { name: 'New room' }).focus();
  const order = [];
  for (let i = 0; i < 8; i++) {
    await page.keyboard.press('Tab');
    order.push(await focused(page));
    const outline = await page.evaluate(() => {
      const { activeElement } = document;
      const style = getComputedStyle(activeElement.id === 'text' ? activeElement.parentElement : activeElement);
      return style.outlineStyle !== 'none' || style.boxShadow !== 'none';
    });
    assert.ok(outline, `the focus on ${order.at(-1)} is visible`);
  }
  assert.match(order.shift(), /Lobby/);
  assert.deepEqual(order,
    ['rename', 'people-button', 'log', 'text', 'send', 'Close the list of people', 'Write to Ben']);

  await page.getByRole('button', { name: 'New room' }).focus();
  await page.keyboard.press('Enter');
  assert.equal(await focused(page), 'room');
  await page.keyboard.press('Escape');
  assert.equal(await page.getByRole('dialog').count(), 0);
  assert.equal(await focused(page), 'new-room');
  await page.keyboard.press('Enter');
  await page.keyboard.type('tea');
  await page.keyboard.press('Enter');
  await page.waitForURL(`${server.url}/room/tea`);
  assert.equal(await focused(page), 'text');

  await choosePlace(page, 'Lobby');
  await page.getByRole('button', { name: 'Write to Ben' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Ben' }).waitFor();
  assert.equal(await focused(page), 'text');
  await page.keyboard.type('hello');
  await page.keyboard.press('Enter');
  await message(page, 'hello', { state: 'sent' }).waitFor();
});

pageTest('drawers of a phone: opened, left with Escape, the focus comes back', HISTORY, async (server) => {
  const page = await openChat(browser(), server.url, { ...PHONE, name: 'Anna' });
  for (const [name, panel] of [[/^Rooms and conversations/, '#side'], [/^Who is here/, '#people-panel']]) {
    const button = page.getByRole('button', { name });
    assert.equal(await page.locator(panel).isVisible(), false);
    await button.click();
    await page.locator(panel).waitFor();
    assert.equal(await page.evaluate((inside) => document.querySelector(inside).contains(document.activeElement),
      panel), true);
    assert.equal(await page.locator('#main').evaluate((main) => main.inert), true);
    await page.keyboard.press('Escape');
    await page.locator(panel).waitFor({ state: 'hidden' });
    assert.equal(await button.evaluate((element) => element === document.activeElement), true);
  }
  await page.getByRole('button', { name: /^Rooms and conversations/ }).click();
  await newRoom(page, 'tea');
  await page.getByRole('heading', { level: 1, name: 'tea' }).waitFor();
  await page.locator('#side').waitFor({ state: 'hidden' });
});

pageTest('everything that can be operated has a name, and the parts have their roles', HISTORY, async (server) => {
  const page = await openChat(browser(), server.url);
  const ben = await openChat(browser(), server.url, { name: 'Ben' });
  await send(page, 'hello');
  await page.getByRole('button', { name: 'Write to Ben' }).waitFor();
  const nameless = await page.evaluate(() => {
    const nameOf = (element) => element.getAttribute('aria-label') ?? (element.labels?.length > 0
      ? element.labels[0].textContent : element.textContent);
    return [...document.querySelectorAll('button, a, input, textarea, dialog, [role], aside, nav')]
      .filter((element) => !element.closest('[hidden]') && !element.hasAttribute('aria-labelledby')
        && !(element.role === 'status') && nameOf(element).trim() === '')
      .map((element) => element.outerHTML.slice(0, 100));
  });
  assert.deepEqual(nameless, []);
  const ids = await page.evaluate(() => [...document.querySelectorAll('[aria-labelledby], [aria-controls]')]
    .flatMap((element) => [element.getAttribute('aria-labelledby'), element.getAttribute('aria-controls')])
    .filter((id) => id !== null && document.getElementById(id) === null));
  assert.deepEqual(ids, []);
  await page.getByRole('log', { name: 'Messages' }).waitFor();
  await page.getByRole('status').filter({ hasText: 'Connected' }).waitFor();
  await page.getByRole('navigation', { name: 'Rooms' }).waitFor();
  await page.getByRole('complementary', { name: 'Here now' }).waitFor();
  assert.equal(await page.getByRole('link', { name: /Lobby/ }).getAttribute('aria-current'), 'page');
  /* What is new is spoken, what was there is not. */
  await send(ben, 'listen');
  const spoken = page.locator('[aria-live="polite"]', { hasText: 'listen' });
  await spoken.waitFor({ state: 'attached' });
  assert.equal((await spoken.textContent()).trim(), 'Ben: listen');
});

pageTest('a phone screen never scrolls sideways and keeps the composer in view', HISTORY, async (server) => {
  const page = await openChat(browser(), server.url, { ...PHONE, name: 'A name as long as a name can be.' });
  const raw = await rawClient(server);
  for (const text of ['x'.repeat(5000), `${'W'.repeat(32)}: wide`, `Ben: ${'line\n'.repeat(60)}end`]) raw.send(text);
  await page.locator('.message').nth(2).waitFor();
  await send(page, `https://example.org/${'path/'.repeat(60)}`);
  await page.locator('.message').nth(3).waitFor();
  const fits = await page.evaluate(() => [document.documentElement, document.getElementById('log')]
    .every((element) => element.scrollWidth <= element.clientWidth));
  assert.equal(fits, true);
  const composer = await page.locator('#composer').boundingBox();
  assert.ok(composer.y + composer.height <= PHONE.viewport.height);
  raw.terminate();
});

pageTest('colours follow the system, motion stops where it is not wanted, text finds its direction', HISTORY,
  async (server) => {
    const light = await openChat(browser(), server.url, { colorScheme: 'light', reducedMotion: 'reduce' });
    const dark = await openChat(browser(), server.url, { colorScheme: 'dark' });
    assert.ok(Math.min(...await backgroundOf(light)) > 200);
    assert.ok(Math.max(...await backgroundOf(dark)) < 60);
    for (const text of ['שלום 🎉', 'hello']) await send(dark, text);
    await messageOf(light, 'hello');
    const directions = await light.locator('.bubble').evaluateAll((all) => all.map((bubble) =>
      getComputedStyle(bubble).direction));
    assert.deepEqual(directions, ['rtl', 'ltr']);
    const moving = await light.evaluate(() => document.getAnimations().length);
    assert.equal(moving, 0);
  });

pageTest('a text over the limit is refused with a hint and not lost', HISTORY, async (server) => {
  const anna = await openChat(browser(), server.url, { name: 'Anna' });
  const ben = await openChat(browser(), server.url, { name: 'Ben' });
  const largest = 'é'.repeat(5_117);    /* with "Anna: " 10,240 bytes */
  await box(anna).fill(`${largest}e`);
  await anna.getByText('Too long to send.').waitFor();
  await anna.getByText('10,241 of 10,240 bytes').waitFor();
  await box(anna).press('Enter');
  assert.equal((await box(anna).inputValue()).length, largest.length + 1);
  assert.equal(await anna.locator('.message').count(), 0);
  await box(anna).fill(largest);
  await box(anna).press('Enter');
  await ben.locator('.message').waitFor();
  assert.equal((await ben.locator('.message .text').textContent()).length, largest.length);
  await stateIs(anna, 'Connected');
});

const NO_CLIENT_EVENTS = ['--app', '1:k:s client_events=no', ...HISTORY];

pageTest('a message that the server refuses says so; it can be removed', NO_CLIENT_EVENTS,
  async (server) => {
    const page = await openChat(browser(), server.url, { name: 'Anna' });
    await openChat(browser(), server.url, { name: 'Ben' });
    await page.getByRole('button', { name: 'Write to Ben' }).click();
    await send(page, 'refused');
    await message(page, 'refused', { state: 'failed' }).waitFor();
    await page.getByText(/^Not sent: /).waitFor();
    await page.getByRole('button', { name: 'Send again' }).click();
    await message(page, 'refused', { state: 'failed' }).waitFor();
    await page.getByRole('button', { name: 'Remove' }).click();
    await textsAre(page, []);
    assert.equal(await focused(page), 'text');
  });

pageTest('without a connection the text stays, and Try now does not wait for the delay', [], async (server) => {
  const page = await openChat(browser(), server.url, { name: 'Anna' });
  await waitsLong(page);
  await box(page).fill('half a sentence');
  await server.stop();
  await stateIs(page, 'Disconnected');
  await page.getByText('Not connected. Your text stays here.').waitFor();
  await box(page).press('Enter');
  assert.equal(await box(page).inputValue(), 'half a sentence');
  assert.deepEqual(await textsOf(page), []);
  const next = await startServer([], { port: server.port });
  try {
    await page.getByRole('button', { name: 'Try now' }).click();
    await stateIs(page, 'Connected');
    await box(page).press('Enter');
    await message(page, 'half a sentence', { state: 'sent' }).waitFor();
  } finally {
    await next.kill();
  }
}, { endsWell: false });

pageTest('room names that the server refuses are refused at once', HISTORY, async (server) => {
  const page = await openChat(browser(), server.url);
  await page.getByRole('button', { name: 'New room' }).click();
  const field = page.getByRole('textbox', { name: 'Go to a room' });
  for (const name of ['', ' ', 'private-x', 'presence-x', 'cache-x', 'a/b', '..', '茶?', '茶'.repeat(48)]) {
    await field.fill(name);
    await field.press('Enter');
    assert.equal(await field.evaluate((input) => input.validity.valid), false, name);
  }
  assert.equal(page.url(), `${server.url}/`);
  await field.fill('A-z_0=@,.;9');
  await field.press('Enter');
  await page.waitForURL(`${server.url}/room/A-z_0=@,.;9`);
  await page.getByText('Only you are here').waitFor();
  assert.deepEqual(page.problems, []);
});

pageTest('a chosen name is remembered, a made-up one is for one window', HISTORY, async (server) => {
  const page = await openChat(browser(), server.url);
  const nameOf = (of) => of.locator('#own-name').textContent();
  const guest = await nameOf(page);
  assert.match(guest, /^Guest \d{4}$/);
  await page.reload();
  assert.equal(await nameOf(page), guest);
  await page.getByRole('button', { name: 'Choose a name' }).click();
  await page.getByRole('textbox', { name: 'Your name' }).fill(' An:na ');
  await page.keyboard.press('Enter');
  assert.equal(await nameOf(page), 'An na');
  assert.equal(await page.getByRole('button', { name: 'Choose a name' }).isVisible(), false);
  const second = await page.context().newPage();
  await second.goto(server.url);
  assert.equal(await nameOf(second), 'An na');
});

pageTest('a reader of old messages is not moved, and is told of new ones', HISTORY, async (server) => {
  const page = await openChat(browser(), server.url, { name: 'Anna' });
  const raw = await rawClient(server);
  for (let i = 0; i < 100; i++) raw.send(`Ben: message ${i}`);
  await messageOf(page, 'message 99');
  const log = page.getByRole('log');
  const scrolled = (where) => page.waitForFunction(({ below, above }) => {
    const element = document.getElementById('log');
    const left = element.scrollHeight - element.scrollTop - element.clientHeight;
    return element.scrollTop >= above && left >= below[0] && left <= below[1];
  }, where);
  await scrolled({ above: 1, below: [0, 1] });

  await log.hover();
  await page.mouse.wheel(0, -20);    /* less than what counts as near the bottom */
  await scrolled({ above: 1, below: [19, 21] });
  raw.send('Ben: one more');
  await page.getByRole('button', { name: '1 new message' }).waitFor();
  await scrolled({ above: 1, below: [22, Infinity] });
  assert.match(await page.title(), /^\(1\) /);
  await page.mouse.wheel(0, -400);
  raw.send('Ben: and another');
  const newer = page.getByRole('button', { name: '2 new messages' });
  await newer.waitFor();
  await newer.click();
  await newer.waitFor({ state: 'hidden' });
  await scrolled({ above: 1, below: [0, 1] });
  assert.equal(await page.title(), 'Lobby · ringcast');
  raw.send('Ben: followed again');
  await messageOf(page, 'followed again');
  await scrolled({ above: 1, below: [0, 1] });
  raw.terminate();
});
