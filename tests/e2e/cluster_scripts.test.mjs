/* tests/e2e/cluster_scripts.test.mjs - the scripts that run inside Redis (server/cluster/scripts, where their manuals
 * are), by a user with no more rights than nodes need, each with nobody subscribed and with two. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { ROOT } from './program.mjs';
import { startRedis } from './redis.mjs';
import { runClosers } from './support.mjs';

const FOLDER = resolve(ROOT, 'server/cluster/scripts');
const RIGHTS = '+hello +auth +ping +client|setname +client|id +info +role +time +publish +spublish +subscribe ' +
  '+unsubscribe +ssubscribe +sunsubscribe +evalsha +script|load +xadd +xrange +xrevrange +hset +hget +hdel +hgetall ' +
  '+hincrby +set +get +del +pexpire +zadd +zscore +zrangebyscore +zrem +sadd +srem +smembers +sscan +hscan +hmget ' +
  '+hlen +wait +select ~ringcast:* &ringcast:*';
const NEVER = '9999999999999';    /* a deadline */

const key = (letter) => `ringcast:${letter}:{app:room}`;
const [STREAM, PUSHES, MEMBERS, COUNTS, LAST] = ['s', 'm', 'p', 'c', 'l'].map(key);
const receipt = (name) => `${key('k')}:${name}`;
let redis, admin, user;
const shas = {};

before(async () => {
  redis = await startRedis();
  admin = await redis.connect();
  await admin.call('ACL', 'SETUSER', 'node', 'on', '>secret', ...RIGHTS.split(' '));
  user = await redis.connect();
  await user.call('AUTH', 'node', 'secret');
  for (const file of readdirSync(FOLDER)) {
    shas[file.replace('.lua', '')] = await user.call('SCRIPT', 'LOAD', readFileSync(resolve(FOLDER, file)));
  }
});
after(runClosers);

/* ---- around them ------------------------------------------------------------------------------------------------- */

const run = (name, keys, args) => user.call('EVALSHA', shas[name], keys.length, ...keys, ...args);

async function takeUpTo(end, { messages }) {
  const taken = [];
  for (let push; (push = await messages.next()).channel !== end;) taken.push(push.data);
  return taken;
}

/* A test on an empty server, with nobody and with two subscribed. `told` is what each of these must have got since it
 * was asked last: the pushes, or a function that looks at them. */
function scriptTest(title, body) {
  for (const count of [0, 2]) {
    test(`${title} (${count})`, async () => {
      await admin.call('FLUSHALL');
      const readers = await Promise.all(Array.from({ length: count }, () => redis.connect()));
      for (const reader of readers) await reader.subscribe(PUSHES, 'end');
      const told = async (expected) => {
        await admin.call('PUBLISH', 'end', '');
        for (const reader of readers) {
          const pushes = await takeUpTo('end', reader);
          if (typeof expected === 'function') expected(pushes);
          else assert.deepEqual(pushes, expected);
        }
      };
      await body(told);
      await told([]);
      for (const reader of readers) reader.close();
    });
  }
}

const record = (n) => `node-one${String(n).padStart(8, '0')}text ${n}`;
const records = (from, count) => Array.from({ length: count }, (_, i) => record(from + i));

function publish(what, { keys = [], ...options } = {}) {
  const o = { deadline: NEVER, n: 1, hint: 0, maxlen: 1000, expire: 0, receiptMs: 600_000, lastMs: 1_800_000, marks: '',
    from: '', most: 10_000, ...options };
  return run('publish', [STREAM, ...keys], [o.deadline, o.n, o.hint, o.maxlen, PUSHES, 'PUBLISH', o.expire, o.receiptMs,
    o.lastMs, o.marks, o.from, o.most, ...what]);
}

/* What stands in the stream: { id, k } or { id, t, d }. */
async function stream() {
  const entries = await admin.call('XRANGE', STREAM, '-', '+');
  return entries.map(([id, [...words]]) => {
    const entry = { id };
    while (words.length > 0) entry[words.shift()] = words.shift();
    return entry;
  });
}

