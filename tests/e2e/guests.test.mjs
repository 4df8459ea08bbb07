/* tests/e2e/guests.test.mjs - guests: the server itself signs for people whom no backend knows, as pusher-js sees it;
 * and for nobody else. */

import assert from 'node:assert/strict';
import { appArgs, channelTest, listen, Peer, pusherClient, signIn, subscribe } from './channels.mjs';
import { guestOptions, newGuest, post } from './guests.mjs';
import { freePort } from './server.mjs';
import { serverTest, until } from './support.mjs';

const NAMES = ['Ann', 'Bén 🎉 "\\'];

function directChannel(...guests) {
  return `private-direct-${guests.map(({ id }) => id).sort().join(',')}`;
}

/* A guest with its client of pusher-js, signed in. */
async function arrive(server, name) {
  const guest = await newGuest(server, name);
  guest.client = pusherClient(server, guestOptions(server, guest));
  await signIn(guest.client);
  return guest;
}

/* --- what guests are granted -------------------------------------------------------------------------------------- */

/* A channelTest of a server that has an app and lets guests in, too. */
function guestTest(title, { args = [], ...options }, body) {
  channelTest(title, { ...options, args: ['--guests', ...args] }, body);
}

guestTest('guests see each other on a presence channel', {}, async (server) => {
  const guests = [];
  for (const name of NAMES) guests.push(await arrive(server, name));
  const added = [];
  for (const { client } of guests) {
    const channel = await subscribe(client, 'presence-room');
    added.push(listen(channel, 'pusher:member_added'));
    assert.equal(channel.members.me.id, guests[added.length - 1].id);
  }
  assert.deepEqual(await added[0].next(), { id: guests[1].id, info: { name: NAMES[1] } });
  const { members } = guests[1].client.channel('presence-room');
  assert.deepEqual(members.members, Object.fromEntries(guests.map(({ id, name }) => [id, { name }])));
});

guestTest('a guest comes back as the same one, with its token', {}, async (server) => {
  const { id, token } = await newGuest(server);
  assert.deepEqual((await post(server, '/guests', { token })).body, { id, token });
  const other = (await post(server, '/guests', { token: `${token.slice(0, -1)}x` })).body;
  assert.notEqual(other.id, id);
});

guestTest('an invitation leads two guests to a channel of their own', {}, async (server) => {
  const [ann, ben] = [await arrive(server, NAMES[0]), await arrive(server, NAMES[1])];
  const invitations = listen(ben.client.user, 'ringcast-direct');
  const name = directChannel(ann, ben);
  const mine = await subscribe(ann.client, name);
  const invitation = await invitations.next();
  assert.deepEqual(invitation, { channel: name, from: { id: ann.id, name: ann.name } });
  const yours = await subscribe(ben.client, invitation.channel);
  const heard = [listen(mine, 'client-msg'), listen(yours, 'client-msg')];
  const frames = listen(ben.client.connection, 'message');
  mine.trigger('client-msg', 'are you there?');
  assert.equal(await heard[1].next(), 'are you there?');
  assert.equal((await frames.next()).user_id, ann.id, 'the server says who it was, whatever the data says');
  yours.trigger('client-msg', 'yes');
  assert.equal(await heard[0].next(), 'yes');
});

/* --- what they are not -------------------------------------------------------------------------------------------- */

guestTest('nobody gets into what is not for guests, or for other guests', {}, async (server) => {
  const [ann, ben, eve] = [await newGuest(server), await newGuest(server), await arrive(server, 'Eve')];
  for (const name of [directChannel(ann, ben), 'private-room', `private-direct-${eve.id},${eve.id}`]) {
    const refused = listen(eve.client.subscribe(name), 'pusher:subscription_error');
    assert.match((await refused.next()).error, /^403 /, name);
  }
  const peer = await Peer.open(server);
  const ask = { socket_id: peer.socketId, name: 'Eve', channel_name: 'presence-room' };
  for (const token of [undefined, '', ann.id, `${ben.id}${ann.token.slice(ann.id.length)}`, `${ann.token}0`]) {
    const { status, body } = await post(server, '/guests/auth', { ...ask, token });
    assert.equal(status, 401, token);
    assert.match(body.error, /^The token/);
    assert.equal((await post(server, '/guests/signin', { ...ask, token })).status, 401);
  }
  const { body } = await post(server, '/guests/auth', { ...ask, token: ann.token, socket_id: '1.1' });
  peer.send('pusher:subscribe', { channel: 'presence-room', ...body });
  await peer.expectRefusal('presence-room');
});

guestTest('only pages of the server\'s own, and of --origin, may ask',
  { args: ['--origin', 'https://chat.example'] }, async (server) => {
    for (const [status, headers, body = '{}'] of [
      [200, {}],
      [200, { Origin: null }],
      [200, { Origin: 'https://chat.example' }],
      [403, { Origin: 'https://evil.example' }],
      [403, { Origin: 'null' }],
      [403, { Origin: `http://localhost:${server.port}` }],
      [415, { 'Content-Type': null }],
      [415, { 'Content-Type': 'text/plain' }],
      [415, { 'Content-Type': 'application/x-www-form-urlencoded' }],
      [405, { method: 'GET' }],
      [405, { method: 'OPTIONS', 'Access-Control-Request-Method': 'POST' }],
      [400, {}, ''],
      [400, {}, '"{}"'],
      [413, {}, `{"x":"${'x'.repeat(4096)}"}`],
      [413, { 'Content-Length': '1000000' }],
    ]) {
      const answer = await post(server, '/guests', body, headers);
      assert.equal(answer.status, status, JSON.stringify(headers));
      if (status !== 200) assert.match(answer.body.error, /^.{10,}$/);
      assert.equal(answer.headers['access-control-allow-origin'], undefined);
    }
  });

/* --- whether they may come ---------------------------------------------------------------------------------------- */

const everywhere = async () => ['--listen', `0.0.0.0:${await freePort()}`];

for (const [title, args, status, line] of [
  ['on loopback', async () => [], 200, /guests may sign in, because every address is on this machine and no app/],
  ['on loopback with an app', async () => appArgs(), 404, /guests are off: an app is given/],
  ['on loopback with --guests=no', async () => ['--guests=no'], 404, /guests are off, because of --guests=no/],
  ['where others can connect', everywhere, 404, /guests are off: not every address is on this machine/],
  ['where others can connect, with --guests', async () => [...await everywhere(), '--guests'], 200,
    /guests may sign in, because of --guests/],
]) {
  const outcome = status === 200 ? 'let in' : 'off';
  serverTest(`${title}, guests are ${outcome}, and the log says why`, args, async (server) => {
    await until(() => line.test(server.stderr()), 'the line in the log');
    for (const path of ['/guests', '/guests/auth', '/guests/signin']) {
      const answer = await post(server, path, {});
      assert.equal(answer.status, status === 404 ? 404 : path === '/guests' ? 200 : 401, path);
    }
  });
}

guestTest('an address for backends is not for guests', { control: true }, async (server) => {
  const answer = await fetch(`${server.control.url}/guests`, { headers: { Connection: 'close' } });
  assert.equal(answer.status, 404);
  assert.equal((await newGuest(server)).name, 'Ann');
});
