/* tests/e2e/page.test.mjs - the built-in chat page in a real Chromium against the real server.
 * Every test starts a server of its own; all share one browser. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { launchBrowser, messageOf, openChat, send, stateIs } from './browser.mjs';
import { startServer } from './server.mjs';

const POLICY = [
  "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
  "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
];
const PHONE = { viewport: { width: 375, height: 812 }, isMobile: true, hasTouch: true };

let browser;
before(async () => { browser = await launchBrowser(); }, { timeout: 30_000 });
after(() => browser.close());

/* A test with a server of its own, which must end well (sanitizers report by the exit code), and with the windows that
 * it opened closed whatever happens. */
function pageTest(title, serverArgs, body) {
  test(title, { timeout: 60_000 }, async () => {
    const server = await startServer(serverArgs);
    try {
      await body(server);
      await closeWindows();
      assert.deepEqual(await server.stop(), { code: 0, signal: null }, server.stderr());
    } finally {
      await closeWindows();
      await server.kill();
    }
  });
}

function closeWindows() {
  return Promise.all(browser.contexts().map((context) => context.close()));
}

const box = (page) => page.getByLabel('Message', { exact: true });

function rawClient(server) {
  return new Promise((resolve, reject) => {
    const client = new WebSocket(server.url.replace('http', 'ws'));
    client.once('open', () => resolve(client));
    client.once('error', reject);
  });
}

function nextMessage(client) {
  return new Promise((resolve) => { client.once('message', (data) => resolve(data.toString())); });
}

async function backgroundOf(page) {
  return page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number));
}

pageTest('two windows chat both ways with names and times', [], async (server) => {
  const anna = await openChat(browser, server.url, { name: 'Anna' });
  const ben = await openChat(browser, server.url, { name: 'Ben' });
  await send(anna, 'Is anybody here?');
  const question = await messageOf(ben, 'Is anybody here?');
  assert.equal(question.sender, 'Anna');
  assert.equal(question.own, false);
  assert.match(question.time, /^\d\d:\d\d$/);
  await send(ben, 'Yes: me.\nAnd שלום 🎉');
  const answer = await messageOf(anna, 'Yes: me.\nAnd שלום 🎉');
  assert.equal(answer.sender, 'Ben');
  assert.deepEqual({ ...await messageOf(anna, 'Is anybody here?'), time: '' }, { sender: 'Anna', time: '', own: true });
  assert.deepEqual([anna.problems, ben.problems], [[], []]);
});

pageTest('markup stays text', [], async (server) => {
  const anna = await openChat(browser, server.url, { name: '<b>Anna</b>' });
  const ben = await openChat(browser, server.url);
  const raw = await rawClient(server);
  const attack = '<img src=x onerror=alert(1)><script>alert(2)</script>';
  await send(anna, attack);
  raw.send(attack);
  await ben.locator('.text', { hasText: attack }).nth(1).waitFor();
  await anna.locator('.text', { hasText: attack }).nth(1).waitFor();
  for (const page of [anna, ben]) {
    assert.equal(await page.locator('#messages img, #messages script, #messages b').count(), 0);
    assert.deepEqual(page.problems, []);
  }
  assert.equal(await ben.locator('.name').first().textContent(), '<b>Anna</b>');
  raw.terminate();
});

pageTest('raw clients and the page understand each other', [], async (server) => {
  const page = await openChat(browser, server.url, { name: 'Anna' });
  const raw = await rawClient(server);
  const heard = nextMessage(raw);
  await send(page, 'Hello raw one');
  assert.equal(await heard, 'Anna: Hello raw one');
  raw.send('no name in front');
  raw.send('Robot: beep');
  raw.send(Buffer.alloc(1000));
  assert.equal((await messageOf(page, 'no name in front')).sender, 'Guest');
  assert.equal((await messageOf(page, 'beep')).sender, 'Robot');
  await messageOf(page, '(binary message, 1000 bytes)');
  assert.deepEqual(page.problems, []);
  raw.terminate();
});

pageTest('the strict security policy is sent and the page lives within it', [], async (server) => {
  const answer = await fetch(server.url);
  assert.match(answer.headers.get('content-type'), /^text\/html/);
  const policy = answer.headers.get('content-security-policy').split(';').map((rule) => rule.trim()).filter(Boolean);
  assert.deepEqual(policy.sort(), [...POLICY].sort());
  const page = await openChat(browser, server.url);
  await send(page, 'line one\nline two');
  await page.getByRole('button', { name: /change room/ }).click();
  await page.getByLabel('Go to a room').fill('tea');
  await page.getByRole('button', { name: 'Go' }).click();
  await page.waitForURL(`${server.url}/room/tea`);
  await stateIs(page, 'Connected');
  assert.deepEqual(page.problems, []);
});

