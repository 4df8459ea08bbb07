/* tests/e2e/lobby.test.mjs - the lobby and the rooms, with npm's `ws` as client. */

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { connect, connectMany, leave, refusal, serverTest, within } from './support.mjs';

const MIB = 1024 * 1024;

const hash = (bytes) => createHash('sha256').update(bytes).digest('hex');

serverTest('a message goes to every other, text as text and binary as binary', [], async (server) => {
  const [anna, ben, cleo] = await connectMany(server, 3);
  const sent = ['hello', 'two\nlines', 'שלום 🎉', '', '\u0000', Buffer.from([0, 255, 128]), Buffer.alloc(0)];
  for (const message of sent) anna.send(message);
  assert.deepEqual(await ben.inbox.take(sent.length), sent);
  assert.deepEqual(await cleo.inbox.take(sent.length), sent);
  ben.send('my turn');
  assert.equal(await anna.inbox.next(), 'my turn', 'nothing of her own came before');
  assert.equal(await cleo.inbox.next(), 'my turn');
  assert.equal(ben.inbox.count, 0);
  await leave(anna, ben, cleo);
});

serverTest('with --lobby-echo the sender hears itself, in the order of all', ['--lobby-echo'], async (server) => {
  const clients = await connectMany(server, 3);
  for (const [i, client] of clients.entries()) client.send(`from ${i}`);
  const heard = await Promise.all(clients.map((client) => client.inbox.take(3)));
  assert.deepEqual([...heard[0]].sort(), ['from 0', 'from 1', 'from 2']);
  assert.deepEqual(heard[1], heard[0]);
  assert.deepEqual(heard[2], heard[0]);
});

serverTest('rooms are separate, and / is the room lobby', ['--shards', '4'], async (server) => {
  const paths = ['/', '/room/lobby', '/room/tea', '/room/tea?ignored=yes', '/room/Tea'];
  const clients = await Promise.all(paths.map((path) => connect(server, path)));
  for (const [i, client] of clients.entries()) client.send(`from ${paths[i]}`);
  assert.equal(await clients[0].inbox.next(), 'from /room/lobby');
  assert.equal(await clients[1].inbox.next(), 'from /');
  assert.equal(await clients[2].inbox.next(), 'from /room/tea?ignored=yes');
  assert.equal(await clients[3].inbox.next(), 'from /room/tea');
  await leave(...clients);
  assert.equal(clients[4].inbox.count, 0);
});

serverTest('a room is its decoded name', ['--shards', '2'], async (server) => {
  const longest = 'x'.repeat(200);
  for (const [one, other] of [
    ['/room/a@b', '/room/a%40b'],
    ['/room/tea', '/room/%74%65%61'],
    ['/room/A-z_0=@,.;9', '/room/A-z_0%3D%40%2c.%3b9'],
    [`/room/${longest}`, `/room/%78${longest.slice(1)}`],
    ['/room/%E6%97%A5%E6%9C%AC', '/room/=5pel5pys'],
    ['/room/tea%20kitchen', '/room/=dGVhIGtpdGNoZW4'],
    [`/room/${encodeURIComponent('é'.repeat(70))}`, `/room/=${Buffer.from('é'.repeat(70)).toString('base64url')}`],
  ]) {
    const [anna, ben] = [await connect(server, one), await connect(server, other)];
    anna.send(one);
    assert.equal(await ben.inbox.next(), one);
    await leave(anna, ben);
  }
});

serverTest('names that no room may have are refused', [], async (server) => {
  const table = [
    [403, ['private-x', 'presence-x', 'cache-x', 'private-', '%70rivate-x']],
    [400, ['a%2Fb', 'a/b', '%', '%4', '%zz', '%00', 'a!', '~', '%20a', 'a%20', '%20', 'caf%E9', 'caf%C3', '%C3%A9%0A']],
    [400, ['x'.repeat(201), '%78'.repeat(201), '%C3%A9'.repeat(71), '%C3%A9'.repeat(201)]],
  ];
  for (const [status, names] of table) {
    for (const name of names) assert.equal((await refusal(server, `/room/${name}`)).status, status, name);
  }
  for (const path of ['/room/', '/room', '/rooms/x', '/x', '//', '/apps']) {
    assert.equal((await refusal(server, path)).status, 404, path);
  }
  await leave(await connect(server, '/room/privately'));
});

