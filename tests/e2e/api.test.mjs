/* tests/e2e/api.test.mjs - the HTTP API for backends: every endpoint, empty and filled; what is signed; what is
 * refused. */

import assert from 'node:assert/strict';
import { untilNobody } from './support.mjs';
import {
  APP, appArgs, ask, backend, call, channelTest, hmac, md5, openPeers, OTHER_APP, Peer, signedTarget,
} from './channels.mjs';
import { RawClient, request } from './raw.mjs';

const EVENT = { name: 'ev', channel: 'tea', data: 'x' };

/* --- endpoints ---------------------------------------------------------------------------------------------------- */

channelTest('where nobody is, answers are empty', {}, async (server) => {
  for (const [path, wanted] of [
    ['/channels', { channels: {} }],
    ['/channels?filter_by_prefix=presence-', { channels: {} }],
    ['/channels?filter_by_prefix=presence-&info=user_count', { channels: {} }],
    ['/channels/tea', { occupied: false }],
    ['/channels/tea?info=subscription_count', { occupied: false, subscription_count: 0 }],
    ['/channels/presence-a?info=user_count,subscription_count',
      { occupied: false, user_count: 0, subscription_count: 0 }],
    ['/channels/cache-a?info=cache', { occupied: false, cache: null }],
    ['/channels/presence-a/users', { users: [] }],
    ['/connections', { connections: 0 }],
  ]) {
    const [bare, query = ''] = path.split('?');
    const params = Object.fromEntries(new URLSearchParams(query));
    assert.deepEqual(await ask(server, bare, params), wanted, path);
    const answer = await call(server, 'GET', bare, { params });
    assert.deepEqual([answer.status, answer.headers['content-type'], answer.body], [200, 'application/json', wanted]);
  }
});

channelTest('where somebody is, answers tell who and how many', {}, async (server) => {
  const peers = await openPeers(server, 6);
  for (const peer of peers.slice(0, 2)) await peer.subscribe('tea');
  await peers[0].subscribe('private-x');
  await peers[1].subscribe('presence-b', { member: { user_id: 'u9' } });
  for (const [i, peer] of peers.entries()) await peer.subscribe('presence-a', { member: { user_id: `u${i % 4}` } });
  for (const [path, params, wanted] of [
    ['/channels', {}, { channels: { 'presence-a': {}, 'presence-b': {}, 'private-x': {}, tea: {} } }],
    ['/channels', { filter_by_prefix: 'presence-' }, { channels: { 'presence-a': {}, 'presence-b': {} } }],
    ['/channels', { filter_by_prefix: 'presence-', info: 'user_count' },
      { channels: { 'presence-a': { user_count: 4 }, 'presence-b': { user_count: 1 } } }],
    ['/channels', { filter_by_prefix: 'presence-a', info: 'user_count' },
      { channels: { 'presence-a': { user_count: 4 } } }],
    ['/channels', { filter_by_prefix: 'te' }, { channels: { tea: {} } }],
    ['/channels', { filter_by_prefix: 'ea' }, { channels: {} }],
    ['/channels/tea', {}, { occupied: true }],
    ['/channels/tea', { info: 'subscription_count' }, { occupied: true, subscription_count: 2 }],
    ['/channels/presence-a', { info: 'user_count' }, { occupied: true, user_count: 4 }],
    ['/channels/presence-a', { info: 'subscription_count,user_count' },
      { occupied: true, user_count: 4, subscription_count: 6 }],
    ['/connections', {}, { connections: 6 }],
  ]) {
    assert.deepEqual(await ask(server, path, params), wanted, `${path} ${JSON.stringify(params)}`);
  }
  const { users } = await ask(server, '/channels/presence-a/users');
  assert.deepEqual(users.sort((a, b) => (a.id < b.id ? -1 : 1)), ['u0', 'u1', 'u2', 'u3'].map((id) => ({ id })));
  for (const peer of peers) peer.client.terminate();
  await untilNobody(server);
  assert.deepEqual(await ask(server, '/channels'), { channels: {} });
});