const epochOf = (id) => Number(id.split('-')[0]);
const idsOf = (entries) => entries.map(({ id }) => id);
const pushOf = ({ id, t, d }) => `${id} ${t} 1 ${d}`;
const isMessage = ({ d }) => d !== undefined;

async function timeMs() {
  const [seconds, micros] = await admin.call('TIME');
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
}

const LATE = { code: 'LATE' };

/* ---- PUBLISH ----------------------------------------------------------------------------------------------------- */

scriptTest('an epoch begins with a marker, now, and its messages with 1', async (told) => {
  const from = await timeMs();
  const [first] = await publish([record(1)]);
  const epoch = epochOf(first);
  assert.ok(epoch >= from && epoch <= await timeMs(), first);
  assert.deepEqual(await publish([record(2)], { hint: epoch }), [`${epoch}-2`]);
  assert.deepEqual(await publish([record(3)]), [`${epoch}-3`], 'without a hint');
  const [marker, ...messages] = await stream();
  assert.deepEqual(marker, { id: `${epoch}-0`, k: '' });
  assert.deepEqual(messages.map(({ id, d }) => [id, d]), [1, 2, 3].map((n) => [`${epoch}-${n}`, record(n)]));
  for (const { t } of messages) assert.ok(Number(t) >= epoch && Number(t) <= await timeMs(), t);
  await told(messages.map(pushOf));
});

scriptTest('a generation larger than now is the epoch, and a smaller one changes nothing', async (told) => {
  const n = await timeMs() + 1_000_000;
  assert.deepEqual(await publish([record(1)], { n }), [`${n}-1`]);
  assert.deepEqual(await publish([record(2)], { n: n - 5 }), [`${n}-2`]);
  assert.deepEqual(await publish([record(3)], { n: n + 1, hint: n }), [`${n + 1}-1`], 'the hint is of another life');
  assert.deepEqual(await publish([record(4)], { n: n + 1, hint: n + 1 }), [`${n + 1}-2`]);
  await told((await stream()).filter(isMessage).map(pushOf));
});

scriptTest('a hint that is too old costs nothing but time', async (told) => {
  const [first] = await publish([record(1)]);
  const epoch = epochOf(first);
  assert.deepEqual(await publish([record(2)], { hint: epoch - 1 }), [`${epoch}-2`]);
  assert.deepEqual(await publish([record(3)], { hint: 1 }), [`${epoch}-3`]);
  assert.deepEqual(idsOf(await stream()), [0, 1, 2, 3].map((offset) => `${epoch}-${offset}`));
  await told((await stream()).filter(isMessage).map(pushOf));
});

scriptTest('a hint that is too new, of a stream that was lost, begins an epoch that is newer still', async (told) => {
  const hint = await timeMs() + 1_000_000;
  const [first] = await publish([record(1)]);
  assert.ok(epochOf(first) < hint);
  assert.deepEqual(await publish([record(2)], { hint }), [`${hint + 1}-1`]);
  assert.deepEqual(await publish([record(3)], { hint: hint + 1 }), [`${hint + 1}-2`]);
  assert.deepEqual(idsOf(await stream()).slice(-4),
    [`${hint}-0`, `${hint + 1}-0`, `${hint + 1}-1`, `${hint + 1}-2`]);
  assert.deepEqual(await publish([record(2)], { from: first }), [`${hint + 1}-1`],
    'a repeat does not take an entry of offset 0 for it');
  await told((await stream()).filter(({ id, d }) => d && !id.endsWith('-0')).map(pushOf));
});

scriptTest('a stream that was deleted begins anew, also with a hint', async (told) => {
  const [first] = await publish([record(1)]);
  const [lost] = (await stream()).filter(isMessage);
  await admin.call('DEL', STREAM);
  const [second] = await publish([record(2)], { hint: epochOf(first), n: epochOf(first) + 1 });
  assert.ok(epochOf(second) > epochOf(first), second);
  await admin.call('DEL', STREAM);
  const [third] = await publish([record(3)], { hint: epochOf(second), n: epochOf(second) });
  assert.ok(epochOf(third) > epochOf(second), third);
  assert.deepEqual(idsOf(await stream()), [`${epochOf(third)}-0`, `${epochOf(third)}-1`]);
  await told((pushes) => {
    assert.equal(pushes[0], pushOf(lost));
    assert.deepEqual(pushes.map((push) => push.split(' ')[0]), [first, second, third]);
  });
});

