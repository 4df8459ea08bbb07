/* tests/e2e/channels.test.mjs - subscribing and publishing: public and private channels, who may and who may not,
 * what arrives how. */

import assert from 'node:assert/strict';
import { until, untilNobody } from './support.mjs';
import {
  APP, ask, backend, channelAuth, channelTest, errorCode, hmac, listen, openPeers, OTHER_APP, Peer,
  pusherClient, subscribe, untilState,
} from './channels.mjs';

/* --- public channels ---------------------------------------------------------------------------------------------- */

/* [what a backend publishes, what is on the wire, what pusher-js makes of it] */
const DATA = [
  [{ a: 1, b: [null, true, 'x'] }, '{"a":1,"b":[null,true,"x"]}', { a: 1, b: [null, true, 'x'] }],
  ['plain', 'plain', 'plain'],
  ['', '', ''],
  ['123', '123', 123],
  [42, '42', 42],
  [[], '[]', []],
  [null, 'null', null],
  ['"quoted"', '"quoted"', 'quoted'],
  ['{"not": "json', '{"not": "json', '{"not": "json'],
  ['tab\t line\n return\r quote" back\\slash /', 'tab\t line\n return\r quote" back\\slash /',
    'tab\t line\n return\r quote" back\\slash /'],
  ['\u0000\u0001\u001f\u007f\u2028', '\u0000\u0001\u001f\u007f\u2028', '\u0000\u0001\u001f\u007f\u2028'],
  ['añ שלום 🎉', 'añ שלום 🎉', 'añ שלום 🎉'],
  ['x'.repeat(10_240), 'x'.repeat(10_240), 'x'.repeat(10_240)],
  ['\\'.repeat(10_240), '\\'.repeat(10_240), '\\'.repeat(10_240)],
];

channelTest('what a backend publishes arrives unchanged, in order', {}, async (server) => {
  const [peer, client] = [await Peer.open(server), pusherClient(server)];
  await peer.subscribe('news');
  const heard = listen(await subscribe(client, 'news'), 'ev');
  for (const [data, onWire, inPusherJs] of DATA) {
    await backend(server).trigger('news', 'ev', data);
    await peer.expect('ev', 'news', onWire);
    assert.deepEqual(await heard.next(), inPusherJs, onWire);
  }
});

channelTest('an event may be named like anything but the protocol\'s own', {}, async (server) => {
  const [peer, client] = [await Peer.open(server), pusherClient(server)];
  await peer.subscribe('news');
  const channel = await subscribe(client, 'news');
  const names = [
    'App\\Events\\OrderShipped', 'with blank', 'quote"d', 'ünï🎉', 'client-like', 'pusher', 'pusherx:a',
    'x'.repeat(200),
  ];
  for (const name of names) {
    const heard = listen(channel, name);
    await backend(server).trigger('news', name, 'data');
    await peer.expect(name, 'news', 'data');
    assert.equal(await heard.next(), 'data');
  }
});

channelTest('an event reaches the subscribers of its channel and nobody else', {}, async (server) => {
  const peers = await openPeers(server, 12);
  for (const [i, peer] of peers.entries()) await peer.subscribe(['tea', 'Tea', 'tea.x'][i % 3]);
  const both = await Peer.open(server);
  for (const name of ['tea', 'Tea']) await both.subscribe(name);
  await backend(server).trigger(['tea', 'tea.x', 'nobody-here'], 'ev', 'one');
  await backend(server).trigger('Tea', 'ev', 'two');
  for (const [i, peer] of peers.entries()) {
    await peer.expect('ev', ['tea', 'Tea', 'tea.x'][i % 3], ['one', 'two', 'one'][i % 3]);
    await peer.expectQuiet();
  }
  await both.expect('ev', 'tea', 'one');
  await both.expect('ev', 'Tea', 'two');
});

