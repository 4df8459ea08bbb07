/* tests/e2e/dashboard.test.mjs - the operator's page in a browser: it shows what happens as it happens, says when there
 * is no answer, asks for a token where one is needed, and can be read by everybody. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launchBrowser } from './browser.mjs';
import { appArgs, openPeers } from './channels.mjs';
import { freePort, startServer } from './server.mjs';
import { connect, leave, until } from './support.mjs';
import { HERE, ca, makePair, pairArgs } from './tls.mjs';

let browser, server, control;

/* A server whose certificate is about to expire, which it warns of. */
before(async () => {
  browser = await launchBrowser();
  control = `http://127.0.0.1:${await freePort()}`;
  const soon = makePair('soon', { names: HERE, issuer: ca, days: 5 });
  server = await startServer(['--control', new URL(control).host, '--shards', '2',
    ...appArgs(), '--outbox-bytes-max', '64MiB',
    '--tls-listen', `127.0.0.1:${await freePort()}`, ...pairArgs(soon)]);
});

after(async () => {
  await browser.close();
  assert.equal((await server.stop()).code, 0);
});

/* page.problems: console errors (a violated security policy is one), exceptions, requests to elsewhere. */
async function openPage(options, route) {
  const page = await (await browser.newContext(options)).newPage();
  page.setDefaultTimeout(20_000);
  page.problems = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') page.problems.push(message.text());
  });
  page.on('pageerror', (error) => page.problems.push(error.message));
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== control) page.problems.push(request.url());
  });
  if (route) await page.route('**/stats', route);
  await page.goto(control);
  return page;
}

const stateIs = (page, words) => page.getByRole('status').filter({ hasText: new RegExp(`^${words}$`) }).waitFor();

const tile = (page, title) => page.locator('#tiles li').filter({ has: page.getByRole('heading', { name: title }) });

const valueOf = (page, title) => tile(page, title).locator('.value').textContent();

const entry = (page, list, name) => page.locator(`#${list} div`).filter({ has: page.locator('dt', { hasText: name }) })
  .locator('dd').textContent();

test('it shows what happens, as it happens', async () => {
  const page = await openPage();
  await stateIs(page, 'running');
  assert.equal(await page.locator('#version').textContent(), '0.1.0');
  const peers = await openPeers(server, 3);
  for (const peer of peers) await peer.subscribe('news');
  await until(async () => await page.locator('#apps td').textContent() === '3', 'three clients to be shown');
  const waiting = tile(page, 'Waiting for readers');
  await until(async () => (await waiting.textContent()).includes('3 subscriptions'), 'theirs to be shown');
  const rows = await page.locator('#threads tbody th').allTextContents();
  assert.deepEqual(rows, ['0', '1', 'control']);
  for (const peer of peers) await peer.leave();
  await until(async () => (await page.locator('#closed').textContent()).includes('peer closed'), 'why they have gone');
  await until(async () => /^[\d.]+ (µs|ms)$/.test(await page.locator('#threads tbody tr').last().locator('td').nth(2)
    .textContent()), 'the time of a turn');
  assert.match(await valueOf(page, 'Memory'), /^[\d.]+ MiB$/);
  assert.match(await page.locator('#tiles path').first().getAttribute('d'), /^M[\d. L]+$/);
  assert.match(await entry(page, 'tls', 'first certificate expires'), /^in [45] days$/);
  assert.match(await page.locator('#warnings li').first().textContent(), /warn .*expires within 14 days/);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test('it shows the busiest channels, and for whom most waits', async () => {
  const page = await openPage();
  await stateIs(page, 'running');
  const speakers = await Promise.all(['busy', 'calm'].map((room) => connect(server, `/room/${room}`)));
  const [stuck] = await openPeers(server, 1);
  await stuck.subscribe('busy');
  stuck.client._socket.pause();
  const readers = page.locator('#readers tbody');
  await until(async () => {
    for (let i = 0; i < 50; i++) speakers[0].send('x'.repeat(60_000));
    speakers[1].send('x');
    const names = await page.locator('#channels tbody th').allTextContents();
    return names[0] === 'busy' && names[1] === 'calm' && await readers.isVisible();
  }, 'both channels, and who does not read', { poll: 100 });
  const row = await page.locator('#channels tbody tr').first().locator('td').allTextContents();
  assert.match(row[0], /^[\d.,]+K?$/);
  assert.match(row[1], /^[\d.]+ [KM]iB$/);
  assert.deepEqual(row.slice(2), ['2', '1001']);
  assert.equal(await readers.locator('th').first().textContent(), stuck.socketId);
  assert.deepEqual(page.problems, []);
  stuck.client.terminate();
  await leave(...speakers);
  await until(async () => !await readers.isVisible(), 'nobody to be waited for');
  await page.context().close();
});

test('a node that is alone tells nothing of others, one with a Redis tells what is wrong with it', async () => {
  let cluster = 'none';
  const page = await openPage({}, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...await response.json(), cluster, node: 'west-1' } });
  });
  const section = page.locator('#cluster');
  await stateIs(page, 'running');
  assert.ok(await section.isHidden());
  cluster = 'Redis: does not answer';
  await section.getByText('Redis: does not answer').waitFor();
  assert.equal(await entry(page, 'cluster', 'this node'), 'west-1');
  assert.equal(await page.locator('#cluster dd').first().getAttribute('class'), 'bad');
  cluster = 'ok';
  await section.getByText('connected', { exact: true }).waitFor();
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test('the keyboard stops it and lets it go on', async () => {
  const page = await openPage();
  await stateIs(page, 'running');
  await page.keyboard.press('Tab');
  const pause = page.getByRole('button', { name: 'Pause' });
  assert.ok(await pause.evaluate((button) => button === document.activeElement), 'it is the first to be reached');
  await page.keyboard.press('Space');
  await stateIs(page, 'paused');
  assert.equal(await pause.getAttribute('aria-pressed'), 'true');
  await page.keyboard.press('Space');
  await stateIs(page, 'running');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-labelledby')), 'threads-head',
    'what scrolls can be scrolled');
  await page.context().close();
});