channelTest('a list of a thousand channels is complete', {}, async (server) => {
  const peers = await openPeers(server, 10);
  const names = Array.from({ length: 1000 }, (_, i) => `${'long-'.repeat(30)}${i}`);
  for (const [i, name] of names.entries()) peers[i % 10].askFor(name);
  for (const peer of peers) for (let i = 0; i < 100; i++) await peer.next();
  assert.deepEqual(Object.keys((await ask(server, '/channels')).channels).sort(), names.sort());
});

channelTest('publishing answers {}, or what was asked for', {}, async (server) => {
  const peers = await openPeers(server, 3);
  for (const [i, peer] of peers.entries()) {
    await peer.subscribe('presence-a', { member: { user_id: `u${i % 2}` } });
    await peer.subscribe('tea');
  }
  const sdk = backend(server);
  assert.deepEqual(await (await sdk.trigger(['tea', 'nobody'], 'ev', 'x')).json(), {});
  const info = 'user_count,subscription_count';
  assert.deepEqual(await (await sdk.trigger(['presence-a', 'tea', 'nobody'], 'ev', 'x', { info })).json(), {
    channels: {
      'presence-a': { user_count: 2, subscription_count: 3 }, 'tea': { subscription_count: 3 },
      'nobody': { subscription_count: 0 },
    },
  });
  const batch = [{ ...EVENT }, { ...EVENT, channel: 'presence-a', info: 'user_count' }];
  assert.deepEqual(await (await sdk.triggerBatch([{ ...EVENT }])).json(), {});
  assert.deepEqual(await (await sdk.triggerBatch(batch)).json(), { batch: [{}, { user_count: 2 }] });
});

channelTest('an event may name its channels in either way, and each once counts', {}, async (server) => {
  const peer = await Peer.open(server);
  const answer = async (body) => (await call(server, 'POST', '/events', { body })).status;
  await peer.subscribe('tea');
  await peer.subscribe('two');
  assert.equal(await answer({ name: 'one', channel: 'tea', data: 'x' }), 200);
  assert.equal(await answer({ name: 'many', channels: ['tea', 'two', 'tea', 'tea'], data: 'x', extra: {} }), 200);
  await peer.expect('one', 'tea', 'x');
  const got = [await peer.next(), await peer.next()].map(({ channel }) => channel).sort();
  assert.deepEqual(got, ['tea', 'two']);
  await peer.expectQuiet();
});

channelTest('data that is no string arrives as its compact JSON', {}, async (server) => {
  const peer = await Peer.open(server);
  await peer.subscribe('tea');
  for (const [sent, arrives] of [
    ['{ "a" : [1.10, 12345678901234567890] }', '{"a":[1.10,12345678901234567890]}'], ['7', '7'], ['null', 'null'],
    ['"\\u00e9\\ud83c\\udf89\\u0000"', 'é🎉\u0000'], ['[ ]', '[]'], ['true', 'true'],
  ]) {
    const answer = await call(server, 'POST', '/events', { body: `{"name":"ev","channel":"tea","data":${sent}}` });
    assert.equal(answer.status, 200, sent);
    await peer.expect('ev', 'tea', arrives);
  }
});

channelTest('100 channels in one event, 10 events in one batch', {}, async (server) => {
  const [peer, other] = await openPeers(server, 2);
  const names = Array.from({ length: 100 }, (_, i) => `c${i}`);
  await other.subscribe('c99');
  for (const name of names) await peer.subscribe(name);
  await backend(server).trigger(names, 'ev', 'x');
  await other.expect('ev', 'c99', 'x');
  const got = [];
  for (let i = 0; i < 100; i++) got.push((await peer.next()).channel);
  assert.deepEqual(got.sort(), names.sort());
  const batch = Array.from({ length: 10 }, (_, i) => ({ ...EVENT, channel: 'c99', data: `${i}` }));
  await backend(server).triggerBatch(batch);
  for (let i = 0; i < 10; i++) await other.expect('ev', 'c99', `${i}`);
});