channelTest('who has unsubscribed hears no more, and may come back', {}, async (server) => {
  const [client, peer] = [pusherClient(server), await Peer.open(server)];
  await peer.subscribe('tea');
  const heard = listen(await subscribe(client, 'tea'), 'ev');
  await backend(server).trigger('tea', 'ev', 'first');
  assert.equal(await heard.next(), 'first');
  client.unsubscribe('tea');
  const count = async () => (await ask(server, '/channels/tea', { info: 'subscription_count' })).subscription_count;
  await until(async () => await count() === 1, 'one subscriber');
  await backend(server).trigger('tea', 'ev', 'second');
  const again = listen(await subscribe(client, 'tea'), 'ev');
  await backend(server).trigger('tea', 'ev', 'third');
  assert.equal(await again.next(), 'third');
  assert.equal(heard.count, 0, 'pusher-js forgot the first channel object');
  for (const data of ['first', 'second', 'third']) await peer.expect('ev', 'tea', data);
  peer.send('pusher:unsubscribe', { channel: 'tea' });
  await peer.expectQuiet();
  await peer.subscribe('tea');
});

channelTest('unsubscribing from what one is not subscribed to is ignored', {}, async (server) => {
  const peer = await Peer.open(server);
  for (const channel of ['never', 'private-never', 'presence-never', 'not a name', '']) {
    peer.send('pusher:unsubscribe', { channel });
    await peer.expectQuiet();
  }
});

channelTest('a second subscription is refused and changes nothing', {}, async (server) => {
  const peer = await Peer.open(server);
  for (const channel of ['tea', 'private-tea']) {
    await peer.subscribe(channel);
    peer.askFor(channel);
    await peer.expectError(null, new RegExp(`^Existing subscription to channel ${channel}$`));
    await backend(server).trigger(channel, 'ev', 'once');
    await peer.expect('ev', channel, 'once');
    await peer.expectQuiet();
  }
});

/* What is taken back before it was granted need not be granted; the last one is. */
channelTest('subscribing, unsubscribing and subscribing again may come in one go', {}, async (server) => {
  const peer = await Peer.open(server);
  const names = Array.from({ length: 100 }, (_, i) => `room-${i}`);
  for (const channel of names) {
    peer.askFor(channel);
    peer.send('pusher:unsubscribe', { channel });
    peer.askFor(channel);
  }
  const successes = [];
  while (new Set(successes).size < names.length) {
    const { event, channel } = await peer.next();
    assert.equal(event, 'pusher_internal:subscription_succeeded');
    successes.push(channel);
  }
  await backend(server).trigger(names, 'marker', '');
  for (let markers = 0; markers < names.length; ) {
    const { event, channel } = await peer.next();
    if (event === 'marker') markers += 1;
    else successes.push(channel);
  }
  for (const name of names) assert.ok(successes.filter((one) => one === name).length <= 2, name);
  await peer.expectQuiet();
  assert.deepEqual(Object.keys((await ask(server, '/channels')).channels).sort(), names.sort());
  await peer.leave();
  await untilNobody(server);
});

channelTest('a channel may have any name of the charset, up to 200 bytes', {}, async (server) => {
  const peer = await Peer.open(server);
  for (const name of ['a', 'A-z_0=@,.;9', '-', 'privately', 'presence', 'cache', 'x'.repeat(200)]) {
    await peer.subscribe(name);
    await backend(server).trigger(name, 'ev', name);
    await peer.expect('ev', name, name);
  }
  await peer.subscribe('private-A-z_0=@,.;9');
});

channelTest('data may come as a string that holds JSON', {}, async (server) => {
  const peer = await Peer.open(server);
  peer.send('pusher:subscribe', '{"channel":"tea"}');
  await peer.expect('pusher_internal:subscription_succeeded', 'tea', '{}');
  peer.send('pusher:unsubscribe', '{"channel":"tea"}');
  await peer.expectQuiet();
  await until(async () => !(await ask(server, '/channels/tea')).occupied, 'nobody to be left');
});

channelTest('a connection may have channels_max channels', { settings: 'channels_max=3' }, async (server) => {
  const [peer, other] = await openPeers(server, 2);
  for (const channel of ['a', 'b', 'private-c']) await peer.subscribe(channel);
  for (const channel of ['d', 'private-d']) {
    peer.askFor(channel);
    await peer.expectRefusal(channel, { type: 'LimitReached', status: 4100 });
  }
  await other.subscribe('d');
  peer.send('pusher:unsubscribe', { channel: 'a' });
  await peer.subscribe('d');
});

