/* tests/e2e/connections.test.mjs - a channel connection from its first frame to its close: who is let in, pings, the
 * close codes and what pusher-js makes of them. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { startServer } from './server.mjs';
import {
  atEnd, connect, connectMany, counters, Inbox, refusal, until, untilCounters, untilNobody, within,
} from './support.mjs';
import {
  APP, appArgs, ask, backend, channelTest, errorCode, listen, openPeers, OTHER_APP, Peer, pusherClient, reconnected,
  signIn, socketOf, subscribe, untilState,
} from './channels.mjs';

/* --- the first frame ---------------------------------------------------------------------------------------------- */

channelTest('the first frame tells the socket id', { args: ['--activity-timeout-ms', '45s'] }, async (server) => {
  const client = await connect(server, `/app/${APP.key}?protocol=7&client=js&version=8.6.0&flash=false`);
  assert.match(await client.inbox.next(), new RegExp('^{"event":"pusher:connection_established",'
    + '"data":"{\\\\"socket_id\\\\":\\\\"[0-9]+\\.[0-9]+\\\\",\\\\"activity_timeout\\\\":45}"}$'));
});

channelTest('every connection has a socket id of its own', {}, async (server) => {
  const peers = await openPeers(server, 200);
  const client = pusherClient(server);
  await untilState(client, 'connected');
  assert.match(client.connection.socket_id, /^\d+\.\d+$/);
  const ids = new Set([...peers.map((peer) => peer.socketId), client.connection.socket_id]);
  assert.equal(ids.size, 201);
});

channelTest('a connection may be asked for in many ways', {}, async (server) => {
  const paths = ['?protocol=5', '?protocol=6', '?protocol=7', '', '?', '?client=x', '?flash=false&protocol=7&x=%20'];
  for (const query of paths) await Peer.open(server, { path: `/app/${APP.key}${query}` });
  for (const prefix of ['/prefix', '/any/prefix/of/a/proxy']) {
    await Peer.open(server, { path: `${prefix}/app/${APP.key}?protocol=7` });
  }
  const behindProxy = pusherClient(server, { wsPath: '/prefix' });
  await untilState(behindProxy, 'connected');
  const compressing = await Peer.open(server, { perMessageDeflate: true });
  assert.equal(compressing.client.extensions, '');
});

/* --- who is not let in -------------------------------------------------------------------------------------------- */

const OFF = { id: '2001', key: 'key-of-off', secret: 's1' };
const SECURE = { id: '2002', key: 'key-of-secure', secret: 's2' };
const FULL = { id: '2003', key: 'key-of-full', secret: 's3' };
const STRICT = [
  ...appArgs('enabled=no', OFF), ...appArgs('tls_only=yes', SECURE), ...appArgs('connections_max=1', FULL),
];

channelTest('who is not let in is told why, in a frame and in the close', { args: STRICT }, async (server) => {
  await Peer.open(server, { app: FULL });
  for (const [code, path] of [
    [4001, '/app/unknown?protocol=7'],
    [4001, `/app/${APP.key.toUpperCase()}?protocol=7`],
    [4003, `/app/${OFF.key}?protocol=7`],
    [4000, `/app/${SECURE.key}?protocol=7`],
    [4005, `/app/${APP.key}/more?protocol=7`],
    [4006, `/app/${APP.key}?protocol=seven`],
    [4006, `/app/${APP.key}?protocol=7x`],
    [4007, `/app/${APP.key}?protocol=4`],
    [4007, `/app/${APP.key}?protocol=8`],
    [4007, `/app/${APP.key}?protocol=99999999999999999999`],
    [4100, `/app/${FULL.key}?protocol=7`],
  ]) {
    assert.equal((await Peer.refused(server, path)).code, code, path);
  }
  await Peer.open(server, { app: SECURE, headers: { 'X-Forwarded-Proto': 'https' } });
  await Peer.open(server);
  await untilCounters(server, (now) => now.connections_open === 3, 'three to be left');
});