scriptTest('after its deadline nothing is done', async (told) => {
  const now = await timeMs();
  await assert.rejects(publish([record(1)], { deadline: now - 1 }), LATE);
  await assert.rejects(publish([record(1)], { deadline: now - 1, from: '-' }), LATE);
  assert.deepEqual(await admin.call('KEYS', '*'), []);
  await publish([record(1)], { deadline: now + 60_000 });
  await told((await stream()).filter(isMessage).map(pushOf));
});

scriptTest('64 records have ids one behind the other and are one push', async (told) => {
  const ids = await publish(records(1, 64));
  const hint = epochOf(ids[0]);
  ids.push(...await publish(records(65, 64), { hint }));
  assert.deepEqual(ids, records(1, 128).map((_, i) => `${hint}-${i + 1}`));
  const messages = (await stream()).filter(isMessage);
  assert.deepEqual(messages.map(({ d }) => d), records(1, 128));
  await told([0, 64].map((at) => `${ids[at]} ${messages[at].t} 64 ${records(1 + at, 64).join('')}`));
});

scriptTest('a repeat finds what is there, does only what is not, and answers as the first time', async (told) => {
  const ids = await publish(records(1, 300));
  const hint = epochOf(ids[0]), from = `${hint}-0`;
  await told(([push]) => assert.match(push, / 300 /));
  assert.deepEqual(await publish(records(1, 64), { from, hint }), ids.slice(0, 64));
  assert.deepEqual(await publish(records(237, 64), { from, hint }), ids.slice(236), 'some way behind');
  assert.deepEqual(await publish([record(300)], { from: '-' }), [ids[299]]);
  await told([]);
  assert.deepEqual(await publish([record(1)], { from: ids[0], hint }), [`${hint}-301`], 'that is where it begins');
  assert.deepEqual(await publish([record(300), record(400)], { from: ids[298], hint }), [ids[299], `${hint}-302`]);
  assert.deepEqual(await publish([record(401)], { from: `${hint}-302` }), [`${hint}-303`]);
  await told((await stream()).slice(-3).map(pushOf));
});

scriptTest('a repeat does what was lost with the stream', async (told) => {
  const [id] = await publish([record(1)]);
  await admin.call('DEL', STREAM);
  const [again] = await publish([record(1)], { from: `${epochOf(id)}-0`, hint: epochOf(id), n: epochOf(id) + 1 });
  assert.ok(epochOf(again) > epochOf(id));
  await told((pushes) => assert.deepEqual(pushes.map((push) => push.split(' ')[0]), [id, again]));
});

scriptTest('a repeat looks no further than it may, and then does nothing', async (told) => {
  const ids = await publish(records(1, 300));
  const from = `${epochOf(ids[0])}-0`;
  await told((pushes) => assert.equal(pushes.length, 1));
  await assert.rejects(publish([record(301)], { from, most: 299 }), { code: 'FAR' });
  await assert.rejects(publish([record(300)], { from, most: 299 }), { code: 'FAR' });
  assert.deepEqual(await publish([record(299)], { from, most: 299 }), [ids[298]]);
  assert.equal((await stream()).length, 301);
});

scriptTest('a key is published once, within a call too', async (told) => {
  const keys = [LAST, receipt('a'), receipt('b')];
  const ids = await publish(records(1, 3), { marks: '101', keys });
  assert.deepEqual(await publish(records(4, 3), { marks: '110', keys: [LAST, receipt('b'), receipt('a')] }),
    [`=${ids[2]}`, `=${ids[0]}`, `${epochOf(ids[0])}-4`]);
  assert.deepEqual(await publish(records(7, 2), { marks: '11', keys: [LAST, receipt('c'), receipt('c')] }),
    [`${epochOf(ids[0])}-5`, `=${epochOf(ids[0])}-5`]);
  assert.deepEqual(await publish([record(1)], { marks: '1', keys: [LAST, receipt('d')], from: '-' }), [ids[0]],
    'also if it was found by its token');
  assert.deepEqual(await publish([record(1)], { marks: '1', keys: [LAST, receipt('a')], from: '-' }), [ids[0]]);
  const left = await admin.call('PTTL', receipt('a'));
  assert.ok(left > 0 && left <= 600_000);
  const messages = (await stream()).filter(isMessage);
  assert.deepEqual(messages.map(({ d }) => d), [1, 2, 3, 6, 7].map(record));
  await told([`${ids[0]} ${messages[0].t} 3 ${records(1, 3).join('')}`, ...messages.slice(3).map(pushOf)]);
});

