/* tests/e2e/api_http.test.mjs - the HTTP below the API: bodies in pieces, requests one behind the other, refusals
 * before the body has come. */

import assert from 'node:assert/strict';
import http from 'node:http';
import { counters, until, untilNobody } from './support.mjs';
import { APP, backend, channelTest, openPeers, Peer, signedRequest } from './channels.mjs';
import { RawClient, request } from './raw.mjs';

function event(data, options) {
  return signedRequest('POST', '/events', { body: { name: 'ev', channel: 'tea', data }, ...options });
}

const getChannel = () => signedRequest('GET', '/channels/tea');
const bad = () => signedRequest('GET', '/channels', { spoil: { auth_signature: 'x' } });

async function listener(server) {
  const peer = await Peer.open(server);
  await peer.subscribe('tea');
  return peer;
}

channelTest('one connection serves many requests, refusals among them', { control: true }, async (server) => {
  const peer = await listener(server);
  for (const at of [server, server.control]) {
    const client = await RawClient.connect(at);
    for (let i = 0; i < 20; i++) {
      client.write(event(`${i}`));
      const answer = await client.answer();
      assert.deepEqual([answer.status, answer.body], [200, '{}']);
      assert.notEqual(answer.headers.connection, 'close');
      await peer.expect('ev', 'tea', `${i}`);
      for (const [status, bytes] of [
        [401, bad()], [405, signedRequest('GET', '/events')], [404, signedRequest('GET', '/nowhere')],
        [400, signedRequest('POST', '/events', { body: '{}' })], [413, event('x'.repeat(10_241))],
        [404, request('GET /apps/unknown/channels HTTP/1.1')], [200, getChannel()],
      ]) {
        client.write(bytes);
        assert.equal((await client.answer()).status, status);
      }
    }
    client.end();
    await client.ended();
  }
});

channelTest('the package may keep its connections', { control: true }, async (server) => {
  const peer = await listener(server);
  for (const at of [server, server.control]) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
    const sdk = backend(at, APP, agent);
    const before = (await counters(server)).connections_accepted;
    await Promise.all(Array.from({ length: 50 }, (_, i) => sdk.trigger('tea', 'ev', i)));
    const heard = [];
    for (let i = 0; i < 50; i++) heard.push(Number((await peer.next()).data));
    assert.deepEqual(heard.sort((a, b) => a - b), Array.from({ length: 50 }, (_, i) => i));
    assert.ok((await counters(server)).connections_accepted <= before + 2);
    agent.destroy();
  }
});

channelTest('pipelined requests are answered in order', { control: true }, async (server) => {
  const peer = await listener(server);
  for (const at of [server, server.control]) {
    const client = await RawClient.connect(at);
    const count = 50;
    client.write(Buffer.concat(Array.from({ length: count }, (_, i) => [
      event(`${i}`), getChannel(), bad(), signedRequest('GET', '/connections'),
    ]).flat()));
    for (let i = 0; i < count; i++) {
      assert.equal((await client.answer()).body, '{}');
      assert.equal((await client.answer()).body, '{"occupied":true}');
      assert.equal((await client.answer()).status, 401);
      assert.equal((await client.answer()).body, '{"connections":1}');
    }
    for (let i = 0; i < count; i++) await peer.expect('ev', 'tea', `${i}`);
    client.destroy();
  }
});

channelTest('a request may come in any pieces', { control: true }, async (server) => {
  const peer = await listener(server);
  for (const at of [server, server.control]) {
    const client = await RawClient.connect(at);
    await client.writeSlowly(event('byte by byte'));
    assert.equal((await client.answer()).status, 200);
    await peer.expect('ev', 'tea', 'byte by byte');
    const bytes = event('ü'.repeat(5000));
    const bodyAt = bytes.indexOf('\r\n\r\n') + 4;
    for (const cut of [1, bodyAt - 1, bodyAt, bodyAt + 1, bodyAt + 50, bytes.length - 1]) {
      client.write(bytes.subarray(0, cut));
      await new Promise((resolve) => { setTimeout(resolve, 20); });
      client.write(Buffer.concat([bytes.subarray(cut), getChannel()]));
      assert.equal((await client.answer()).status, 200);
      assert.equal((await client.answer()).body, '{"occupied":true}');
      await peer.expect('ev', 'tea', 'ü'.repeat(5000));
    }
    client.destroy();
  }
});

