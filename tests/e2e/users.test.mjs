/* tests/e2e/users.test.mjs - users: signing in, events to a user, ending a user's connections, watchlists. */

import assert from 'node:assert/strict';
import { until, untilCounters } from './support.mjs';
import {
  APP, ask, backend, call, channelTest, errorCode, listen, openPeers, OTHER_APP, Peer, pusherClient, reconnected,
  signIn, socketOf, subscribe, untilState, userAuth,
} from './channels.mjs';

/* --- signing in --------------------------------------------------------------------------------------------------- */

channelTest('the signature of the specification is right', {}, async () => {
  assert.equal(userAuth('123.456', '{"id":"42","user_info":{"name":"Ann"},"watchlist":["7"]}'),
    `${APP.key}:0b88c3b458a0242bfe27370de05aefb5a5f277fadc699a5af789ef0bae6d4309`);
});

channelTest('who signs in gets its data back, byte for byte', {}, async (server) => {
  const userData = '{ "id" : "u1", "user_info":{"ü":"\\u00e9 🎉 \\"quoted\\" \\\\"},"watchlist":[], "n": 1.10 }';
  const peer = await Peer.open(server);
  peer.send('pusher:signin', { auth: userAuth(peer.socketId, userData), user_data: userData });
  await peer.expect('pusher:signin_success', undefined, { user_data: userData });
  await peer.subscribe('#server-to-user-u1');
  await backend(server).sendToUser('u1', 'hello', { a: 1 });
  await peer.expect('hello', '#server-to-user-u1', '{"a":1}');
  const other = await Peer.open(server);
  const answer = backend(server).authenticateUser(other.socketId, { id: 'u2', watchlist: ['a'] });
  other.send('pusher:signin', answer);
  await other.expect('pusher:signin_success', undefined, { user_data: answer.user_data });
});