channelTest('health and numbers', { control: true }, async (server) => {
  for (const at of [server, server.control]) {
    const answer = await fetch(`http://127.0.0.1:${at.port}/up`);
    assert.deepEqual([answer.status, await answer.text()], [200, 'OK\n']);
    assert.deepEqual(await ask(at, '/connections'), { connections: 0 });
  }
  const page = await fetch(`http://127.0.0.1:${server.control.port}/`);
  assert.match(await page.text(), /<title>[^<]*ringcast/i);
  assert.equal((await fetch(`http://127.0.0.1:${server.control.port}/chat.js`)).status, 404, 'not the chat');
});

channelTest('the control listener does what the public one does', { control: true }, async (server) => {
  const peer = await Peer.open(server);
  await peer.subscribe('presence-a', { member: { user_id: 'u' } });
  await peer.signIn({ id: 'u' });
  for (const at of [server.control, server]) {
    await backend(at).trigger('presence-a', 'ev', 'x');
    await peer.expect('ev', 'presence-a', 'x');
    assert.deepEqual(await ask(at, '/channels/presence-a/users'), { users: [{ id: 'u' }] });
    assert.deepEqual(await ask(at, '/channels'), { channels: { 'presence-a': {} } });
    assert.deepEqual(await ask(at, '/connections'), { connections: 1 });
  }
  await backend(server.control).terminateUserConnections('u');
  assert.equal((await peer.expectEnd()).code, 4009);
});

/* --- signatures --------------------------------------------------------------------------------------------------- */

channelTest('the signatures of the specification are right', {}, async () => {
  const params = { auth_timestamp: '1700000000' };
  const body = '{"name":"new-message","channels":["private-room-7"],"data":"{\\"text\\":\\"hi\\"}"}';
  assert.match(signedTarget('POST', '/apps/1001/events', { body, params }),
    /9dc6ec712cd97f2e843f48fce3ae1fe2b7ae061e5344a430f36e0b2fc1da64b3/);
  const filter = { filter_by_prefix: 'presence-', info: 'user_count', ...params };
  assert.match(signedTarget('GET', '/apps/1001/channels', { params: filter }),
    /d29f99a52aa0f140ee76ced874ed2c17635e31836679d00eeba8504dce3b5584/);
});

/* http_build_query() of PHP: an array is NAME[0]=, NAME[1]= and so on, a blank is '+'; its SDK signs values joined. */
channelTest('a query may be written as a form, with what it stands for signed', {}, async (server) => {
  const peer = await Peer.open(server);
  await peer.subscribe('presence-a', { member: { user_id: 'u' } });
  const info = { info: 'user_count,subscription_count' }, filter = { filter_by_prefix: 'a b+' };
  const [first, second] = ['user_count', 'subscription_count'];
  for (const [status, path, params, spoil] of [
    [200, '/channels/presence-a', info, { 'info': null, 'info[0]': first, 'info[1]': second }],
    [200, '/channels/presence-a', info, { 'info': null, 'info[]': info.info }],
    [401, '/channels/presence-a', info, { 'info': null, 'info[0]': first }],
    [401, '/channels/presence-a', info, { 'info': null, 'info[0]': second, 'info[1]': first }],
    [401, '/channels/presence-a', info, { 'info[0]': first }],
    [200, '/channels', filter, {}],
    [401, '/channels', filter, { filter_by_prefix: 'a b ' }],
  ]) {
    const client = await RawClient.connect(server);
    const target = signedTarget('GET', `/apps/${APP.id}${path}`, { params, spoil });
    client.write(request(`GET ${target.replaceAll('%20', '+')} HTTP/1.1`));
    const answer = await client.answer();
    assert.equal(answer.status, status, `${target}: ${answer.body}`);
    const wanted = params === info ? { occupied: true, user_count: 1, subscription_count: 1 } : { channels: {} };
    if (status === 200) assert.deepEqual(JSON.parse(answer.body), wanted, target);
    client.destroy();
  }
});

const seconds = (off) => ({ auth_timestamp: `${Math.floor(Date.now() / 1000) + off}` });