scriptTest('the last event of a cache channel is kept as it is pushed', async (told) => {
  await publish(records(1, 4), { marks: '0220', keys: [LAST], lastMs: 5000 });
  const messages = (await stream()).filter(isMessage);
  assert.equal(await admin.call('GET', LAST), pushOf(messages[2]));
  const left = await admin.call('PTTL', LAST);
  assert.ok(left > 0 && left <= 5000);
  await publish([record(5)], { marks: '3', keys: [LAST, receipt('a')] });
  const kept = await admin.call('GET', LAST);
  await publish([record(6)], { marks: '3', keys: [LAST, receipt('a')] });
  assert.equal(await admin.call('GET', LAST), kept, 'a repeat is not the last event');
  await told((pushes) => {
    assert.equal(pushes.length, 2);
    assert.equal(pushes[1], kept);
  });
});

scriptTest('a history forgets by number, roughly, and as a whole by time', async (told) => {
  const [id] = await publish(records(1, 8), { maxlen: 10 });
  let n = 9;
  for (const hint of [epochOf(id), 0]) {
    for (const end = n + 400; n < end; n += 8) await publish(records(n, 8), { maxlen: 10, hint });
    const kept = await stream();
    assert.ok(kept.length >= 10 && kept.length <= 10 + 100 + 8, kept.length);
    assert.equal(kept.at(-1).id, `${epochOf(id)}-${n - 1}`);
  }
  assert.equal(await admin.call('PTTL', STREAM), -1);
  await publish([record(n)], { expire: 60_000 });
  const left = await admin.call('PTTL', STREAM);
  assert.ok(left > 0 && left <= 60_000);
  await told((pushes) => assert.equal(pushes.length, 1 + 100 + 1));
});

test('bytes of all kinds come through', async () => {
  await admin.call('FLUSHALL');
  const client = await redis.connect({ isBinary: true }), reader = await redis.connect({ isBinary: true });
  await reader.subscribe(PUSHES);
  const bytes = Buffer.from(Array.from({ length: 1024 }, (_, at) => at & 255));
  const args = [NEVER, 1, 0, 10, PUSHES, 'PUBLISH', 0, 1, 1, '', '', 10, bytes];
  const [id] = await client.call('EVALSHA', shas.publish, 1, STREAM, ...args);
  const { data } = await reader.messages.next();
  const front = data.indexOf(' 1 ') + 3;
  assert.deepEqual(data.subarray(front), bytes);
  assert.match(data.subarray(0, front).toString(), /^\d{13}-1 \d{13} 1 $/);
  args[10] = '-';
  assert.deepEqual(await client.call('EVALSHA', shas.publish, 1, STREAM, ...args), [id]);
  reader.close();
});

test('in a cluster the push is one of the slot', async () => {
  await admin.call('FLUSHALL');
  const reader = await redis.connect();
  await reader.ssubscribe(PUSHES);
  const tell = [PUSHES, 'SPUBLISH'];
  await run('publish', [STREAM], [NEVER, 1, 0, 10, ...tell, 0, 1, 1, '', '', 10, record(1)]);
  await run('plain', [LAST], [NEVER, ...tell, 1, 1, '0', record(2)]);
  await run('join', [MEMBERS], [NEVER, 'one', 'ann', '{}', ...tell]);
  await run('leave', [MEMBERS], [NEVER, 'one', ...tell, 'ann']);
  await run('count', [COUNTS], [NEVER, 'one', 1, ...tell]);
  const pushes = await reader.messages.take(5, 'the pushes');
  assert.deepEqual(pushes.map(({ data }) => data.replace(/\d{13,}/g, 'N')), [`N-1 N 1 ${record(1)}`,
    `0-0 0 1 ${record(2)}`, '+ N 1 3 ann 2 {}', '- N 1 3 ann ', '= 1 ']);
  reader.close();
});