channelTest('subscribers are told how many they are', { settings: 'subscription_counts=yes' }, async (server) => {
  const count = (number) => JSON.stringify({ subscription_count: number });
  const [anna, ben] = await openPeers(server, 2);
  await anna.subscribe('tea');
  await anna.expect('pusher_internal:subscription_count', 'tea', count(1));
  await ben.subscribe('tea');
  await ben.expect('pusher_internal:subscription_count', 'tea', count(2));
  await anna.expect('pusher_internal:subscription_count', 'tea', count(2));
  const client = pusherClient(server);
  const counts = listen(client.subscribe('tea'), 'pusher:subscription_count');
  assert.deepEqual(await counts.next(), { subscription_count: 3 });
  client.unsubscribe('tea');
  for (const number of [3, 2]) {
    for (const peer of [anna, ben]) await peer.expect('pusher_internal:subscription_count', 'tea', count(number));
  }
  await ben.leave();
  await anna.expect('pusher_internal:subscription_count', 'tea', count(1));
  await anna.subscribe('presence-tea', { member: { user_id: 'anna' } });
  await anna.expectQuiet();
});

/* --- private channels --------------------------------------------------------------------------------------------- */

channelTest('the signatures of the specification are right', {}, async () => {
  const channelData = '{"user_id":"42","user_info":{"name":"Ann"}}';
  assert.equal(channelAuth('123.456', 'private-room-7'),
    `${APP.key}:6c338e928590b1f52c0f57bd472ff291af9096403ab786a2747c70235b1bda89`);
  assert.equal(channelAuth('123.456', 'presence-room-7', channelData),
    `${APP.key}:f640c989aa772323d936db44a5b9684c9c4fb8c9caf8dba8d721fb3c0a0cb59f`);
});

channelTest('a private channel is for those with a good signature', {}, async (server) => {
  const [client, peer] = [pusherClient(server), await Peer.open(server)];
  for (const name of ['private-tea', 'private-cache-tea', 'private-encrypted-tea', 'private-']) {
    const heard = listen(await subscribe(client, name), 'ev');
    await backend(server).trigger(name, 'ev', { secret: name });
    assert.deepEqual(await heard.next(), { secret: name });
    const signature = backend(server).authorizeChannel(peer.socketId, name);
    peer.askFor(name, signature);
    await peer.expect('pusher_internal:subscription_succeeded', name, '{}');
    if (name.includes('cache')) await peer.expect('ev', name, { secret: name });
    peer.send('pusher:unsubscribe', { channel: name });
  }
});

channelTest('channel_data on a private channel is part of what is signed', {}, async (server) => {
  const peer = await Peer.open(server);
  const channelData = '{ "user_id" : "42", "é": "\\u00e9 \\" 🎉" }';
  await peer.subscribe('private-tea', { channelData });
  peer.askFor('private-two', { channelData, auth: channelAuth(peer.socketId, 'private-two') });
  await peer.expectRefusal('private-two');
});

channelTest('a bad signature is refused in both ways, and the connection stays', {}, async (server) => {
  const [peer, other] = await openPeers(server, 2);
  const name = 'private-tea';
  const good = channelAuth(peer.socketId, name);
  const digest = good.split(':')[1];
  const bad = [
    undefined, null, '', ':', 'x', digest, `:${digest}`, `${APP.key}:`, `${APP.key}`, `${good}0`, good.slice(0, -1),
    `${good.slice(0, -1)}${good.endsWith('0') ? '1' : '0'}`, `${APP.key}:${digest.toUpperCase()}`,
    `${APP.key}::${digest}`, ` ${good}`, `${OTHER_APP.key}:${digest}`,
    channelAuth(peer.socketId, name, undefined, OTHER_APP),
    channelAuth(peer.socketId, name, undefined, { ...APP, secret: OTHER_APP.secret }),
    channelAuth(other.socketId, name), channelAuth(peer.socketId, 'private-te'),
    channelAuth(peer.socketId, name, '{}'),
    `${APP.key}:${hmac(APP.secret, `${peer.socketId}${name}`)}`, 'x'.repeat(5000),
  ];
  for (const auth of bad) {
    peer.askFor(name, { auth });
    await peer.expectRefusal(name);
  }
  await backend(server).trigger(name, 'ev', 'secret');
  await peer.expectQuiet();
  assert.deepEqual(await ask(server, `/channels/${name}`), { occupied: false });
  await peer.subscribe(name);
});

