/* tests/e2e/slow_reader.test.mjs - a reader that stops reading costs the others nothing: it alone is closed, and what
 * waits for it is bounded and given back. */

import assert from 'node:assert/strict';
import { counters, connectMany, serverTest, until, untilCounters } from './support.mjs';
import { ping, RawClient } from './raw.mjs';
import { appArgs, backend, Peer } from './channels.mjs';
import { tlsTest } from './tls.mjs';
import { closeOneThatReadsOn, MESSAGE_BYTES, publishUntil, ROUND } from './slow_reader.mjs';

const KIB = 1024;
const MIB = 1024 * KIB;

for (const [shards, coalesce] of [[1, '0'], [2, '0'], [2, '2ms']]) {
  const title = `a reader that stops reading is closed alone, on ${shards} shards, coalescing for ${coalesce}`;
  serverTest(title, ['--shards', shards, '--outbox-bytes-max', '1MiB', '--coalesce-ms', coalesce], async (server) => {
    const readers = await connectMany(server, 10);
    const slow = await RawClient.open(server);
    slow.socket.pause();
    const publisher = readers.pop();
    const { sent, most } = await publishUntil(server, publisher, readers, (now) => now.closed_slow_reader > 0);
    assert.ok(most <= MIB + 2 * MESSAGE_BYTES * ROUND, `outbox_bytes was ${most}`);
    publisher.send('after it');
    for (const reader of readers) assert.equal(await reader.inbox.next(), 'after it');
    slow.socket.resume();
    const got = await slow.ended().catch(() => Buffer.alloc(0));
    assert.ok(got.length < sent * MESSAGE_BYTES, 'it did not get everything');
    const end = await untilCounters(server, (now) => now.messages_live === 0 && now.outbox_bytes === 0, 'the end');
    assert.equal(end.closed_slow_reader, 1);
    assert.equal(end.connections_open, readers.length + 1);
    assert.equal(end.subscriptions, readers.length + 1);
  });
}

serverTest('it is told with 1013, if it reads on in time', ['--outbox-bytes-max', '256KiB', '--close-ms-max', '1m'],
  async (server) => closeOneThatReadsOn(server, await connectMany(server, 3)));

serverTest('a reader that is too far behind in time is closed alone', ['--outbox-bytes-max', '1GiB',
  '--outbox-age-ms-max', '500ms', '--close-ms-max', '500ms', '--shards', '2'], async (server) => {
  const readers = await connectMany(server, 5);
  const slow = await RawClient.open(server);
  slow.socket.pause();
  const publisher = readers.pop();
  await publishUntil(server, publisher, readers, (now) => now.closed_stale_reader > 0);
  publisher.send('after it');
  for (const reader of readers) assert.equal(await reader.inbox.next(), 'after it');
  const end = await untilCounters(server, (now) => now.messages_live === 0, 'no message left');
  assert.deepEqual([end.closed_stale_reader, end.closed_slow_reader, end.outbox_bytes], [1, 0, 0]);
});

serverTest('one that only pauses gets everything, and a pong before what waits', ['--outbox-bytes-max', '64MiB'],
  async (server) => {
    const [publisher, reader, slow] = await connectMany(server, 3);
    slow.pause();
    const { sent } = await publishUntil(server, publisher, [reader], (now) => now.outbox_bytes > 4 * MIB);
    let messages = 0, messagesBeforePong;
    slow.on('message', () => { messages += 1; });
    slow.once('pong', () => { messagesBeforePong = messages; });
    slow.ping('now');
    await until(async () => (await counters(server)).frames_received > sent, 'the ping to arrive');
    slow.resume();
    const got = await slow.inbox.take(sent, 'a message for one that reads again');
    got.forEach((message, i) => assert.equal(message.readUInt32BE(), i));
    assert.ok(messagesBeforePong < sent, 'the pong did not wait for all');
    const end = await untilCounters(server, (now) => now.messages_live === 0, 'no message left');
    assert.equal(end.closed_slow_reader + end.closed_stale_reader, 0);
  });

serverTest('pings without end whose pongs nobody reads hardly grow the outbox', ['--outbox-bytes-max', '64MiB'],
  async (server) => {
    const [publisher, reader] = await connectMany(server, 2);
    const mad = await RawClient.open(server);
    mad.socket.pause();
    await publishUntil(server, publisher, [reader], (now) => now.outbox_bytes > MIB);
    const before = await counters(server);
    const pings = 20_000;
    mad.write(Buffer.concat(Array(pings).fill(ping('x'.repeat(125)))));
    const wanted = before.frames_received + pings;
    const after = await untilCounters(server, (now) => now.frames_received === wanted, 'the pings');
    assert.ok(after.outbox_bytes > before.outbox_bytes, 'there are pongs');
    assert.ok(after.outbox_bytes < before.outbox_bytes + 16 * KIB, 'but few');
  });

/* Closing a member tells the others, of whom some are to be closed in the same flush. The exact order that once sent
 * twice is in tests/server/scenario/test_flush.c. */
for (const coalesce of ['0', '100ms']) {
  tlsTest(`members who stop reading are closed together, coalescing for ${coalesce}`, {
    args: [...appArgs('event_bytes_max=64KiB'), '--outbox-bytes-max', '128KiB', '--close-ms-max', '500ms',
      '--coalesce-ms', coalesce],
  }, async (server, secure) => {
    const ROOM = 'presence-room', SLOW = 4;
    const member = (id) => ({ member: { user_id: id, user_info: {} } });
    const reader = await Peer.open(server);
    await reader.subscribe(ROOM, member('reader'));
    for (let i = 0; i < SLOW; i++) {
      const slow = await Peer.open(i % 2 ? secure : server);
      await slow.subscribe(ROOM, member(`slow${i}`));
      slow.client.pause();
      assert.equal((await reader.next('who comes')).event, 'pusher_internal:member_added');
    }
    const removed = new Set();
    const data = 'x'.repeat(30 * KIB), api = backend(server);
    await until(async () => {
      await Promise.all(Array.from({ length: 32 }, () => api.trigger(ROOM, 'ev', data)));
      for (let events = 0; events < 32;) {
        const frame = await reader.next('an event or a removal');
        if (frame.event === 'ev') events += 1;
        else removed.add(JSON.parse(frame.data).user_id);
      }
      return removed.size === SLOW;
    }, 'all of them to be told as gone', { poll: 1 });
    const end = await untilCounters(server, (now) => now.messages_live === 0 && now.connections_open === 1, 'the end');
    assert.equal(end.closed_slow_reader, SLOW);
  });
}