/* ---- without memory ---------------------------------------------------------------------------------------------- */

async function memory(name) {
  return Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(await admin.call('INFO', 'memory'))[1]);
}

scriptTest('a full server refuses the whole of a call', async (told) => {
  const [id] = await publish([record(1)]);
  await told((pushes) => assert.equal(pushes.length, 1));
  await admin.call('CONFIG', 'SET', 'maxmemory', String(Math.floor(await memory('used_memory') / 2)));
  try {
    const oom = { code: 'OOM' }, keys = [LAST, receipt('a')];
    await assert.rejects(publish(records(2, 64), { hint: epochOf(id), marks: '1'.padEnd(64, '0'), keys }), oom);
    await assert.rejects(plain([record(2)], { marks: '3', keys }), oom);
    await assert.rejects(join('one', 'ann'), oom);
    await assert.rejects(count('one', 1), oom);
  } finally {
    await admin.call('CONFIG', 'SET', 'maxmemory', '0');
  }
  assert.equal((await stream()).length, 2);
  assert.deepEqual(await admin.call('KEYS', '*'), [STREAM]);
});

scriptTest('what fills a server while a call runs does not stop it half way', async (told) => {
  await publish([record(1)]);
  const limit = await memory('used_memory') + 9_000_000;
  await admin.call('CONFIG', 'SET', 'maxmemory', String(limit));
  const large = records(2, 64).map((text) => text.padEnd(100_000, 'x'));    /* on its way, and in the stream */
  try {
    const ids = await publish(large);
    assert.equal(ids.length, 64);
    assert.ok(await memory('used_memory_peak') > limit);
  } finally {
    await admin.call('CONFIG', 'SET', 'maxmemory', '0');
  }
  assert.equal((await stream()).length, 66);
  await told((pushes) => assert.ok(pushes[1].length > 6_400_000));
});

/* ---- PLAIN ------------------------------------------------------------------------------------------------------- */

function plain(what, { keys = [LAST], deadline = NEVER, marks = '0'.repeat(what.length) } = {}) {
  return run('plain', keys, [deadline, PUSHES, 'PUBLISH', 600_000, 1_800_000, marks, ...what]);
}

scriptTest('without a history a key is published once, and the last event is kept', async (told) => {
  const keys = [LAST, receipt('a'), receipt('b'), receipt('a')];
  assert.deepEqual(await plain(records(1, 4), { keys, marks: '1031' }), [1, 1, 1, 0]);
  await told([`0-0 0 3 ${records(1, 3).join('')}`]);
  assert.equal(await admin.call('GET', LAST), `0-0 0 1 ${record(3)}`);
  assert.deepEqual(await plain([record(5)], { keys, marks: '3' }), [0]);
  assert.equal(await admin.call('GET', LAST), `0-0 0 1 ${record(3)}`);
  const left = await admin.call('PTTL', receipt('a'));
  assert.ok(left > 0 && left <= 600_000);
  await assert.rejects(plain([record(6)], { deadline: await timeMs() - 1 }), LATE);
  assert.deepEqual(await plain(records(7, 2), { marks: '20' }), [1, 1]);
  assert.equal(await admin.call('GET', LAST), `0-0 0 1 ${record(7)}`);
  await told([`0-0 0 2 ${records(7, 2).join('')}`]);
});

/* ---- OPEN, GENERATION -------------------------------------------------------------------------------------------- */

scriptTest('OPEN tells the last id, and makes what is not there', async (told) => {
  const open = (n, expire = 0) => run('open', [STREAM], [n, expire]);
  const from = await timeMs();
  const first = await open(1);
  assert.ok(epochOf(first) >= from && first.endsWith('-0'), first);
  assert.equal(await open(1, 1000), first);
  assert.equal(await admin.call('PTTL', STREAM), -1);
  const [id] = await publish([record(1)], { hint: epochOf(first) });
  assert.equal(id, `${epochOf(first)}-1`);
  assert.equal(await open(epochOf(first)), id);
  const n = epochOf(first) + 1_000_000;
  assert.equal(await open(n, 60_000), `${n}-0`, 'the epoch is over');
  assert.ok(await admin.call('PTTL', STREAM) > 0);
  assert.deepEqual(await publish([record(2)], { hint: n, n }), [`${n}-1`]);
  await told((await stream()).filter(isMessage).map(pushOf));
});