channelTest('connections_max holds when all come at once', { settings: 'connections_max=1' }, async (server) => {
  for (let round = 0; round < 30; round++) {
    const clients = await connectMany(server, 4, `/app/${APP.key}?protocol=7`);
    const frames = await Promise.all(clients.map((client) => client.inbox.next('the first frame')));
    const isIn = frames.map((frame) => frame.includes('pusher:connection_established'));
    assert.equal(isIn.filter(Boolean).length, 1);
    for (const [i, client] of clients.entries()) {
      if (isIn[i]) client.terminate();
      else assert.equal((await within(client.ended, 'a close')).code, 4100);
    }
    await until(async () => (await ask(server, '/connections')).connections === 0, 'nobody to be left');
  }
});

channelTest('pages of other origins are told so, and that it is for good', { args: ['--origin', 'https://a.example'] },
  async (server) => {
    const path = `/app/${APP.key}?protocol=7`;
    const { code, message } = await Peer.refused(server, path, { origin: 'https://evil.example' });
    assert.equal(code, 4009);
    assert.match(message, /^pages of this origin may not connect: .*--origin/);
    assert.equal((await refusal(server, '/', { origin: 'https://evil.example' })).status, 403);
    await Peer.open(server, { origin: 'https://a.example' });
    await Peer.open(server);
  });

/* --- life signs --------------------------------------------------------------------------------------------------- */

channelTest('a ping is answered, be it an event or a frame', {}, async (server) => {
  const client = await connect(server, `/app/${APP.key}?protocol=7`);
  await client.inbox.next('the first frame');
  for (const ping of [
    '{"event":"pusher:ping","data":{}}', '{"event": "pusher:ping"}', '{"event":"pusher:ping","data":"{}"}',
    '{"event":"pusher:ping","data":null}',
  ]) {
    client.send(ping);
    assert.equal(await client.inbox.next(), '{"event":"pusher:pong","data":"{}"}');
  }
  const pong = within(once(client, 'pong'), 'a pong');
  client.ping('are you there?');
  assert.equal((await pong)[0].toString(), 'are you there?');
  client.send('{"event":"pusher:pong","data":{}}');
  client.send('{"event":"pusher:ping","data":{}}');
  assert.equal(await client.inbox.next(), '{"event":"pusher:pong","data":"{}"}', 'a pong has no answer');
});

channelTest('pusher-js that probes the server stays', {}, async (server) => {
  const client = pusherClient(server, { activityTimeout: 100, pongTimeout: 20_000 });
  const messages = listen(client.connection, 'message');
  for (let i = 0; i < 5; ) i += (await messages.next('a pong')).event === 'pusher:pong' ? 1 : 0;
  assert.deepEqual(client.states, ['connecting', 'connected'].slice(-client.states.length));
});

const IMPATIENT = ['--ping-ms', '300ms', '--pong-ms-max', '2s'];
channelTest('the silent are probed and closed, those who answer stay', { args: IMPATIENT }, async (server) => {
  const [good, deaf] = [await Peer.open(server), await Peer.open(server, { autoPong: false })];
  const client = pusherClient(server);
  await untilState(client, 'connected');
  assert.equal((await deaf.expectEnd()).code, 4201);
  assert.ok(deaf.client.pings >= 1, 'it was asked');
  await until(() => good.client.pings >= 3, 'three probes');
  await good.expectQuiet();
  assert.deepEqual(client.states.at(-1), 'connected');
  const now = await untilCounters(server, ({ connections_open: open }) => open === 2, 'two to be left');
  assert.equal(now.closed_silent, 1);
});

/* --- close codes and pusher-js ------------------------------------------------------------------------------------ */

channelTest('4001: pusher-js gives up', {}, async (server) => {
  const client = pusherClient(server, { app: { ...APP, key: 'unknown' } });
  const errors = listen(client.connection, 'error');
  await untilState(client, 'disconnected');
  assert.equal(errorCode(await errors.next()), 4001);
  await untilNobody(server);
  assert.equal((await counters(server)).connections_accepted, 1);
  assert.equal(client.connection.state, 'disconnected');
});

