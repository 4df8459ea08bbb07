/* tests/e2e/echo.test.mjs - Laravel Echo: the calls of an application, and events named as Laravel names them. */

import assert from 'node:assert/strict';
import Echo from 'laravel-echo';
import Pusher from 'pusher-js';
import { atEnd, Inbox, until, within } from './support.mjs';
import { APP, ask, backend, channelTest, endpointAnswer } from './channels.mjs';

/* An Echo as an application makes it; `member` is who it is on presence channels. */
function echoClient(server, { app = APP, member, ...options } = {}) {
  const echo = new Echo({
    broadcaster: 'reverb', key: app.key, Pusher, wsHost: '127.0.0.1', wsPort: server.port, wssPort: server.port,
    forceTLS: false, enabledTransports: ['ws', 'wss'],
    authorizer: ({ name }) => ({
      authorize: (socketId, done) => done(null, endpointAnswer(socketId, name, member, app)),
    }),
    ...options,
  });
  atEnd(() => echo.disconnect());
  return echo;
}

/* What a listener that is registered by `register` hears. */
function heardBy(register) {
  const inbox = new Inbox();
  register((data) => inbox.put(data));
  return inbox;
}

function subscribed(channel) {
  return within(new Promise((resolve, reject) => {
    channel.subscribed(resolve);
    channel.error((error) => reject(new Error(JSON.stringify(error))));
  }), `${channel.name} to be subscribed`);
}

for (const broadcaster of ['reverb', 'pusher']) {
  channelTest(`Echo as ${broadcaster} hears what Laravel broadcasts`, {}, async (server) => {
    const echo = echoClient(server, { broadcaster, cluster: broadcaster === 'pusher' ? 'mt1' : undefined });
    const orders = echo.channel('orders');
    const shipped = heardBy((put) => orders.listen('OrderShipped', put));
    const custom = heardBy((put) => orders.listen('.custom', put));
    const all = heardBy((put) => orders.listenToAll((event, data) => put([event, data])));
    await subscribed(orders);
    await backend(server).trigger('orders', 'App\\Events\\OrderShipped', { order: { id: 7 } });
    assert.deepEqual(await shipped.next(), { order: { id: 7 } });
    await backend(server).trigger('orders', 'custom', { n: 1 });
    assert.deepEqual(await custom.next(), { n: 1 });
    assert.deepEqual(await all.take(2), [['OrderShipped', { order: { id: 7 } }], ['.custom', { n: 1 }]]);
    echo.leave('orders');
    await until(async () => !(await ask(server, '/channels/orders')).occupied, 'nobody to be left');
  });
}

channelTest('toOthers() leaves out who caused the event', {}, async (server) => {
  const [echo, other] = [echoClient(server), echoClient(server)];
  const channels = [echo.channel('orders'), other.channel('orders')];
  const heard = channels.map((channel) => heardBy((put) => channel.listen('.ev', put)));
  await Promise.all(channels.map(subscribed));
  await backend(server).trigger('orders', 'ev', 'others', { socket_id: echo.socketId() });
  await backend(server).trigger('orders', 'ev', 'all');
  assert.deepEqual(await heard[1].take(2), ['others', 'all']);
  assert.equal(await heard[0].next(), 'all');
});

channelTest('private channels carry events and whispers', {}, async (server) => {
  const [anna, ben] = [echoClient(server).private('p'), echoClient(server).private('p')];
  const typing = heardBy((put) => ben.listenForWhisper('typing', put));
  const event = heardBy((put) => ben.listen('.ev', put));
  await Promise.all([anna, ben].map(subscribed));
  anna.whisper('typing', { who: 'Ann' });
  assert.deepEqual(await typing.next(), { who: 'Ann' });
  await backend(server).trigger('private-p', 'ev', { a: 1 });
  assert.deepEqual(await event.next(), { a: 1 });
});

channelTest('a private channel that is refused tells its error()', {}, async (server) => {
  const refused = echoClient(server, { app: { ...APP, secret: 'wrong' } }).private('p');
  const { type, status } = await heardBy((put) => refused.error(put)).next();
  assert.deepEqual({ type, status }, { type: 'AuthError', status: 401 });
});

channelTest('join() tells who is here, who joins and who leaves', {}, async (server) => {
  const members = ['Ann', 'Ben'].map((name, i) => ({ user_id: i + 1, user_info: { id: i + 1, name } }));
  const anna = echoClient(server, { member: members[0] });
  const room = anna.join('room');
  const [here, joining, leaving] = ['here', 'joining', 'leaving'].map((name) => heardBy((put) => room[name](put)));
  const waving = heardBy((put) => room.listenForWhisper('wave', put));
  assert.deepEqual(await here.next(), [{ id: 1, name: 'Ann' }]);
  const ben = echoClient(server, { member: members[1] });
  const bensRoom = ben.join('room');
  const bensHere = await heardBy((put) => bensRoom.here(put)).next();
  assert.deepEqual(bensHere.sort((a, b) => a.id - b.id), [{ id: 1, name: 'Ann' }, { id: 2, name: 'Ben' }]);
  assert.deepEqual(await joining.next(), { id: 2, name: 'Ben' });
  bensRoom.whisper('wave', { hand: 'left' });
  assert.deepEqual(await waving.next(), { hand: 'left' });
  ben.leave('room');
  assert.deepEqual(await leaving.next(), { id: 2, name: 'Ben' });
  ben.join('room');
  assert.deepEqual(await joining.next(), { id: 2, name: 'Ben' });
  ben.disconnect();
  assert.deepEqual(await leaving.next(), { id: 2, name: 'Ben' });
});

channelTest('encryptedPrivate() reads what the backend encrypted', {}, async (server) => {
  const channel = echoClient(server).encryptedPrivate('e');
  const heard = heardBy((put) => channel.listen('.ev', put));
  await subscribed(channel);
  await backend(server).trigger('private-encrypted-e', 'ev', { secret: 'tea' });
  assert.deepEqual(await heard.next(), { secret: 'tea' });
});

channelTest('a notification reaches its user', {}, async (server) => {
  const echo = echoClient(server);
  const channel = echo.private('App.Models.User.1');
  const notified = heardBy((put) => channel.notification(put));
  await subscribed(channel);
  await backend(server).trigger('private-App.Models.User.1',
    'Illuminate\\Notifications\\Events\\BroadcastNotificationCreated', { type: 'invoice-paid' });
  assert.deepEqual(await notified.next(), { type: 'invoice-paid' });
});