/* Ids as identity providers give them. */
channelTest('an id may be any text', { settings: 'watchlist=yes' }, async (server) => {
  const ids = ['auth0|5f7c', 'a+b@example.com', 'ü', '🎉'.repeat(32), 'a b', '"\\', '50%', 'x'.repeat(128)];
  const watcher = await Peer.open(server);
  await watcher.signIn({ id: 'watcher', watchlist: ids });
  assert.deepEqual((await watched(watcher)).offline, [...ids].sort());
  for (const id of ids) {
    const client = pusherClient(server, { user: { id } });
    const heard = listen(client.user, 'hello');
    await signIn(client);
    assert.deepEqual(await watched(watcher), { online: [id], offline: [] });
    await backend(server).sendToUser(id, 'hello', { id });
    assert.deepEqual(await heard.next(), { id });
    const room = await subscribe(pusherClient(server, { member: { user_id: id } }), 'presence-room');
    assert.ok(room.members.get(id), id);
    const users = await ask(server, '/channels/presence-room/users');
    assert.ok(users.users.some((user) => user.id === id), id);
    /* The official package does not encode ids. */
    if (/[%"\\]/.test(id)) {
      await call(server, 'POST', `/users/${encodeURIComponent(id)}/terminate_connections`, { body: {} });
    } else {
      await backend(server).terminateUserConnections(id);
    }
    assert.deepEqual(await watched(watcher), { online: [], offline: [id] });
    await untilState(client, 'disconnected');
  }
});

channelTest('an event to a user reaches all its connections, and only them', {}, async (server) => {
  const clients = ['u1', 'u1', 'u2'].map((id) => pusherClient(server, { user: { id } }));
  const stranger = await Peer.open(server);
  const heard = clients.map((client) => listen(client.user, 'hello'));
  for (const client of clients) await signIn(client);
  await backend(server).sendToUser('u1', 'hello', { n: 1 });
  await backend(server).sendToUser('u2', 'hello', { n: 2 });
  await backend(server).sendToUser('nobody', 'hello', { n: 3 });
  await backend(server).sendToUser('u1', 'hello', { n: 4 });
  assert.deepEqual(await heard[0].take(2), [{ n: 1 }, { n: 4 }]);
  assert.deepEqual(await heard[1].take(2), [{ n: 1 }, { n: 4 }]);
  assert.deepEqual(await heard[2].next(), { n: 2 });
  assert.equal(heard[2].count, 0);
  await stranger.expectQuiet();
});

channelTest('a user\'s channel is for that user alone, and hidden', {}, async (server) => {
  const [peer, stranger] = await openPeers(server, 2);
  for (const one of [peer, stranger]) {
    one.askFor('#server-to-user-u1');
    await one.expectRefusal('#server-to-user-u1');
  }
  await peer.signIn({ id: 'u1' });
  peer.send('pusher:subscribe', { channel: '#server-to-user-u1' });
  await peer.expect('pusher_internal:subscription_succeeded', '#server-to-user-u1', '{}');
  await stranger.signIn({ id: 'u2' });
  stranger.askFor('#server-to-user-u1');
  await stranger.expectRefusal('#server-to-user-u1');
  await peer.subscribe('tea');
  assert.deepEqual((await ask(server, '/channels')).channels, { tea: {} });
});

channelTest('pusher-js signs in again after a reconnect', {}, async (server) => {
  const client = pusherClient(server, { user: { id: 'u1' } });
  await signIn(client);
  for (let round = 0; round < 2; round++) {
    const before = client.connection.socket_id;
    socketOf(client).destroy();
    await reconnected(client, before);
    await client.user.signinDonePromise;
    const heard = listen(client.user, 'hello');
    await until(() => client.user.serverToUserChannel?.subscribed, 'the user\'s channel');
    await backend(server).sendToUser('u1', 'hello', { round });
    assert.deepEqual(await heard.next(), { round });
  }
});

channelTest('the same sign-in may be repeated', {}, async (server) => {
  const peer = await Peer.open(server);
  for (let i = 0; i < 3; i++) await peer.signIn({ id: 'u1' });
  await peer.subscribe('#server-to-user-u1');
  await backend(server).sendToUser('u1', 'hello', 'once');
  await peer.expect('hello', '#server-to-user-u1', 'once');
  await peer.expectQuiet();
});

channelTest('a bad sign-in ends the connection with 4009', {}, async (server) => {
  const good = '{"id":"u1"}';
  for (const make of [
    () => ({}),
    () => ({ user_data: good }),
    (id) => ({ auth: userAuth(id, good) }),
    (id) => ({ auth: userAuth(id, good).slice(0, -1), user_data: good }),
    (id) => ({ auth: userAuth(id, good), user_data: '{"id":"u2"}' }),
    () => ({ auth: userAuth('1.1', good), user_data: good }),
    (id) => ({ auth: userAuth(id, good, OTHER_APP), user_data: good }),
    (id) => ({ auth: userAuth(id, good).replace(':', '::user::'), user_data: good }),
    ...['', 'x', '[]', 'null', '{}', '{"id":""}', '{"id":1}', '{"id":null}', '{"id":"a\\nb"}', '{"id":"a","id":"b"}',
      `{"id":"${'x'.repeat(300)}"}`, '{"id":"u1"} x',
    ].map((userData) => (id) => ({ auth: userAuth(id, userData), user_data: userData })),
  ]) {
    const peer = await Peer.open(server);
    const data = make(peer.socketId);
    peer.send('pusher:signin', data);
    assert.equal((await peer.expectEnd()).code, 4009, JSON.stringify(data));
  }
  const client = pusherClient(server, { app: { ...APP, secret: 'wrong' }, user: { id: 'u1' } });
  const errors = listen(client.connection, 'error');
  client.signin();
  assert.equal(errorCode(await errors.next()), 4009);
  await untilState(client, 'disconnected');
});

channelTest('who is signed in cannot become another', {}, async (server) => {
  const peer = await Peer.open(server);
  await peer.signIn({ id: 'u1' });
  const userData = '{"id":"u2"}';
  peer.send('pusher:signin', { auth: userAuth(peer.socketId, userData), user_data: userData });
  assert.equal((await peer.expectEnd()).code, 4009);
});

/* --- ending a user's connections ---------------------------------------------------------------------------------- */

channelTest('terminating a user closes all that are signed in as it', {}, async (server) => {
  const peers = await openPeers(server, 9);
  for (const [i, peer] of peers.entries()) await peer.signIn({ id: `u${i % 3}` });
  const member = await Peer.open(server);
  await member.subscribe('presence-room', { member: { user_id: 'u0' } });
  await backend(server).terminateUserConnections('u0');
  for (const [i, peer] of peers.entries()) {
    if (i % 3 === 0) assert.equal((await peer.expectEnd()).code, 4009);
    else await peer.expectQuiet();
  }
  await member.expectQuiet();
  await untilCounters(server, (now) => now.connections_open === 7, 'seven to be left');
  await backend(server).terminateUserConnections('u0');
  await backend(server).terminateUserConnections('nobody');
  const again = await Peer.open(server);
  await again.signIn({ id: 'u0' });
  await again.expectQuiet();
});

channelTest('terminating takes what the user had with it', {}, async (server) => {
  const [watcher, user] = await openPeers(server, 2);
  await watcher.subscribe('presence-room', { member: { user_id: 'w' } });
  await user.signIn({ id: 'u1' });
  await user.subscribe('#server-to-user-u1');
  await user.subscribe('presence-room');
  assert.equal((await watcher.next()).event, 'pusher_internal:member_added');
  const answer = await call(server, 'POST', '/users/u1/terminate_connections', { body: {} });
  assert.deepEqual([answer.status, answer.body], [200, {}]);
  await watcher.expect('pusher_internal:member_removed', 'presence-room', { user_id: 'u1' });
  assert.equal((await user.expectEnd()).code, 4009);
});

/* --- watchlists --------------------------------------------------------------------------------------------------- */

/* The changes in one frame: { online: [...], offline: [...] }. */
async function watched(peer) {
  const { event, channel, data } = await peer.next('watchlist events');
  assert.deepEqual([event, channel], ['pusher_internal:watchlist_events', undefined]);
  const changes = { online: [], offline: [] };
  for (const { name, user_ids: ids } of JSON.parse(data).events) changes[name].push(...ids);
  for (const name of ['online', 'offline']) changes[name].sort();
  return changes;
}

channelTest('a watchlist tells who is online and who no longer', { settings: 'watchlist=yes' }, async (server) => {
  const friend = await Peer.open(server);
  await friend.signIn({ id: 'friend' });
  const watcher = await Peer.open(server);
  await watcher.signIn({ id: 'me', watchlist: ['friend', 'absent', 'other'] });
  assert.deepEqual(await watched(watcher), { online: ['friend'], offline: ['absent', 'other'] });
  const tab = await Peer.open(server);
  await tab.signIn({ id: 'friend' });
  const [other, stranger] = await openPeers(server, 2);
  await stranger.signIn({ id: 'stranger' });
  await other.signIn({ id: 'other' });
  assert.deepEqual(await watched(watcher), { online: ['other'], offline: [] }, 'nothing of a second tab');
  await tab.leave();
  await other.leave();
  assert.deepEqual(await watched(watcher), { online: [], offline: ['other'] });
  friend.client.terminate();
  assert.deepEqual(await watched(watcher), { online: [], offline: ['friend'] });
  await watcher.expectQuiet();
});

channelTest('pusher-js emits what its watchlist is told', { settings: 'watchlist=yes' }, async (server) => {
  const client = pusherClient(server, { user: { id: 'me', watchlist: ['friend'] } });
  const { watchlist } = client.user;
  const [online, offline] = [listen(watchlist, 'online'), listen(watchlist, 'offline')];
  await signIn(client);
  assert.deepEqual(await offline.next(), { name: 'offline', user_ids: ['friend'] });
  for (const { user_ids: ids } of await online.take(online.count)) assert.deepEqual(ids, []);
  const friend = pusherClient(server, { user: { id: 'friend' } });
  await signIn(friend);
  assert.deepEqual(await online.next(), { name: 'online', user_ids: ['friend'] });
  friend.disconnect();
  assert.deepEqual(await offline.next(), { name: 'offline', user_ids: ['friend'] });
});

channelTest('a watchlist holds a hundred; more is an error, but signs in', { settings: 'watchlist=yes' },
  async (server) => {
    const ids = Array.from({ length: 101 }, (_, i) => `w${i}`);
    const peer = await Peer.open(server);
    const userData = JSON.stringify({ id: 'me', watchlist: ids });
    peer.send('pusher:signin', { auth: userAuth(peer.socketId, userData), user_data: userData });
    const frames = [await peer.next(), await peer.next(), await peer.next()];
    assert.ok(frames.some(({ event }) => event === 'pusher:signin_success'));
    assert.equal(frames.find(({ event }) => event === 'pusher:error').data.code, 4302);
    const { data } = frames.find(({ event }) => event === 'pusher_internal:watchlist_events');
    assert.deepEqual(JSON.parse(data).events.flatMap(({ user_ids: some }) => some).sort(), ids.slice(0, 100).sort());
    const last = await Peer.open(server);
    await last.signIn({ id: 'w100' });
    const first = await Peer.open(server);
    await first.signIn({ id: 'w0' });
    assert.deepEqual(await watched(peer), { online: ['w0'], offline: [] });
  });

channelTest('without the setting there are no watchlist events', {}, async (server) => {
  const [watcher, friend] = await openPeers(server, 2);
  await watcher.signIn({ id: 'me', watchlist: ['friend'] });
  await friend.signIn({ id: 'friend' });
  await friend.leave();
  await watcher.expectQuiet();
  await subscribe(pusherClient(server), 'tea');
});