channelTest('who asks whether to go on is told so', { control: true }, async (server) => {
  const peer = await listener(server);
  for (const at of [server, server.control]) {
    const client = await RawClient.connect(at);
    for (let i = 0; i < 3; i++) {
      const bytes = event('waited', { headers: { Expect: '100-continue' } });
      const bodyAt = bytes.indexOf('\r\n\r\n') + 4;
      client.write(bytes.subarray(0, bodyAt));
      assert.equal((await client.answer()).status, 100);
      client.write(bytes.subarray(bodyAt));
      assert.equal((await client.answer()).status, 200);
      await peer.expect('ev', 'tea', 'waited');
    }
    const refused = event('not waited', { headers: { Expect: '100-continue' }, spoil: { auth_signature: 'x' } });
    client.write(refused.subarray(0, refused.indexOf('\r\n\r\n') + 4));
    assert.equal((await client.answer()).status, 401, 'instead of 100');
    client.destroy();
  }
});

channelTest('a body that will not be read is refused before it comes', { control: true }, async (server) => {
  const head = (target, length) => request(`POST ${target} HTTP/1.1`, { 'Content-Length': `${length}` });
  for (const at of [server, server.control]) {
    for (const [statuses, bytes] of [
      [[400, 401], head(`/apps/${APP.id}/events`, 1_000_000)],
      [[404], head('/apps/unknown/events', 1_000_000)],
      [[413], event('', { headers: { 'Content-Length': '2000000' } }).toString().split('\r\n\r\n')[0] + '\r\n\r\n'],
      [[413, 400, 401], head(`/apps/${APP.id}/events`, '99999999999')],
    ]) {
      const client = await RawClient.connect(at);
      client.write(bytes);
      const { status } = await client.answer();
      assert.ok(statuses.includes(status), `${status} to ${bytes}`);
      client.destroy();
    }
  }
});

channelTest('a body in chunks is read, or refused with 411 or 501', {}, async (server) => {
  const peer = await listener(server);
  const bytes = event('in chunks').toString();
  const [head, body] = bytes.split('\r\n\r\n');
  const client = await RawClient.connect(server);
  const chunked = head.replace(/Content-Length: \d+/, 'Transfer-Encoding: chunked');
  client.write(`${chunked}\r\n\r\n${(20).toString(16)}\r\n${body.slice(0, 20)}\r\n`);
  client.write(`${(body.length - 20).toString(16)}\r\n${body.slice(20)}\r\n0\r\n\r\n`);
  const { status } = await client.answer();
  assert.ok([200, 411, 501].includes(status), `${status}`);
  if (status === 200) await peer.expect('ev', 'tea', 'in chunks');
});

channelTest('HEAD is GET without a body, or not allowed', {}, async (server) => {
  const client = await RawClient.connect(server);
  client.write(signedRequest('HEAD', '/channels'));
  const answer = await client.answer({ head: true });
  assert.ok([200, 405].includes(answer.status), `${answer.status}`);
});

channelTest('many backends at once', { control: true }, async (server) => {
  const peers = await openPeers(server, 4);
  for (const peer of peers) await peer.subscribe('tea');
  await Promise.all(Array.from({ length: 40 }, async (_, i) => {
    const client = await RawClient.connect(i % 2 === 0 ? server : server.control);
    for (let round = 0; round < 25; round++) {
      client.write(event(`${i}:${round}`));
      assert.equal((await client.answer()).status, 200);
    }
    client.destroy();
  }));
  const heard = [];
  for (const peer of peers) {
    const datas = [];
    for (let i = 0; i < 1000; i++) datas.push((await peer.next()).data);
    heard.push(datas);
  }
  assert.equal(new Set(heard[0]).size, 1000);
  for (const datas of heard) assert.deepEqual(datas, heard[0], 'one order for all');
});

channelTest('backends that vanish leave nothing', { control: true }, async (server) => {
  const whole = event('x');
  for (const at of [server, server.control]) {
    for (const bytes of [whole, whole.subarray(0, 20), whole.subarray(0, -5), Buffer.concat(Array(50).fill(whole))]) {
      for (const way of ['end', 'reset', 'destroy']) {
        const client = await RawClient.connect(at);
        client.write(bytes);
        client[way]();
      }
    }
  }
  await Peer.open(server).then((peer) => peer.leave());
  await untilNobody(server);
  const client = await RawClient.connect(server.control);
  client.write(getChannel());
  assert.equal((await client.answer()).status, 200);
});

channelTest('control takes no WebSockets, and serves no page', { control: true }, async (server) => {
  await assert.rejects(Peer.open(server.control), /404|403|400|426|501/);
  const client = await RawClient.connect(server.control);
  client.write(request('GET /room/tea HTTP/1.1'));
  assert.equal((await client.answer()).status, 404);
  await until(async () => (await fetch(`${server.url}/up`)).ok, 'the public side to be well');
});