scriptTest('a generation is the same for all in one life of the server, and larger in the next', async () => {
  const GEN = 'ringcast:g:{0}';
  const generation = (id, known = '') => run('generation', [GEN], [id, known]);
  const from = await timeMs();
  const first = await generation('life1');
  assert.ok(Number(first) >= from && Number(first) <= await timeMs());
  assert.equal(await generation('life1'), first);
  assert.equal(await generation('life1', '5'), first, 'the larger one counts');
  const second = await generation('life2', first);
  assert.ok(Number(second) > Number(first));
  await admin.call('DEL', GEN);
  assert.equal(await generation('life2', second), second, 'emptied, and still the same life');
  await admin.call('HSET', GEN, 'id', 'life3', 'n', `${Number(second) + 1_000_000}`);
  assert.equal(await generation('life4'), `${Number(second) + 1_000_001}`, 'whatever the clock says');
});

/* ---- JOIN, LEAVE ------------------------------------------------------------------------------------------------- */

function join(node, id, { info = '{}', deadline = NEVER } = {}) {
  return run('join', [MEMBERS], [deadline, node, id, info, PUSHES, 'PUBLISH']);
}

function leave(node, ids, { deadline = NEVER } = {}) {
  return run('leave', [MEMBERS], [deadline, node, PUSHES, 'PUBLISH', ...ids]);
}

async function members() {
  const words = await admin.call('HGETALL', MEMBERS), all = {};
  while (words.length > 0) all[words.shift()] = words.shift();
  return all;
}

scriptTest('a member comes once and goes once, over all nodes', async (told) => {
  const from = await timeMs() * 1000;
  assert.equal(await join('one', 'ann', { info: '{"a":"| two "}' }), 2);
  assert.equal(await join('one', 'ann'), 0);
  assert.equal(await join('two', 'ann', { info: 'other' }), 1);
  assert.equal(await join('three', 'ann'), 1);
  assert.equal(await join('thr', 'ann'), 1);
  assert.equal(await join('thr', 'ann'), 0);
  assert.equal(await join('two', 'ann'), 0);
  const { '': version, ann } = await members();
  assert.equal(ann, ' thr three two one |{"a":"| two "}');
  assert.ok(Number(version) > from && version.length === 16, version);
  assert.deepEqual(await leave('two', ['ann', 'ann', 'bob', '']), [1, 0, 0, 0]);
  assert.deepEqual(await leave('one', ['ann']), [1]);
  assert.deepEqual(await leave('thr', ['ann']), [1]);
  assert.deepEqual(await leave('thr', ['ann']), [0]);
  assert.equal(await join('thr', 'ann'), 1);
  assert.deepEqual(await leave('thr', ['ann']), [1]);
  assert.equal((await members()).ann, ' three |{"a":"| two "}');
  assert.deepEqual(await leave('three', ['ann']), [2]);
  assert.deepEqual(await leave('three', ['ann']), [0]);
  assert.deepEqual(await members(), {});
  await told([`+ ${version} 1 3 ann 14 {"a":"| two "}`, `- ${Number(version) + 1} 1 3 ann `]);
});

scriptTest('each change has the next version, also many in one call, also behind a loss', async (told) => {
  const ids = Array.from({ length: 500 }, (_, i) => `user ${i}`);
  await join('one', 'stays');
  const { '': first } = await members();
  for (const id of ids) await join('one', id);
  await told((pushes) => {
    assert.deepEqual(pushes.map((push) => push.split(' ')[1]), pushes.map((_, i) => String(Number(first) + i)));
  });
  assert.deepEqual(await leave('one', ids), ids.map(() => 2));
  const swept = ids.map((id) => `${id.length} ${id} `).join('');
  await told([`- ${Number(first) + 501} 500 ${swept}`]);
  const { '': last } = await members();
  assert.equal(Number(last), Number(first) + 1000);
  await admin.call('DEL', MEMBERS);
  assert.equal(await join('one', 'back'), 2);
  await told(([push]) => assert.ok(Number(push.split(' ')[1]) > Number(last), push));
});