channelTest('a request must be signed well, by the app it is for, and now', { args: appArgs('', OTHER_APP) },
  async (server) => {
    const zeros = '0'.repeat(64);
    for (const [status, options, text = /./] of [
      [200, {}],
      [200, { params: seconds(-590) }],
      [200, { params: seconds(590) }],
      [200, { params: { unknown: 'kept ünd signed=&?/' } }],
      [401, { params: seconds(-601) }, /^Timestamp expired/],
      [401, { params: seconds(610) }, /^Timestamp expired/],
      [401, { spoil: { auth_signature: zeros } }, /^Invalid signature: .*POST\\n\/apps\/1001\/events\\n/],
      [401, { spoil: { auth_signature: '' } }],
      [401, { spoil: { unsigned: '1' } }, /^Invalid signature/],
      [401, { spoil: { auth_version: '2.0' } }],
      [401, { app: { ...APP, secret: OTHER_APP.secret } }, /^Invalid signature/],
      [400, { params: { auth_key: 'unknown' } }, /^Unknown auth_key$/],
      [400, { params: { auth_key: OTHER_APP.key } }],
      [400, { app: { ...OTHER_APP, id: APP.id } }],
      [404, { app: { ...APP, id: '9999' } }],
      [401, { params: { body_md5: md5('another body') } }],
    ]) {
      const answer = await call(server, 'POST', '/events', { body: EVENT, ...options });
      assert.equal(answer.status, status, `${JSON.stringify(options)}: ${answer.body}`);
      if (status === 200) continue;
      assert.match(answer.headers['content-type'], /^text\/plain/);
      assert.match(answer.body, /^[^\n]+\n$/, 'one line');
      assert.match(answer.body.trimEnd(), text);
      assert.ok(!answer.body.includes(APP.secret));
    }
  });

channelTest('what is missing or no number in the signature is refused', {}, async (server) => {
  for (const options of [
    { params: { auth_key: null } }, { params: { auth_timestamp: null } }, { spoil: { auth_signature: null } },
    { params: { auth_timestamp: 'now' } }, { params: { auth_timestamp: '' } }, { params: { body_md5: null } },
    { params: { auth_timestamp: '99999999999999999999' } }, { params: { auth_timestamp: '-1' } },
  ]) {
    const { status, body } = await call(server, 'POST', '/events', { body: EVENT, ...options });
    assert.ok(status === 400 || status === 401, `${JSON.stringify(options)}: ${status} ${body}`);
  }
});

channelTest('names of parameters are signed in lower case', {}, async (server) => {
  const text = `GET\n/apps/${APP.id}/channels\nauth_key=${APP.key}&auth_timestamp=${Math.floor(Date.now() / 1000)}`;
  const query = text.split('\n')[2].replace('auth_key', 'Auth_Key').replace('auth_timestamp', 'AUTH_TIMESTAMP');
  const signature = hmac(APP.secret, text);
  const answer = await fetch(`${server.url}/apps/${APP.id}/channels?${query}&auth_signature=${signature}`);
  assert.equal(answer.status, 200);
});

channelTest('a path may be signed as it is sent or as it is meant', {}, async (server) => {
  const peer = await Peer.open(server);
  await peer.subscribe('a;b');
  await peer.subscribe('x@y=z');
  await peer.signIn({ id: 'u;1' });
  for (const [sent, meant] of [
    ['/channels/a%3Bb', '/channels/a;b'], ['/channels/a;b', '/channels/a;b'], ['/channels/%61;b', '/channels/a;b'],
    ['/channels/x%40y%3Dz', '/channels/x@y=z'], ['/channels/x@y=z', '/channels/x@y=z'],
  ]) {
    for (const signPath of [sent, meant]) {
      const answer = await call(server, 'GET', sent, { signPath: `/apps/${APP.id}${signPath}` });
      assert.deepEqual([answer.status, answer.body], [200, { occupied: true }], `${sent} signed as ${signPath}`);
    }
  }
  for (const signPath of ['/users/u;1/terminate_connections', '/users/u%3B1/terminate_connections']) {
    const answer = await call(server, 'POST', '/users/u%3B1/terminate_connections',
      { signPath: `/apps/${APP.id}${signPath}`, body: {} });
    assert.equal(answer.status, 200);
  }
  assert.equal((await peer.expectEnd()).code, 4009);
  for (const signPath of ['/channels/%23server-to-user-u', '/channels/#server-to-user-u']) {
    const { status } = await call(server, 'GET', '/channels/%23server-to-user-u',
      { signPath: `/apps/${APP.id}${signPath}` });
    assert.ok(status === 200 || status === 400, `signed well, so not 401: ${status}`);
  }
});

