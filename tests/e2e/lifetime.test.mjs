/* tests/e2e/lifetime.test.mjs - from the first byte to the last: handshakes that never finish, silent clients, more
 * clients than fit, clients that vanish. */

import assert from 'node:assert/strict';
import {
  connect, connectMany, counters, leave, serverTest, sleep, until, untilCounters, untilNobody, within,
} from './support.mjs';
import { close, handshake, OPCODE, RawClient, request, text } from './raw.mjs';

/* --- handshakes that never finish --------------------------------------------------------------------------------- */

serverTest('who does not finish its request in time is cut off', ['--handshake-ms-max', '300ms'], async (server) => {
  const beginnings = ['', 'G', 'GET / HTTP/1.1\r\nHost: x\r\n', handshake().subarray(0, -1)];
  const clients = await Promise.all(beginnings.map(async (bytes) => {
    const client = await RawClient.connect(server);
    client.write(bytes);
    return client;
  }));
  for (const client of clients) assert.equal((await client.ended()).length, 0);
  assert.equal((await untilNobody(server)).closed_handshake_timeout, clients.length);
});

serverTest('slow but steady bytes do not stretch the time', ['--handshake-ms-max', '300ms'], async (server) => {
  const client = await RawClient.connect(server);
  let isOver = false;
  const end = client.gone().then(() => { isOver = true; });
  client.write('GET / HTTP/1.1\r\nHost: x\r\nX: ');
  await until(() => {
    client.write('x');
    return isOver;
  }, 'the end of patience');
  await end;
});

const KEPT = ['--handshake-ms-max', '1s', '--keep-alive-ms', '2500ms'];
serverTest('between two requests there is a time of its own, and for the next that of a request', KEPT,
  async (server) => {
    const [idle, halfway] = await Promise.all([1, 2].map(async () => {
      const client = await RawClient.connect(server);
      for (let i = 0; i < 3; i++) {
        client.write(request('GET / HTTP/1.1'));
        assert.equal((await client.answer()).status, 200);
      }
      return client;
    }));
    halfway.write('GET / HT');
    assert.equal((await halfway.ended()).length, 0);
    assert.equal((await idle.ended()).length, 0);
    const { closed_handshake_timeout: cut, closed_http_done: kept } = await untilNobody(server);
    assert.deepEqual([cut, kept], [1, 1]);
  });

serverTest('an open WebSocket has all the time it wants', ['--handshake-ms-max', '1s'], async (server) => {
  const [anna, ben] = [await connect(server), await RawClient.open(server)];
  await sleep(1500);
  ben.write(text('still here'));
  assert.equal(await anna.inbox.next(), 'still here');
});

/* --- the silent --------------------------------------------------------------------------------------------------- */

const PATIENT = ['--ping-ms', '300ms', '--pong-ms-max', '1h', '--shards', '2'];
serverTest('the silent are pinged time and again; those who answer stay', PATIENT, async (server) => {
  const clients = await connectMany(server, 20);
  await until(() => clients.every((client) => client.pings >= 3), 'three pings for each');
  clients[0].send('all here?');
  for (const client of clients.slice(1)) assert.equal(await client.inbox.next(), 'all here?');
  await leave(...clients);
  const end = await untilNobody(server);
  assert.deepEqual([end.closed_silent, end.closed_peer_closed], [0, 20]);
});

/* Time enough for a good client on a busy machine. */
const IMPATIENT = ['--ping-ms', '300ms', '--pong-ms-max', '2s', '--close-ms-max', '2s', '--shards', '2'];
serverTest('those who do not answer a ping are closed, whatever they read', IMPATIENT, async (server) => {
  const good = await connect(server);
  const raw = await RawClient.open(server);
  const deaf = await connect(server, '/', { autoPong: false });
  const ping = await raw.frame();
  assert.deepEqual([ping.opcode, ping.payload.length], [OPCODE.ping, 0]);
  const goodbye = await raw.frame();
  assert.deepEqual([goodbye.opcode, goodbye.code, goodbye.reason], [OPCODE.close, 1011, 'no answer to ping']);
  await raw.ended();
  assert.equal((await within(deaf.ended, 'the end of the deaf')).code, 1011);
  good.send('still here');
  assert.equal((await untilCounters(server, (now) => now.connections_open === 1, 'one to be left')).closed_silent, 2);
  assert.equal(good.readyState, good.OPEN);
});

const WATCHFUL = ['--ping-ms', '1s', '--pong-ms-max', '1s', '--shards', '2'];
serverTest('any byte is a sign of life, also in the middle of a frame', WATCHFUL, async (server) => {
  const [watcher, client] = [await connect(server), await RawClient.open(server)];
  for (const byte of text('x'.repeat(90))) {
    client.write(Buffer.from([byte]));
    await sleep(40);    /* 4 s in all, twice the time for which silence is borne */
  }
  assert.equal(await watcher.inbox.next(), 'x'.repeat(90));
});

/* --- more than fit ------------------------------------------------------------------------------------------------ */

