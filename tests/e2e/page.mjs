/* tests/e2e/page.mjs - what the tests of the chat page share: a browser for a file, a server for a test, clients. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { launchBrowser } from './browser.mjs';
import { startServer } from './server.mjs';

export const HISTORY = ['--guests', '--history', '* client_events=yes'];
const TEST_MS = 60_000;

/* { pageTest(title, serverArgs, body, options), browser() } for one file. A test's server must end well, unless the
 * test ends it itself (sanitizers report by the exit code), and its windows are closed whatever happens. */
export function pageTests() {
  let browser;
  before(async () => { browser = await launchBrowser(); }, { timeout: 30_000 });
  after(() => browser?.close());
  const closeWindows = () => Promise.all(browser.contexts().map((context) => context.close()));

  function pageTest(title, serverArgs, body, { endsWell = true } = {}) {
    test(title, { timeout: TEST_MS }, async () => {
      const server = await startServer(serverArgs);
      try {
        await body(server);
        await closeWindows();
        if (endsWell) assert.deepEqual(await server.stop(), { code: 0, signal: null }, server.stderr());
      } finally {
        await closeWindows();
        await server.kill();
      }
    });
  }
  return { pageTest, browser: () => browser };
}

export function rawClient(server, path = '/') {
  return new Promise((resolve, reject) => {
    const client = new WebSocket(server.url.replace('http', 'ws') + path);
    client.once('open', () => resolve(client));
    client.once('error', reject);
  });
}

export function nextMessage(client) {
  return new Promise((resolve) => { client.once('message', (data) => resolve(data.toString())); });
}