pageTest('the page comes back by itself after a restart and keeps what was typed', [], async (server) => {
  const anna = await openChat(browser, server.url, { name: 'Anna' });
  const ben = await openChat(browser, server.url, { name: 'Ben' });
  await box(anna).fill('half a sentence');
  await server.stop();
  await stateIs(anna, 'Disconnected');
  await anna.getByText('Not connected. Your text stays here.').waitFor();
  await box(anna).press('Enter');
  assert.equal(await box(anna).inputValue(), 'half a sentence');
  assert.equal(await anna.locator('.message').count(), 0);
  const next = await startServer([], { port: server.port });
  try {
    /* Above the longest delay there is. */
    await stateIs(anna, 'Connected', { timeout: 35_000 });
    await stateIs(ben, 'Connected', { timeout: 35_000 });
    await box(anna).press('Enter');
    assert.equal((await messageOf(ben, 'half a sentence')).sender, 'Anna');
    await send(ben, 'and the other half');
    assert.equal((await messageOf(anna, 'and the other half')).sender, 'Ben');
    await anna.getByText('Connected again').waitFor();
  } finally {
    await next.kill();
  }
});

pageTest('Try now and the browser coming online do not wait for the delay', [], async (server) => {
  const page = await openChat(browser, server.url);
  await page.evaluate(() => { Math.random = () => 1e6; });    /* a delay that no test sees the end of */
  const rounds = [
    { end: 'stop', note: 'The server stopped, trying again', wake: () => page.getByText('Try now').click() },
    { end: 'kill', note: 'Connection lost, trying again',
      wake: () => page.evaluate(() => dispatchEvent(new Event('online'))) },
  ];
  let current = server;
  try {
    for (const { end, note, wake } of rounds) {
      await current[end]();
      await stateIs(page, 'Disconnected');
      await page.getByText(note).waitFor();
      current = await startServer([], { port: server.port });
      await wake();
      await stateIs(page, 'Connected');
    }
  } finally {
    await current.kill();
  }
});

pageTest('with echo, own messages are shown once and as own', ['--lobby-echo'], async (server) => {
  const anna = await openChat(browser, server.url, { name: 'Anna' });
  const ben = await openChat(browser, server.url, { name: 'Ben' });
  await send(anna, 'first');
  await send(anna, 'second');
  await send(ben, 'third');
  await messageOf(anna, 'third');
  await messageOf(ben, 'third');
  assert.deepEqual(await anna.locator('.text').allTextContents(), ['Connected', 'first', 'second', 'third']);
  assert.deepEqual(await anna.locator('.own .text').allTextContents(), ['first', 'second']);
  assert.deepEqual(await ben.locator('.own .text').allTextContents(), ['third']);
});

pageTest('the keyboard alone is enough', [], async (server) => {
  const page = await openChat(browser, server.url, { name: 'Anna' });
  const ben = await openChat(browser, server.url, { name: 'Ben' });
  const focused = () => page.evaluate(() => document.activeElement.id);
  await page.reload();
  await stateIs(page, 'Connected');
  assert.equal(await focused(), 'text', 'one can write at once');
  await page.getByRole('button', { name: /change room/ }).focus();
  for (const next of ['log', 'name', 'text', 'send']) {
    await page.keyboard.press('Tab');
    assert.equal(await focused(), next);
  }
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.type('one');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('two');
  await page.keyboard.press('Enter');
  await messageOf(ben, 'one\ntwo');
  assert.equal(await focused(), 'text');
  assert.equal(await box(page).inputValue(), '');
  await page.getByRole('button', { name: /change room/ }).focus();
  await page.keyboard.press('Enter');
  assert.equal(await focused(), 'room');
  await page.keyboard.press('Escape');
  assert.equal(await page.getByLabel('Go to a room').isVisible(), false);
  await page.keyboard.press('Enter');
  await page.keyboard.type('tea');
  await page.keyboard.press('Enter');
  await page.waitForURL(`${server.url}/room/tea`);
});

pageTest('screen readers find the log, the state and the fields by role', [], async (server) => {
  const page = await openChat(browser, server.url);
  assert.equal(await page.getByRole('log', { name: 'Messages' }).getAttribute('aria-live'), 'polite');
  await page.getByRole('status').filter({ hasText: 'Connected' }).waitFor();
  await page.getByRole('textbox', { name: 'Message', exact: true }).waitFor();
  await page.getByRole('textbox', { name: 'Writing as' }).waitFor();
  await page.getByRole('heading', { name: /Lobby/ }).waitFor();
});

pageTest('a phone screen never scrolls sideways and keeps the composer in view', [], async (server) => {
  const page = await openChat(browser, server.url, { ...PHONE, name: 'A name as long as a name can be.' });
  const raw = await rawClient(server);
  for (const text of ['x'.repeat(5000), `${'W'.repeat(32)}: wide`, `Ben: ${'line\n'.repeat(60)}end`]) raw.send(text);
  await send(page, `https://example.org/${'path/'.repeat(60)}`);
  await page.locator('.message').nth(3).waitFor();
  const fits = await page.evaluate(() => [document.documentElement, document.getElementById('log')]
    .every((element) => element.scrollWidth <= element.clientWidth));
  assert.equal(fits, true);
  const composer = await page.locator('#composer').boundingBox();
  assert.ok(composer.y + composer.height <= PHONE.viewport.height);
  raw.terminate();
});