const SMALL = ['--connections-max', '20', '--shards', '2'];
serverTest('the one too many comes in when another leaves', SMALL, async (server) => {
  const clients = await connectMany(server, 20);
  let isIn = false;
  /* Refused or kept waiting, whichever: somebody who wants in tries again. */
  const late = until(() => connect(server).catch(() => null), 'a place').then((client) => {
    isIn = true;
    return client;
  });
  const full = await untilCounters(server, (now) => now.turns > 0, 'a look');
  assert.ok(full.connections_open <= 21, `${full.connections_open}`);
  assert.equal(full.subscriptions, 20);
  assert.equal(isIn, false);
  clients[1].send('we are complete');
  assert.equal(await clients[0].inbox.next(), 'we are complete');
  await leave(clients.pop());
  const newcomer = await late;
  newcomer.send('hello');
  assert.equal(await clients[0].inbox.next(), 'hello');
  assert.match(server.stderr(), /connections_max reached/);
  await leave(newcomer, ...clients);
  await untilNobody(server);
});

serverTest('a crowd at the door of a full house leaves no trace', ['--connections-max', '10'], async (server) => {
  const inside = await connectMany(server, 10);
  const crowd = await Promise.allSettled(Array.from({ length: 100 }, () => RawClient.connect(server)));
  for (const one of crowd) one.value?.write(handshake());
  assert.equal((await counters(server)).subscriptions, 10);
  for (const one of crowd) one.value?.reset();
  await leave(...inside);
  await untilNobody(server);
  const [anna, ben] = await connectMany(server, 2);
  anna.send('and on');
  assert.equal(await ben.inbox.next(), 'and on');
});

/* --- those who vanish --------------------------------------------------------------------------------------------- */

serverTest('200 clients vanish at once and nothing is left of them', ['--shards', '4'], async (server) => {
  for (const way of ['terminate', 'reset', 'end', 'half a frame']) {
    const clients = await Promise.all(Array.from({ length: 200 }, (_, i) => connect(server, `/room/r${i % 7}`)));
    const before = await counters(server);
    assert.equal(before.connections_open, 200);
    assert.equal(before.subscriptions, 200);
    for (const client of clients) {
      client.send('my last words');
      if (way === 'terminate') client.terminate();
      else if (way === 'reset') client._socket.resetAndDestroy();
      else if (way === 'end') client._socket.end();
      else client._socket.end(text('never finished', { length: 1000 }));
    }
    await untilNobody(server);
  }
  const [anna, ben] = await connectMany(server, 2);
  anna.send('quiet here');
  assert.equal(await ben.inbox.next(), 'quiet here');
});

serverTest('clients come and go while others talk', ['--shards', '4'], async (server) => {
  const [speaker, listener] = await connectMany(server, 2, '/room/tea');
  const talk = 400;
  const guests = (async () => {
    for (let i = 0; i < 200; i++) {
      const guest = await connect(server, '/room/tea');
      if (i % 3 === 0) guest.terminate();
      else if (i % 3 === 1) guest.close(1000);
      else guest._socket.resetAndDestroy();
    }
  })();
  for (let i = 0; i < talk; i++) {
    speaker.send(`${i}`);
    assert.equal(await listener.inbox.next(), `${i}`);
  }
  await guests;
  await leave(speaker, listener);
  await untilNobody(server);
});

serverTest('a room that empties and fills again loses nothing', ['--shards', '4'], async (server) => {
  for (let round = 0; round < 100; round++) {
    const [anna, ben] = await connectMany(server, 2, '/room/revolving');
    anna.send(`${round}`);
    assert.equal(await ben.inbox.next(), `${round}`);
    anna.terminate();
    ben.close(1000);
  }
  await untilNobody(server);
});

const NARROW = ['--shards', '4', '--mailbox-letters', '64'];
serverTest('the last words of those who hang up arrive', NARROW, async (server) => {
  const words = Array.from({ length: 3000 }, (_, i) => `${i}`);
  for (let round = 0; round < 8; round++) {
    const watcher = await connect(server, `/room/r${round}`);
    const client = await RawClient.connect(server);
    client.write(Buffer.concat([handshake(`/room/r${round}`), text('I am in')]));
    assert.equal((await client.answer()).status, 101);
    client.socket.end(Buffer.concat(words.map((word) => text(word))));
    assert.deepEqual(await watcher.inbox.take(1 + words.length), ['I am in', ...words]);
    await client.gone();
    const hasty = await RawClient.connect(server);
    const few = words.slice(0, 1000);
    hasty.socket.end(Buffer.concat([handshake(`/room/r${round}`), ...few.map((word) => text(word))]));
    assert.deepEqual(await watcher.inbox.take(few.length), few, 'with the handshake, in one go');
    await hasty.gone();
    const polite = await RawClient.open(server, `/room/r${round}`, { allowHalfOpen: true });
    polite.socket.end(Buffer.concat([...words.map((word) => text(word)), close(1000)]));
    assert.deepEqual(await watcher.inbox.take(words.length), words, 'with a goodbye');
    assert.equal((await polite.frame()).code, 1000);
    assert.equal((await polite.ended()).length, 0);
    await leave(watcher);
  }
});

serverTest('a client that answers no goodbye is cut off in time', ['--close-ms-max', '300ms'], async (server) => {
  const client = await RawClient.open(server, '/', { allowHalfOpen: true });
  client.write(close(5000));
  assert.equal((await client.frame()).code, 1002);
  await client.ended();
  await untilNobody(server);
});
