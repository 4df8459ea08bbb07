/* tests/e2e/tutorial.test.mjs - what the page of a Ratchet tutorial does, word for word: new WebSocket(url), onopen,
 * onmessage with event.data, send(), onclose; and what its PHP application promises: everyone else gets what one says.
 * npm's `ws` has the browser's interface too. */

import assert from 'node:assert/strict';
import WebSocket from 'ws';
import { Inbox, serverTest, within } from './support.mjs';

/* The tutorial's page, with a list in place of its window. */
function openPage(url) {
  const page = { conn: new WebSocket(url), log: new Inbox() };
  page.opened = new Promise((resolve) => { page.conn.onopen = (event) => resolve(event.type); });
  page.closed = new Promise((resolve) => { page.conn.onclose = (event) => resolve(event); });
  page.conn.onmessage = (event) => page.log.put(event.data);
  return page;
}

serverTest('two pages of the tutorial chat', [], async (server) => {
  const url = `ws://localhost:${server.port}`;
  const [mine, yours] = [openPage(url), openPage(url)];
  assert.deepEqual(await within(Promise.all([mine.opened, yours.opened]), 'onopen'), ['open', 'open']);
  mine.conn.send('Hello World!');
  const data = await yours.log.next();
  assert.equal(typeof data, 'string');
  assert.equal(data, 'Hello World!');
  yours.conn.send(JSON.stringify({ user: 'Ben', text: 'Hi <b>there</b> & welcome' }));
  assert.deepEqual(JSON.parse(await mine.log.next()), { user: 'Ben', text: 'Hi <b>there</b> & welcome' });
  assert.equal(yours.log.count, 0, 'nobody hears itself');
  mine.conn.close();
  const event = await within(mine.closed, 'onclose');
  assert.deepEqual([event.wasClean, event.code], [true, 1005]);
  yours.conn.close();
  await within(yours.closed, 'onclose');
});

serverTest('with binaryType arraybuffer, binary stays binary', [], async (server) => {
  const url = `ws://localhost:${server.port}/`;
  const [mine, yours] = [openPage(url), openPage(url)];
  yours.conn.binaryType = 'arraybuffer';
  await within(Promise.all([mine.opened, yours.opened]), 'onopen');
  mine.conn.send(new Uint8Array([1, 2, 255]));
  const data = await yours.log.next();
  assert.ok(data instanceof ArrayBuffer);
  assert.deepEqual([...new Uint8Array(data)], [1, 2, 255]);
  for (const page of [mine, yours]) page.conn.close();
  await within(Promise.all([mine.closed, yours.closed]), 'onclose');
});

serverTest('when the server stops, the page is told', [], async (server) => {
  const page = openPage(`ws://localhost:${server.port}`);
  await within(page.opened, 'onopen');
  const end = server.stop();
  const event = await within(page.closed, 'onclose');
  assert.deepEqual([event.wasClean, event.code], [true, 1001]);
  assert.match(event.reason, /^server is going away, retry_after_ms=\d+$/);
  return end;
});
