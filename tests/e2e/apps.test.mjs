/* tests/e2e/apps.test.mjs - two apps on one server: nothing of one is visible to the other. */

import assert from 'node:assert/strict';
import { connect, Inbox, leave, serverTest } from './support.mjs';
import {
  APP, appArgs, ask, backend, call, channelAuth, channelTest, listen, OTHER_APP, Peer, pusherClient, signIn,
  subscribe, userAuth,
} from './channels.mjs';
import { keyOfRooms } from './guests.mjs';

const TWO = { args: appArgs('watchlist=yes', OTHER_APP), settings: 'watchlist=yes' };
const EVENT = { name: 'ev', channel: 'tea', data: 'x' };

channelTest('a channel of one app is not that of the other', TWO, async (server) => {
  const peers = [await Peer.open(server), await Peer.open(server, { app: OTHER_APP })];
  const names = ['tea', 'private-tea', 'presence-tea'];
  for (const peer of peers) {
    for (const name of names) {
      const success = await peer.subscribe(name, name.startsWith('presence-') ? { member: { user_id: 'u' } } : {});
      if (name.startsWith('presence-')) assert.equal(success.presence.count, 1);
    }
  }
  for (const name of names) {
    await backend(server).trigger(name, 'ev', 'one');
    await backend(server, OTHER_APP).trigger(name, 'ev', 'two');
    await peers[0].expect('ev', name, 'one');
    await peers[1].expect('ev', name, 'two');
  }
  peers[0].send('client-ev', 'from one', 'private-tea');
  await backend(server, OTHER_APP).trigger('private-tea', 'marker', '');
  await peers[1].expect('marker', 'private-tea', '');
});

const NEW_SECRET = 'n3w-s3cr3t';

/* Secrets are changed in three steps that cut nobody: both are known, backends change, the old one is gone. */
channelTest('while secrets are changed both are good', {
  settings: `previous_secret=${NEW_SECRET} watchlist=yes`,
}, async (server) => {
  for (const secret of [APP.secret, NEW_SECRET]) {
    const app = { ...APP, secret };
    const peer = await Peer.open(server, { app });
    await peer.subscribe('private-tea');
    await peer.subscribe('presence-tea', { member: { user_id: 'u' } });
    await backend(server, app).trigger('private-tea', 'ev', secret);
    await peer.expect('ev', 'private-tea', secret);
    assert.equal((await call(server, 'GET', '/channels/presence-tea/users', { app })).status, 200);
  }
  const wrong = await call(server, 'GET', '/channels', { app: { ...APP, secret: 'neither' } });
  assert.equal(wrong.status, 401);
});

channelTest('what one app remembers the other does not', TWO, async (server) => {
  await backend(server).trigger('cache-a', 'ev', 'of one');
  const peer = await Peer.open(server, { app: OTHER_APP });
  await peer.subscribe('cache-a');
  await peer.expect('pusher:cache_miss', 'cache-a', '{}');
});

channelTest('a user of one app is not that of the other', TWO, async (server) => {
  const clients = [APP, OTHER_APP].map((app) => pusherClient(server, { app, user: { id: 'u', watchlist: ['v'] } }));
  const heard = clients.map((client) => listen(client.user, 'ev'));
  const online = clients.map(() => new Inbox());
  for (const [i, client] of clients.entries()) {
    client.user.watchlist.bind('online', ({ user_ids: ids }) => { for (const id of ids) online[i].put(id); });
  }
  for (const client of clients) await signIn(client);
  await backend(server).sendToUser('u', 'ev', 1);
  await backend(server, OTHER_APP).sendToUser('u', 'ev', 2);
  assert.equal(await heard[0].next(), 1);
  assert.equal(await heard[1].next(), 2);
  const friend = await Peer.open(server);
  await friend.signIn({ id: 'v' });
  assert.equal(await online[0].next(), 'v');
  await backend(server).terminateUserConnections('u');
  await backend(server, OTHER_APP).sendToUser('u', 'ev', 3);
  assert.equal(await heard[1].next(), 3, 'still there');
  assert.equal(online[1].count, 0);
});