scriptTest('a hash that lost its version keeps its members', async (told) => {
  await join('one', 'ann');
  await join('one', 'bob');
  await admin.call('HDEL', MEMBERS, '');
  assert.deepEqual(await leave('one', ['ann']), [2]);
  assert.equal((await members()).bob, ' one |{}');
  await admin.call('HDEL', MEMBERS, '');
  assert.deepEqual(await leave('one', ['bob']), [2]);
  assert.deepEqual(await members(), {});
  await told((pushes) => assert.equal(pushes.length, 4));
});

scriptTest('who comes or goes too late does not', async () => {
  const deadline = await timeMs() - 1;
  await assert.rejects(join('one', 'ann', { deadline }), LATE);
  await assert.rejects(leave('one', ['ann'], { deadline }), LATE);
  await assert.rejects(count('one', 1, { deadline }), LATE);
  assert.deepEqual(await admin.call('KEYS', '*'), []);
});

/* ---- COUNT ------------------------------------------------------------------------------------------------------- */

function count(node, number, { deadline = NEVER } = {}) {
  return run('count', [COUNTS], [deadline, node, number, PUSHES, 'PUBLISH']);
}

scriptTest('subscribers are counted by node, and one node learns of the first and the last', async (told) => {
  assert.deepEqual(await count('one', 0), [0, 0]);
  assert.deepEqual(await count('one', 3), [0, 3]);
  assert.deepEqual(await count('two', 4), [3, 7]);
  assert.deepEqual(await count('two', 4), [7, 7]);
  assert.deepEqual(await count('one', 100_000), [7, 100_004]);
  assert.deepEqual(await count('three', 0), [100_004, 100_004]);
  assert.deepEqual(await count('one', 0), [100_004, 4]);
  assert.deepEqual(await count('one', 0), [4, 4]);
  assert.deepEqual(await count('two', 0), [4, 0]);
  assert.deepEqual(await count('two', 0), [0, 0]);
  assert.equal(await admin.call('EXISTS', COUNTS), 0);
  await told([3, 7, 100_004, 4, 0].map((sum) => `= ${sum} `));
});

/* ---- RENEW, RETIRE ----------------------------------------------------------------------------------------------- */

const NODES = ['ringcast:{nodes}', 'ringcast:{nodes}:about'];
const renew = (node, ms = 60_000, about = '', most = 1000) => run('renew', NODES, [node, ms, about, most]);
const retire = (node, isItself) => run('retire', NODES, [node, isItself ? 1 : 0]);

scriptTest('a lease is renewed while it runs; who has ended is told to all and retired by one', async () => {
  const from = await timeMs();
  const [was, now, over, live] = await renew('one', 60_000, 'about one');
  assert.deepEqual([was, over, live], [0, [], ['one']]);
  assert.ok(Number(now) >= from && Number(now) <= await timeMs());
  assert.deepEqual((await renew('one'))[0], 1);
  await renew('two', 120_000, 'about two');
  await renew('gone', -20_000, 'about gone');
  await renew('gone before', -50_000);
  assert.deepEqual((await renew('one')).slice(2), [['gone before', 'gone'], ['one', 'two']]);
  assert.deepEqual((await renew('one', 60_000, '', 1)).slice(2), [['gone before'], ['one']]);
  assert.equal((await renew('gone before', -50_000))[0], 0, 'a lease that is over is none');
  assert.equal(await retire('two', false), 0, 'it lives');
  assert.equal(await retire('gone', false), 1);
  assert.equal(await retire('gone', false), 0);
  assert.equal(await retire('two', true), 1);
  assert.deepEqual((await renew('one')).slice(2), [['gone before'], ['one']]);
  assert.deepEqual(await admin.call('HGETALL', NODES[1]), ['one', 'about one']);
});