channelTest('4000: pusher-js comes again with TLS', { args: STRICT }, async (server) => {
  const firstBytes = new Inbox();
  const secure = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (bytes) => {
      firstBytes.put(bytes[0]);
      socket.destroy();
    });
  }).listen(0, '127.0.0.1');
  atEnd(() => secure.close());
  await once(secure, 'listening');
  const client = pusherClient(server, { app: SECURE, wssPort: secure.address().port });
  assert.equal(await firstBytes.next('a TLS handshake'), 0x16);
  client.disconnect();
});

channelTest('4009: pusher-js stops, and comes back when it is told to', {}, async (server) => {
  const client = pusherClient(server, { user: { id: 'u1' }, member: { user_id: 'u1' } });
  const errors = listen(client.connection, 'error');
  await untilState(client, 'connected');
  await signIn(client);
  await backend(server).terminateUserConnections('u1');
  await untilState(client, 'disconnected');
  assert.equal(errorCode(await errors.next()), 4009);
  client.connect();
  await untilState(client, 'connected');
});

channelTest('4100: pusher-js tries again until there is room', { args: STRICT }, async (server) => {
  const first = await Peer.open(server, { app: FULL });
  const client = pusherClient(server, { app: FULL });
  const errors = listen(client.connection, 'error');
  for (let i = 0; i < 2; i++) assert.equal(errorCode(await errors.next('a refusal')), 4100);
  await first.leave();
  await untilState(client, 'connected');
});

channelTest('4201: pusher-js that could not read comes back at once', { args: IMPATIENT }, async (server) => {
  const client = pusherClient(server);
  await untilState(client, 'connected');
  const before = client.connection.socket_id;
  const socket = socketOf(client);
  socket.pause();
  await untilCounters(server, (now) => now.closed_silent === 1, 'the end of patience');
  socket.resume();
  await reconnected(client, before);
});

for (const [code, roomCode, args] of [[4100, 1001, []], [4200, 1012, ['--drain-reconnect']]]) {
  channelTest(`a server that stops closes with ${code}; pusher-js finds the next one`, { args }, async (server) => {
    const room = await connect(server, '/room/tea');
    const peers = await openPeers(server, 20);
    const client = pusherClient(server);
    const channel = await subscribe(client, 'news');
    const errors = listen(client.connection, 'error');
    const before = client.connection.socket_id;
    const end = server.stop();
    for (const peer of peers) assert.equal((await peer.expectEnd()).code, code);
    assert.equal((await within(room.ended, 'the end of the room')).code, roomCode);
    assert.equal(errorCode(await errors.next()), code);
    await end;
    const next = await startServer(appArgs(), { port: server.port });
    try {
      await reconnected(client, before);
      await until(() => channel.subscribed, 'the subscription');
      const heard = listen(channel, 'hello');
      await backend(next).trigger('news', 'hello', 'again');
      assert.equal(await heard.next(), 'again');
      client.disconnect();
      assert.equal((await next.stop()).code, 0);
    } finally {
      await next.kill();
    }
    return end;
  });
}

/* --- coming back -------------------------------------------------------------------------------------------------- */

channelTest('after a reconnect all is as before, under a new socket id', { args: appArgs('', OTHER_APP) },
  async (server) => {
    const client = pusherClient(server, { member: { user_id: 'u1' }, user: { id: 'u1' } });
    const names = ['news', 'private-a', 'presence-a', 'cache-a', 'private-encrypted-a', 'presence-cache-a'];
    const channels = await Promise.all(names.map((name) => subscribe(client, name)));
    await signIn(client);
    for (let round = 0; round < 3; round++) {
      const before = client.connection.socket_id;
      socketOf(client).destroy();
      await reconnected(client, before);
      await until(() => channels.every((channel) => channel.subscribed), 'the subscriptions');
      await until(() => client.user.serverToUserChannel?.subscribed, 'the sign-in');
      for (const channel of channels) {
        const heard = listen(channel, `round-${round}`);
        await backend(server).trigger(channel.name, `round-${round}`, { of: channel.name });
        assert.deepEqual(await heard.next(), { of: channel.name });
      }
      const toUser = listen(client.user, 'hello');
      await backend(server).sendToUser('u1', 'hello', { round });
      assert.deepEqual(await toUser.next(), { round });
    }
    client.disconnect();
    await untilCounters(server, (now) => now.connections_open === 0 && now.subscriptions === 0, 'nobody to be left');
  });
