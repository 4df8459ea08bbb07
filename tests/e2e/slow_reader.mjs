/* tests/e2e/slow_reader.mjs - readers that do not read, over TCP and over TLS.
 *
 * A paused socket takes as much as the kernel's buffers on both sides hold, a few MiB on loopback; only then does its
 * outbox grow. So tests publish until the server has closed somebody rather than a fixed amount. */

import assert from 'node:assert/strict';
import { counters, until, WAIT_MS, within } from './support.mjs';

const KIB = 1024;
export const MESSAGE_BYTES = 32 * KIB;
export const ROUND = 32;             /* messages that are sent and read before the next */
const ROUNDS_PER_LOOK = 3;    /* between two looks at the counters */

function payload(number) {
  const bytes = Buffer.alloc(MESSAGE_BYTES, number);
  bytes.writeUInt32BE(number);
  return bytes;
}

/* Publishes rounds of messages, each read by all readers before the next is sent, until `isOver`, which gets the
 * counters; returns the highest outbox_bytes seen and how many messages there were. Each reader checks that it sees all
 * messages in order. */
export async function publishUntil(server, publisher, readers, isOver) {
  let sent = 0, most = 0;
  const round = async () => {
    for (let i = 0; i < ROUND; i++) publisher.send(payload(sent + i));
    for (const reader of readers) {
      const got = await reader.inbox.take(ROUND, 'a message for a reader that reads');
      got.forEach((message, i) => assert.equal(message.readUInt32BE(), sent + i));
    }
    sent += ROUND;
  };
  await until(async () => {
    for (let i = 0; i < ROUNDS_PER_LOOK; i++) await round();
    const now = await counters(server);
    most = Math.max(most, now.outbox_bytes);
    return isOver(now);
  }, 'a slow reader to be noticed', { limit: 2 * WAIT_MS });
  return { sent, most };
}

/* The third of these clients, the only ones of a room, does not read until it is to be closed: it is told when it
 * reads on, and the others notice nothing. The server has a small outbox, and time to say it. */
export async function closeOneThatReadsOn(server, [publisher, reader, slow]) {
  slow.pause();
  await publishUntil(server, publisher, [reader], (now) => now.subscriptions < 3);
  slow.resume();
  assert.deepEqual(await within(slow.ended, 'its close'), { code: 1013, reason: 'outbox full' });
  assert.ok(slow.inbox.count > 0, 'what had gone out before came whole');
  publisher.send('after it');
  assert.equal(await reader.inbox.next(), 'after it');
}
