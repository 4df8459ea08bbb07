/* tests/e2e/slow_reader.test.mjs - a reader that stops reading costs the others nothing: it alone is closed, and what
 * waits for it is bounded and given back. */

import assert from 'node:assert/strict';
import { counters, connectMany, serverTest, until, untilCounters } from './support.mjs';
import { ping, RawClient } from './raw.mjs';
import { closeOneThatReadsOn, MESSAGE_BYTES, publishUntil, ROUND } from './slow_reader.mjs';

const KIB = 1024;
const MIB = 1024 * KIB;

for (const shards of [1, 2]) {
  const title = `a reader that stops reading is closed alone, on ${shards} shards`;
  serverTest(title, ['--shards', shards, '--outbox-bytes-max', '1MiB'], async (server) => {
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