channelTest('a prefix before /apps/ is not signed', {}, async (server) => {
  const signed = (prefix, signPath) => fetch(server.url
    + signedTarget('GET', `${prefix}/apps/${APP.id}/channels`, { signPath: `${signPath}/apps/${APP.id}/channels` }));
  for (const prefix of ['/prefix', '/a/b/c']) {
    assert.equal((await signed(prefix, '')).status, 200);
  }
});

/* --- refusals ----------------------------------------------------------------------------------------------------- */

const many = (count, item) => Array.from({ length: count }, (_, i) => (typeof item === 'function' ? item(i) : item));

/* [status, method, path, { body, params }, text] */
const REFUSALS = [
  [404, 'GET', '', {}], [404, 'GET', '/', {}], [404, 'GET', '/nowhere', {}], [404, 'POST', '/event', { body: EVENT }],
  [404, 'GET', '/channels/tea/nowhere', {}], [404, 'GET', '/users/u1', {}],
  [405, 'GET', '/events', {}], [405, 'PUT', '/events', { body: EVENT }], [405, 'GET', '/batch_events', {}],
  [405, 'POST', '/channels', { body: {} }], [405, 'DELETE', '/channels/tea', {}],
  [405, 'POST', '/channels/presence-a/users', { body: {} }], [405, 'GET', '/users/u1/terminate_connections', {}],
  [400, 'GET', '/channels', { params: { info: 'user_count' } }],
  [400, 'GET', '/channels', { params: { info: 'user_count', filter_by_prefix: 'private-' } }],
  [400, 'GET', '/channels/tea', { params: { info: 'user_count' } }],
  [400, 'GET', '/channels/tea', { params: { info: 'cache' } }],
  [400, 'GET', '/channels/tea', { params: { info: 'nonsense' } }],
  [400, 'GET', '/channels/tea/users', {}], [400, 'GET', '/channels/private-tea/users', {}],
  [400, 'GET', '/channels/a%20b', {}], [400, 'GET', `/channels/${'x'.repeat(201)}`, {}],
  [400, 'POST', '/events', { body: { channel: 'tea', data: 'x' } }, /^Expected name parameter to be a string$/],
  [400, 'POST', '/events', { body: { ...EVENT, name: 7 } }, /^Expected name parameter to be a string$/],
  [400, 'POST', '/events', { body: { ...EVENT, name: 'x'.repeat(201) } }],
  [400, 'POST', '/events', { body: { ...EVENT, name: 'pusher:ping' } }],
  [400, 'POST', '/events', { body: { ...EVENT, name: 'pusher_internal:member_added' } }],
  [400, 'POST', '/events', { body: { name: 'ev', channel: 'tea' } }],
  [400, 'POST', '/events', { body: { name: 'ev', data: 'x' } }],
  [400, 'POST', '/events', { body: { ...EVENT, channel: 'a b' } }],
  [400, 'POST', '/events', { body: { ...EVENT, channel: 7 } }],
  [400, 'POST', '/events', { body: { ...EVENT, channel: 'x'.repeat(201) } }],
  [400, 'POST', '/events', { body: { ...EVENT, channel: '#other' } }],
  [400, 'POST', '/events', { body: { name: 'ev', data: 'x', channels: [] } }],
  [400, 'POST', '/events', { body: { name: 'ev', data: 'x', channels: 'tea' } }],
  [400, 'POST', '/events', { body: { name: 'ev', data: 'x', channels: ['tea', 7] } }],
  [400, 'POST', '/events', { body: { name: 'ev', data: 'x', channels: many(101, (i) => `c${i}`) } }],
  [400, 'POST', '/events', { body: { ...EVENT, socket_id: 'x' } }],
  [400, 'POST', '/events', { body: { ...EVENT, socket_id: 7 } }],
  [400, 'POST', '/events', { body: '' }], [400, 'POST', '/events', { body: '[]' }],
  [400, 'POST', '/events', { body: '{' }],
  [400, 'POST', '/events', { body: '{"name":"a","name":"b","channel":"tea","data":"x"}' }],
  [400, 'POST', '/events', { body: `{"name":"a","channel":"tea","data":${'['.repeat(40)}${']'.repeat(40)}}` }],
  [400, 'POST', '/events', { body: Buffer.from('{"name":"a","channel":"tea","data":"\xff"}', 'latin1') }],
  [413, 'POST', '/events', { body: { ...EVENT, data: 'x'.repeat(10_241) } },
    /^The data content of this event exceeds the allowed maximum \(10240 bytes\)\./],
  [413, 'POST', '/events', { body: { ...EVENT, data: 'ü'.repeat(5121) } }],
  [400, 'POST', '/batch_events', { body: { batch: many(11, EVENT) } }],
  [400, 'POST', '/batch_events', { body: { batch: {} } }], [400, 'POST', '/batch_events', { body: {} }],
  [400, 'POST', '/batch_events', { body: { batch: [EVENT, {}] } }],
  [400, 'POST', '/batch_events', { body: { batch: [EVENT, { ...EVENT, channel: 'a b' }] } }],
  [413, 'POST', '/batch_events', { body: { batch: [EVENT, { ...EVENT, data: 'x'.repeat(10_241) }] } }],
];