channelTest('what an answer to a bad signature does not tell', {}, async (server) => {
  const peer = await Peer.open(server);
  peer.askFor('private-tea', { auth: `${APP.key}:${'0'.repeat(64)}` });
  for (const frame of [await peer.next(), await peer.next()]) {
    const text = JSON.stringify(frame);
    for (const secret of [channelAuth(peer.socketId, 'private-tea').split(':')[1], APP.secret]) {
      assert.ok(!text.includes(secret), text);
    }
  }
});

channelTest('pusher-js is told of a bad signature on the channel and on the connection', {}, async (server) => {
  const client = pusherClient(server, { app: { ...APP, secret: 'wrong' } });
  const errors = listen(client.connection, 'error');
  await untilState(client, 'connected');
  const refused = listen(client.subscribe('private-tea'), 'pusher:subscription_error');
  const { type, status } = await refused.next();
  assert.deepEqual({ type, status }, { type: 'AuthError', status: 401 });
  assert.equal((await errors.next()).data.code, null);
  assert.equal(client.connection.state, 'connected');
  await subscribe(client, 'tea');
});

channelTest('a signature is of no use after a reconnect', {}, async (server) => {
  const former = await Peer.open(server);
  const auth = channelAuth(former.socketId, 'private-tea');
  await former.subscribe('private-tea');
  former.client.terminate();
  const peer = await Peer.open(server);
  peer.askFor('private-tea', { auth });
  await peer.expectRefusal('private-tea');
});

/* --- who publishes is left out ------------------------------------------------------------------------------------ */

channelTest('socket_id leaves one connection out', {}, async (server) => {
  const clients = [pusherClient(server), pusherClient(server)];
  const peers = await openPeers(server, 6);
  const heard = [];
  for (const client of clients) heard.push(listen(await subscribe(client, 'tea'), 'ev'));
  for (const peer of peers) await peer.subscribe('tea');
  await backend(server).trigger('tea', 'ev', 1, { socket_id: clients[0].connection.socket_id });
  await backend(server).trigger('tea', 'ev', 2, { socket_id: peers[0].socketId });
  await backend(server).trigger('tea', 'ev', 3);
  const batch = [4, 5].map((i) => ({ name: 'ev', channel: 'tea', data: i, socket_id: peers[i - 4].socketId }));
  await backend(server).triggerBatch(batch);
  assert.deepEqual(await heard[0].take(4), [2, 3, 4, 5]);
  assert.deepEqual(await heard[1].take(5), [1, 2, 3, 4, 5]);
  for (const [i, numbers] of [[1, 3, 5], [1, 2, 3, 4], [1, 2, 3, 4, 5]].entries()) {
    for (const number of numbers) await peers[i].expect('ev', 'tea', `${number}`);
    await peers[i].expectQuiet();
  }
});

channelTest('a socket id that nobody has leaves nobody out', {}, async (server) => {
  const peers = await openPeers(server, 4);
  for (const peer of peers) await peer.subscribe('tea');
  const [first, second] = peers[0].socketId.split('.');
  const strangers = [
    `${BigInt(first) ^ 1n}.${second}`, `${first}.${BigInt(second) + 1n}`, `1.${second}`, '0.0', '1.1',
  ];
  for (const id of strangers) {
    await backend(server).trigger('tea', 'ev', id, { socket_id: id });
    for (const peer of peers) await peer.expect('ev', 'tea', id);
  }
  const long = '1'.repeat(30);
  await backend(server).trigger('tea', 'ev', 'x', { socket_id: `${long}.${long}` });
  for (const peer of peers) await peer.expect('ev', 'tea', 'x');
});
