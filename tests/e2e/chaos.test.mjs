/* tests/e2e/chaos.test.mjs - everything at once, with limits so small that each is met all the time: clients that come,
 * talk, stop reading, break the rules, vanish. Two witnesses in a room of their own must not notice, and in the end
 * nothing may be left.
 *
 * What a client does comes from a seed (SEED=... repeats a run, as far as the kernel's timing allows). */

import assert from 'node:assert/strict';
import { connect, leave, randomFrom, SEED, serverTest, sized, sleep, untilNobody } from './support.mjs';
import { close, frame, handshake, OPCODE, ping, RawClient, request, text } from './raw.mjs';

const CLIENTS_AT_ONCE = 40;
const LIVES = sized(15, 60);    /* of each, one after the other */

/* What a client may do in one step of its life; true ends it. */
const DEEDS = [
  (client, random) => { client.write(text('x'.repeat(random(300)))); },
  (client, random) => { client.write(frame(OPCODE.binary, Buffer.alloc(random(60_000)))); },
  (client, random) => {
    const count = 1 + random(400);
    client.write(Buffer.concat(Array.from({ length: count }, (_, i) => text(`${i}`))));
  },
  (client, random) => {
    client.write(Buffer.concat([text('a', { fin: false }), ping('p'.repeat(random(126))),
      frame(OPCODE.continuation, 'z')]));
  },
  (client, random) => { client.write(text('y'.repeat(random(5000)), { length: 5000 })); },
  (client, random) => { client.write(Buffer.concat(Array(random(200)).fill(ping('p')))); },
  (client) => { client.socket.pause(); },
  (client) => { client.socket.resume(); },
  (client) => { client.write(request('GET / HTTP/1.1')); },
  (client, random) => {
    client.write(Buffer.from(Array.from({ length: random(200) }, () => random(256))));
  },
  (client) => { client.write(close(1000)); },
  (client) => { client.write(frame(3)); },
  (client) => { client.end(); return true; },
  (client) => { client.end(); client.reset(); return true; },
  (client) => { client.reset(); return true; },
  (client) => { client.destroy(); return true; },
];

async function live(server, random) {
  const client = await RawClient.connect(server).catch(() => null);
  if (client === null) return;
  if (random(10) > 0) client.write(handshake(`/room/r${random(5)}`));
  for (let step = 0; step < 1 + random(12); step++) {
    if (random(3) === 0) await sleep(random(20));
    if (DEEDS[random(DEEDS.length)](client, random)) return;
  }
  client.reset();
}

async function liveAgainAndAgain(server, seed) {
  const random = randomFrom(seed);
  for (let i = 0; i < LIVES; i++) await live(server, random);
}

/* Talks until told to stop; returns how often. */
async function witness(speaker, listener, isOver) {
  let count = 0;
  for (; !isOver(); count++) {
    speaker.send(`all is well ${count}`);
    assert.equal(await listener.inbox.next('the other witness'), `all is well ${count}`);
  }
  return count;
}

/* So many speak while the server is stopped that its receives find no buffer when it goes on: each in a room of its
 * own, with more than the 8 KiB that a receive may take. */
async function speakAtOnce(server, count) {
  const speakers = await Promise.all(Array.from({ length: count }, (_, i) => connect(server, `/room/alone${i}`)));
  process.kill(server.pid, 'SIGSTOP');
  for (const speaker of speakers) speaker.send('x'.repeat(20000));
  await sleep(50);
  process.kill(server.pid, 'SIGCONT');
  await leave(...speakers);
}

const NARROW = [
  '--mailbox-letters', '64', '--receive-buffers', '16', '--outbox-bytes-max', '100KiB', '--outbox-age-ms-max', '2s',
  '--handshake-ms-max', '500ms', '--ping-ms', '300ms', '--pong-ms-max', '10s', '--close-ms-max', '500ms',
];

for (const [shards, coalesce] of [[1, '0'], [2, '2ms'], [4, '0']]) {
  const args = [...NARROW, '--shards', shards, '--coalesce-ms', coalesce];
  serverTest(`chaos on ${shards} shards, SEED=${SEED}`, args, async (server) => {
    const [speaker, listener] = [await connect(server, '/room/quiet'), await connect(server, '/room/quiet')];
    let isOver = false;
    const witnesses = witness(speaker, listener, () => isOver);
    await Promise.all(Array.from({ length: CLIENTS_AT_ONCE }, (_, i) => liveAgainAndAgain(server, SEED + i)));
    await speakAtOnce(server, 16 * shards);
    isOver = true;
    assert.ok(await witnesses > 0);
    await leave(speaker, listener);
    const end = await untilNobody(server);
    for (const met of ['closed_bad_frame', 'receives_starved', 'sends_short']) assert.ok(end[met] > 0, met);
    if (shards > 1) assert.ok(end.receives_paused > 0, 'receives_paused');
  });

  serverTest(`the end in the middle of chaos on ${shards} shards, SEED=${SEED}`,
    [...args, '--drain-ms-max', '3s'], async (server) => {
      const lives = Array.from({ length: CLIENTS_AT_ONCE }, (_, i) => liveAgainAndAgain(server, SEED + 1000 + i));
      await Promise.race(lives);
      const end = await server.stop();
      await Promise.all(lives);
      return end;
    });
}