pageTest('the colours follow the system', [], async (server) => {
  const light = await backgroundOf(await openChat(browser, server.url, { colorScheme: 'light' }));
  const dark = await backgroundOf(await openChat(browser, server.url, { colorScheme: 'dark' }));
  assert.ok(Math.min(...light) > 200, `light: ${light}`);
  assert.ok(Math.max(...dark) < 60, `dark: ${dark}`);
});

pageTest('rooms are separate', [], async (server) => {
  const lobby = await openChat(browser, server.url, { name: 'Anna' });
  const tea = await openChat(browser, `${server.url}/room/tea`, { name: 'Ben' });
  const alsoTea = await openChat(browser, `${server.url}/room/tea`, { name: 'Cleo' });
  await send(lobby, 'for the lobby');
  await send(tea, 'for the tea room');
  await messageOf(alsoTea, 'for the tea room');
  await send(alsoTea, 'received');
  await messageOf(tea, 'received');
  assert.deepEqual(await lobby.locator('.message .text').allTextContents(), ['for the lobby']);
  assert.deepEqual(await alsoTea.locator('.message .text').allTextContents(), ['for the tea room', 'received']);
  assert.match(await tea.title(), /^tea /);
});

pageTest('room names that the server refuses are refused at once', [], async (server) => {
  const page = await openChat(browser, server.url);
  await page.getByRole('button', { name: /change room/ }).click();
  const field = page.getByLabel('Go to a room');
  for (const name of ['', 'private-x', 'presence-x', 'cache-x', 'a b', 'a/b', '..', 'é']) {
    await field.fill(name);
    await field.press('Enter');
    assert.equal(await field.evaluate((input) => input.validity.valid), false, name);
  }
  assert.equal(page.url(), `${server.url}/`);
  await field.fill('A-z_0=@,.;9');
  await field.press('Enter');
  await page.waitForURL(`${server.url}/room/A-z_0=@,.;9`);
  await stateIs(page, 'Connected');
});

pageTest('a text over the limit is refused with a hint and not lost', [], async (server) => {
  const anna = await openChat(browser, server.url, { name: 'Anna' });
  const ben = await openChat(browser, server.url, { name: 'Ben' });
  const largest = 'é'.repeat(32_765);    /* with "Anna: " 65,536 bytes */
  await box(anna).fill(`${largest}e`);
  await anna.getByText('Too long to send.').waitFor();
  await anna.getByText('65,537 of 65,536 bytes').waitFor();
  await box(anna).press('Enter');
  assert.equal((await box(anna).inputValue()).length, largest.length + 1);
  assert.equal(await anna.locator('.message').count(), 0);
  await box(anna).fill(largest);
  await box(anna).press('Enter');
  await ben.locator('.message').waitFor();
  assert.equal((await ben.locator('.message .text').textContent()).length, largest.length);
  await stateIs(anna, 'Connected');
});

pageTest('a reader of old messages is not moved, and is told of new ones', [], async (server) => {
  const page = await openChat(browser, server.url, { name: 'Anna' });
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

  await log.focus();
  await page.keyboard.press('Home');
  await page.waitForFunction(() => document.getElementById('log').scrollTop === 0);
  raw.send('Ben: and another');
  const newer = page.getByRole('button', { name: '2 new messages' });
  await newer.waitFor();
  assert.equal(await log.evaluate((element) => element.scrollTop), 0);
  await newer.click();
  await newer.waitFor({ state: 'hidden' });
  await scrolled({ above: 1, below: [0, 1] });
  raw.send('Ben: followed again');
  await messageOf(page, 'followed again');
  await scrolled({ above: 1, below: [0, 1] });
  raw.terminate();
});

pageTest('the oldest messages leave a very long conversation', [], async (server) => {
  const page = await openChat(browser, server.url);
  const raw = await rawClient(server);
  for (let i = 0; i < 2100; i++) raw.send(`Ben: message ${i}`);
  await page.locator('#messages > li:last-child .text').filter({ hasText: 'message 2099' }).waitFor();
  assert.equal(await page.locator('#messages > li').count(), 2000);
  await page.getByText('Earlier messages are no longer shown.').waitFor();
  raw.terminate();
});

pageTest('a chosen name is remembered, a made-up one is for one window', [], async (server) => {
  const page = await openChat(browser, server.url);
  const name = (of) => of.getByLabel('Writing as').inputValue();
  const guest = await name(page);
  assert.match(guest, /^Guest \d{4}$/);
  await page.reload();
  assert.equal(await name(page), guest);
  await page.getByLabel('Writing as').fill(' An:na ');
  await page.getByLabel('Writing as').blur();
  assert.equal(await name(page), 'An na');
  const second = await page.context().newPage();
  await second.goto(server.url);
  assert.equal(await name(second), 'An na');
});