const SMALL = ['--message-bytes-max', '5000'];
serverTest('a message of message_bytes_max passes, one byte more closes 1009', SMALL, async (server) => {
  const [anna, ben] = await connectMany(server, 2);
  const largest = 'x'.repeat(5000);
  anna.send(largest);
  assert.equal(await ben.inbox.next(), largest);
  anna.send('y'.repeat(2500), { fin: false });
  anna.send('y'.repeat(2500), { fin: true });
  assert.equal(await ben.inbox.next(), 'y'.repeat(5000));
  anna.send(`${largest}x`);
  assert.equal((await within(anna.ended, 'a close')).code, 1009);
  ben.send(largest, { fin: false });
  ben.send('x', { fin: true });
  assert.equal((await within(ben.ended, 'a close')).code, 1009);
});

serverTest('a message of 64 MiB arrives equal', ['--message-bytes-max', '64MiB'], async (server) => {
  const [anna, ben, cleo] = await connectMany(server, 3);
  const largest = randomBytes(64 * MIB);
  const wanted = hash(largest);
  anna.send(largest);
  assert.equal(hash(await ben.inbox.next()), wanted);
  assert.equal(hash(await cleo.inbox.next()), wanted);
  anna.send('and on');
  assert.equal(await ben.inbox.next(), 'and on');
  assert.equal(await cleo.inbox.next(), 'and on');
  anna.send(Buffer.alloc(64 * MIB + 1));
  assert.equal((await within(anna.ended, 'a close')).code, 1009);
});

serverTest('a message may come in thousands of fragments, empty ones among them', [], async (server) => {
  const [anna, ben] = await connectMany(server, 2);
  const letters = Array.from({ length: 10_000 }, (_, i) => (i % 3 === 1 ? '' : 'añ🎉'[i % 2]));
  for (const [i, letter] of letters.entries()) anna.send(letter, { fin: i === letters.length - 1 });
  assert.equal(await ben.inbox.next(), letters.join(''));
  for (let i = 0; i < 3000; i++) anna.send(Buffer.alloc(0), { fin: false, binary: true });
  anna.send(Buffer.alloc(0), { fin: true });
  assert.deepEqual(await ben.inbox.next(), Buffer.alloc(0));
});

serverTest('compression and subprotocols that are offered are not taken up', [], async (server) => {
  const clients = await connectMany(server, 2, '/', { protocols: [], perMessageDeflate: true });
  const compressible = 'x'.repeat(60_000);
  clients[0].send(compressible);
  assert.equal(await clients[1].inbox.next(), compressible);
  for (const client of clients) assert.deepEqual([client.extensions, client.protocol], ['', '']);
  /* RFC 6455 4.1 lets a client go on without the subprotocol it wanted; `ws` does not, so look at the answer. */
  await assert.rejects(connect(server, '/', { protocols: ['chat', 'superchat'] }), /no subprotocol/);
});

for (const shards of [1, 2, 4]) {
  serverTest(`30 clients on ${shards} shards see every message in one order`, ['--shards', shards], async (server) => {
    const clients = await connectMany(server, 30);
    const rounds = 20;
    for (let round = 0; round < rounds; round++) {
      for (const [i, client] of clients.entries()) client.send(`${i}:${round}`);
    }
    const heard = await Promise.all(clients.map((client) => client.inbox.take(29 * rounds)));
    for (const [i, messages] of heard.entries()) {
      assert.equal(new Set(messages).size, 29 * rounds, 'nothing twice');
      assert.ok(!messages.some((message) => message.startsWith(`${i}:`)), 'nothing of its own');
    }
    for (let i = 1; i < 30; i++) {
      const ofOthers = (message) => !message.startsWith('0:') && !message.startsWith(`${i}:`);
      assert.deepEqual(heard[i].filter(ofOthers), heard[0].filter(ofOthers), 'one order');
    }
    await leave(...clients);
    assert.ok(clients.every((client) => client.inbox.count === 0), 'nothing too much');
  });
}