test('every part has a name, and every table its heads', async () => {
  const page = await openPage();
  await stateIs(page, 'running');
  for (const name of ['Now', 'Threads', 'Busiest channels', 'Why connections ended', 'Apps', 'History and store',
    'Webhooks', 'TLS'])
    await page.getByRole('region', { name, exact: true }).first().waitFor();
  for (const table of await page.locator('table').all()) {
    assert.equal(await table.locator('thead th:not([scope=col])').count(), 0);
    assert.equal(await table.locator('tbody tr > :first-child:not(th[scope=row])').count(), 0);
  }
  await page.context().close();
});

test('it fits on a phone, also a small one, light and dark', async () => {
  for (const colorScheme of ['light', 'dark']) {
    const page = await openPage({ viewport: { width: 320, height: 640 }, colorScheme });
    await stateIs(page, 'running');
    const [wide, seen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(wide <= seen, `${wide} px in ${seen}`);
    const busiest = page.getByRole('columnheader', { name: 'messages/s' });
    const { x, width } = await busiest.boundingBox();
    assert.ok(x + width <= seen, 'how busy channels are is seen without scrolling');
    await page.context().close();
  }
});

test('where a token is needed it asks for one, and says what is wrong with it', async () => {
  const page = await openPage({}, (route) => {
    const given = route.request().headers().authorization;
    if (given === 'Bearer right') return route.continue();
    return route.fulfill({ status: 401, body: given ? 'This is not the token.' : 'A token is needed.' });
  });
  await page.getByText('A token is needed.').waitFor();
  await stateIs(page, 'not allowed');
  assert.ok(await page.locator('main').isHidden());
  assert.ok(await page.getByLabel('Token').evaluate((field) => field === document.activeElement));
  await page.keyboard.type('wrong');
  await page.keyboard.press('Enter');
  await page.getByText('This is not the token.').waitFor();
  await page.getByLabel('Token').fill('right');
  await page.keyboard.press('Enter');
  await stateIs(page, 'running');
  await page.reload();
  await stateIs(page, 'running');
  assert.ok(await page.locator('#token-form').isHidden(), 'it is remembered as long as the window is open');
  await page.context().close();
});

test('who may not see it whatever they give is told so', async () => {
  const page = await openPage({}, (route) => route.fulfill({ status: 403, body: 'From this machine alone.' }));
  await page.getByText('From this machine alone.').waitFor();
  assert.ok(await page.getByLabel('Token').isHidden());
  await page.context().close();
});

test('without an answer it says so, and goes on when there is one', async () => {
  let isAway = false;
  const page = await openPage({}, (route) => (isAway ? route.abort() : route.continue()));
  await stateIs(page, 'running');
  isAway = true;
  await stateIs(page, 'no answer');
  isAway = false;
  await stateIs(page, 'running');
  await page.context().close();
});

test('clients do not get it', async () => {
  for (const path of ['/dashboard.html', '/dashboard.js', '/dashboard.css'])
    assert.equal((await fetch(`${server.url}${path}`)).status, 404);
  const page = await fetch(control);
  assert.match(page.headers.get('content-security-policy'), /default-src 'none'/);
  const again = await fetch(control, { headers: { 'if-none-match': page.headers.get('etag') } });
  assert.equal(again.status, 304);
});