channelTest('a socket id of one app leaves nobody out in the other', TWO, async (server) => {
  const [one, two] = [await Peer.open(server), await Peer.open(server, { app: OTHER_APP })];
  for (const peer of [one, two]) await peer.subscribe('tea');
  await backend(server).trigger('tea', 'ev', 'x', { socket_id: two.socketId });
  await one.expect('ev', 'tea', 'x');
  await backend(server, OTHER_APP).trigger('tea', 'ev', 'y', { socket_id: one.socketId });
  await two.expect('ev', 'tea', 'y');
});

channelTest('answers to one app tell nothing of the other', TWO, async (server) => {
  const two = await Peer.open(server, { app: OTHER_APP });
  await two.subscribe('tea');
  await two.subscribe('presence-a', { member: { user_id: 'u' } });
  assert.deepEqual(await ask(server, '/channels'), { channels: {} });
  assert.deepEqual(await ask(server, '/channels/tea', { info: 'subscription_count' }),
    { occupied: false, subscription_count: 0 });
  assert.deepEqual(await ask(server, '/channels/presence-a/users'), { users: [] });
  assert.deepEqual(await ask(server, '/connections'), { connections: 0 });
  assert.deepEqual(await ask(server, '/connections', {}, OTHER_APP), { connections: 1 });
  const { body } = await call(server, 'POST', '/events', { body: { ...EVENT, info: 'subscription_count' } });
  assert.deepEqual(body, { channels: { tea: { subscription_count: 0 } } });
  await two.expectQuiet();
});

channelTest('the credentials of one app are none in the other', TWO, async (server) => {
  const peer = await Peer.open(server);
  for (const app of [OTHER_APP, { ...APP, secret: OTHER_APP.secret }, { ...OTHER_APP, secret: APP.secret }]) {
    peer.askFor('private-tea', { auth: channelAuth(peer.socketId, 'private-tea', undefined, app) });
    await peer.expectRefusal('private-tea');
  }
  for (const [status, app] of [
    [400, { ...OTHER_APP, id: APP.id }], [400, { ...APP, id: OTHER_APP.id }], [404, { ...APP, id: '7' }],
    [401, { ...APP, secret: OTHER_APP.secret }], [404, { ...APP, id: `${APP.id}0` }], [404, { ...APP, id: '' }],
  ]) {
    assert.equal((await call(server, 'POST', '/events', { app, body: EVENT })).status, status, JSON.stringify(app));
  }
  const userData = '{"id":"u"}';
  peer.send('pusher:signin', { auth: userAuth(peer.socketId, userData, OTHER_APP), user_data: userData });
  assert.equal((await peer.expectEnd()).code, 4009);
});

const SMALL = { args: appArgs('connections_max=2', OTHER_APP) };
channelTest('connections_max counts for each app', SMALL, async (server) => {
  const others = [await Peer.open(server, { app: OTHER_APP }), await Peer.open(server, { app: OTHER_APP })];
  for (let i = 0; i < 5; i++) await Peer.open(server);
  assert.equal((await Peer.refused(server, `/app/${OTHER_APP.key}?protocol=7`)).code, 4100);
  await others[0].leave();
  await subscribe(pusherClient(server, { app: OTHER_APP }), 'tea');
});

/* --- without an app ----------------------------------------------------------------------------------------------- */

serverTest('without --app the rooms are channels of an app whose secret nobody knows', [], async (server) => {
  assert.equal((await Peer.refused(server, '/app/any?protocol=7')).code, 4001);
  assert.equal((await call(server, 'GET', '/channels')).status, 404);
  const key = await keyOfRooms(server);
  assert.match(key, /^[a-z0-9]{20}$/);
  assert.ok(!server.stderr().includes(key));
  const app = { id: 'rooms', key, secret: 'a guess' };
  for (const secret of ['', 'a guess', key]) {
    assert.equal((await call(server, 'GET', '/channels', { app: { ...app, secret } })).status, 401);
  }
  const peer = await Peer.open(server, { app });
  await peer.subscribe('lobby');
  peer.askFor('private-x');
  await peer.expectRefusal('private-x');
  const raw = await connect(server, '/');
  raw.send('Ann: hello');
  await peer.expect('message', 'lobby', 'Ann: hello');
  await leave(raw);
});