channelTest('what is refused changes nothing, and has a status and a sentence', {}, async (server) => {
  const peer = await Peer.open(server);
  await peer.subscribe('tea');
  for (const [status, method, path, options, text = /./] of REFUSALS) {
    const answer = await call(server, method, path, options);
    const what = `${method} ${path} ${JSON.stringify(options).slice(0, 200)}: ${answer.body}`;
    assert.equal(answer.status, status, what);
    assert.match(answer.body, /^[^\n]+\n$/, what);
    assert.match(answer.body.trimEnd(), text);
    assert.match(answer.headers['content-type'], /^text\/plain/);
    if (status === 404) assert.equal(answer.body, '404 NOT FOUND\n');
    if (status === 405) assert.match(answer.headers.allow, /^[A-Z, ]+$/);
  }
  await backend(server).trigger('tea', 'marker', '');
  await peer.expect('marker', 'tea', '');
});

channelTest('limits are settings of the app', { settings: 'event_bytes_max=20KiB batch_max=20' }, async (server) => {
  const status = async (path, body) => (await call(server, 'POST', path, { body })).status;
  assert.equal(await status('/events', { ...EVENT, data: 'x'.repeat(20_480) }), 200);
  assert.equal(await status('/events', { ...EVENT, data: 'x'.repeat(20_481) }), 413);
  assert.equal(await status('/batch_events', { batch: many(20, EVENT) }), 200);
  assert.equal(await status('/batch_events', { batch: many(21, EVENT) }), 400);
});

/* The words by which tests of the official SDKs know what went wrong. */
channelTest('what is too large is told in the words that SDKs look for', {}, async (server) => {
  const sdk = backend(server);
  for (const [status, words, publish] of [
    [400, /^Batch too large/, () => sdk.triggerBatch(many(11, EVENT))],
    [413, /content of this event/, () => sdk.trigger('tea', 'ev', 'x'.repeat(11 * 1024))],
    [413, /content of this event/, () => sdk.triggerBatch([{ ...EVENT, data: 'x'.repeat(11 * 1024) }])],
  ]) {
    await assert.rejects(publish, (error) => error.status === status && words.test(error.body), `${words}`);
  }
});

const OFF = { id: '2001', key: 'key-of-off', secret: 's1' };
channelTest('an app that is not enabled gets 403', { args: appArgs('enabled=no', OFF) }, async (server) => {
  assert.equal((await call(server, 'POST', '/events', { app: OFF, body: EVENT })).status, 403);
  assert.equal((await call(server, 'GET', '/channels', { app: OFF })).status, 403);
  assert.equal((await call(server, 'GET', '/channels')).status, 200);
});
