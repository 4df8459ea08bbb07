/* tests/e2e/tls.test.mjs - TLS with its real counterparts: openssl s_client, gnutls-cli, curl and node. What is
 * agreed on and what is refused, resumption, names, chains, client certificates, and how a session ends. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import tls from 'node:tls';
import { APP, appArgs, md5, openPeers, signedRequest, signedTarget } from './channels.mjs';
import { freePort, startServer } from './server.mjs';
import { counters, until, untilCounters, untilNobody } from './support.mjs';
import {
  ca, chainPair, curl, ECDSA, GET_UP, gnutlsAsks, KEPT_UP, makePair, pairOf, pathOf, run, sClient, sClientAsks,
  textUntilEnd, tlsSocket, tlsTest, Tool,
} from './tls.mjs';

const RSA = pairOf('rsa', { kind: 'rsa' });
/* A file of these lines; its path. */
function writeKeys(name, ...keys) {
  writeFileSync(pathOf(name), keys.map((key) => `${key}\n`).join(''), { mode: 0o600 });
  return pathOf(name);
}

const UP = /HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nOK\n/;
const CLEAN_END = /\nclosed\n$/;

/* Some of the counters, as an object. */
const pick = (now, ...names) => Object.fromEntries(names.map((name) => [name, now[name]]));

/* --- versions and suites ------------------------------------------------------------------------------------------ */

const AGREED = [
  ...['ECDSA', 'RSA'].flatMap((kind) => ['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305']
    .map((suite) => [`ECDHE-${kind}-${suite}`, '-tls1_2', '-cipher', `ECDHE-${kind}-${suite}`])),
  ...['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256']
    .map((suite) => [suite, '-tls1_3', '-ciphersuites', suite]),
  ['TLS_AES_256_GCM_SHA384', '-tls1_3', '-groups', 'P-256'],
  ['TLS_AES_256_GCM_SHA384', '-tls1_3', '-groups', 'P-384'],
  ['TLS_AES_256_GCM_SHA384', '-tls1_3', '-groups', 'P-521:X25519'],    /* told to try again: HelloRetryRequest */
  ['TLS_AES_256_GCM_SHA384', '-tls1_3', '-sigalgs', 'RSA-PSS+SHA256'],
  ['TLS_AES_256_GCM_SHA384', '-tls1_3', '-max_send_frag', '512'],
  ['ECDHE-ECDSA-AES128-GCM-SHA256', '-tls1_2', '-groups', 'P-521:P-256'],
  ['ECDHE-RSA-AES128-GCM-SHA256', '-tls1_2', '-groups', 'P-384'],    /* which the other key is not on */
  ['ECDHE-ECDSA-AES128-GCM-SHA256', '-tls1_2', '-cipher', 'AES256-SHA:ECDHE-ECDSA-AES256-GCM-SHA384:ALL'],
];

tlsTest('openssl s_client agrees on what is good', { pairs: [ECDSA, RSA] }, async (server, secure) => {
  for (const [suite, ...args] of AGREED) {
    const { code, output } = await sClientAsks(secure, '-verify_return_error', ...args);
    const version = args[0] === '-tls1_3' ? '1\\.3' : '1\\.2';
    assert.match(output, new RegExp(`New, TLSv${version}, Cipher is ${suite}\\n`), args.join(' '));
    assert.match(output, /Verify return code: 0 \(ok\)/);
    assert.match(output, UP);
    assert.match(output, CLEAN_END, 'close_notify came before the end');
    assert.equal(code, 0, output);
  }
  const now = await counters(server);
  assert.deepEqual(pick(now, 'tls_handshakes', 'tls_failed', 'tls_resumed'),
    { tls_handshakes: AGREED.length, tls_failed: 0, tls_resumed: 0 });
});

const ANY = ':@SECLEVEL=0';
const REFUSED = [
  [/protocol version|no protocols|handshake failure/, '-tls1', '-cipher', `ALL${ANY}`],
  [/protocol version|no protocols|handshake failure/, '-tls1_1', '-cipher', `ALL${ANY}`],
  ...[
    'AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'AES128-SHA', 'AES256-SHA256', 'ECDHE-RSA-AES128-SHA',
    'ECDHE-RSA-AES128-SHA256', 'ECDHE-RSA-AES256-SHA384', 'ECDHE-ECDSA-AES128-SHA', 'ECDHE-ECDSA-AES128-SHA256',
    'DHE-RSA-AES128-GCM-SHA256', 'DHE-RSA-AES256-SHA', 'AES128-CCM', 'ECDHE-ECDSA-AES128-CCM8', 'CAMELLIA128-SHA',
    'aNULL', 'eNULL', 'PSK',
  ].map((suite) => [/handshake failure/, '-tls1_2', '-cipher', `${suite}${ANY}`,
    ...(suite === 'PSK' ? ['-psk', '00112233'] : [])]),
  [/handshake failure/, '-tls1_3', '-ciphersuites', 'TLS_AES_128_CCM_SHA256'],
  [/handshake failure/, '-tls1_3', '-groups', 'P-521'],
  [/handshake failure/, '-tls1_3', '-groups', 'X448'],
  [/handshake failure/, '-tls1_2', '-sigalgs', 'ECDSA+SHA1:RSA+SHA1', '-cipher', `ALL${ANY}`],
  [/no application protocol/, '-tls1_2', '-alpn', 'h2'],
  [/no application protocol/, '-tls1_3', '-alpn', 'h2'],
  [/no application protocol/, '-tls1_3', '-alpn', 'http/1.0,h3'],
];

tlsTest('with --tls-min-version 1.3 clients of 1.2 are refused by alert', { args: ['--tls-min-version', '1.3'],
  shards: [1] }, async (server, secure) => {
  const { code, output } = await sClientAsks(secure, '-tls1_2');
  assert.match(output, /protocol version/);
  assert.notEqual(code, 0);
  assert.match((await sClientAsks(secure, '-tls1_3')).output, UP);
  assert.match((await sClientAsks(secure)).output, UP);
  assert.deepEqual(pick(await counters(server), 'tls_handshakes', 'tls_failed'), { tls_handshakes: 2, tls_failed: 1 });
});

tlsTest('openssl s_client is refused what is weak, by alert', { pairs: [RSA, ECDSA] }, async (server, secure) => {
  for (const [alert, ...args] of REFUSED) {
    const { code, output } = await sClientAsks(secure, ...args);
    assert.match(output, new RegExp(`alert (${alert.source})`), `${args.join(' ')}: ${output}`);
    assert.doesNotMatch(output, /HTTP\/1/);
    assert.notEqual(code, 0);
  }
  await sClientAsks(secure);
  const now = await untilCounters(server, (counted) => counted.connections_open === 0, 'nobody to be left');
  assert.deepEqual(pick(now, 'tls_handshakes', 'tls_failed', 'closed_tls_broken'),
    { tls_handshakes: 1, tls_failed: REFUSED.length, closed_tls_broken: REFUSED.length });
});

tlsTest('ALPN: http/1.1 is agreed on, or nothing', {}, async (server, secure) => {
  for (const version of ['-tls1_2', '-tls1_3']) {
    for (const offer of ['http/1.1', 'h2,http/1.1', 'http/1.1,h2']) {
      const { output } = await sClientAsks(secure, version, '-alpn', offer);
      assert.match(output, /ALPN protocol: http\/1\.1\n/);
      assert.match(output, UP);
    }
    assert.match((await sClientAsks(secure, version)).output, /No ALPN negotiated/);
  }
});

/* --- resumption --------------------------------------------------------------------------------------------------- */

for (const version of ['-tls1_2', '-tls1_3']) {
  tlsTest(`openssl s_client takes a session up again: ${version}`, {}, async (server, secure) => {
    const session = pathOf(`session${version}`), rounds = 12;
    const { output } = await sClientAsks(secure, version, '-sess_out', session);
    assert.match(output, /^New, /m);
    for (let i = 0; i < rounds; i++) {    /* each on whichever shard gets it */
      const again = await sClientAsks(secure, version, '-sess_in', session, '-sess_out', session);
      assert.match(again.output, /^Reused, /m);
      assert.match(again.output, UP);
      assert.match(again.output, CLEAN_END);
    }
    assert.deepEqual(pick(await counters(server), 'tls_handshakes', 'tls_resumed', 'tls_failed'),
      { tls_handshakes: rounds + 1, tls_resumed: rounds, tls_failed: 0 });
  });
}

/* Of a server that is gone to the next one with the same file, and to one whose file has the key no longer in front. */
tlsTest('a session goes on after a restart where ticket keys are kept', { shards: [2],
  args: () => ['--tls-ticket-keys', writeKeys('keys', 'a'.repeat(64))] }, async (server, secure) => {
  const sessions = ['-tls1_2', '-tls1_3'].map((version) => [version, pathOf(`kept${version}`)]);
  for (const [version, file] of sessions) await sClientAsks(secure, version, '-sess_out', file);
  await server.stop();
  for (const [keys, resumed] of [['a', true], ['ba', true], ['b', false]]) {
    const port = await freePort();
    const file = writeKeys('keys', ...[...keys].map((letter) => letter.repeat(64)));
    const next = await startServer(['--tls-listen', `127.0.0.1:${port}`, '--tls-cert', ECDSA.cert, '--tls-key',
      ECDSA.key, '--tls-ticket-keys', file]);
    for (const [version, session] of sessions) {
      const { output } = await sClientAsks({ port }, version, '-sess_in', session);
      assert.match(output, resumed ? /^Reused, /m : /^New, /m, `${version}, ${keys}`);
      assert.match(output, UP);
    }
    /* Read again, as certificates are: */
    writeKeys('keys', 'a'.repeat(64));
    process.kill(next.pid, 'SIGHUP');
    await until(() => /the certificates were read again/.test(next.stderr()), 'word of it');
    const { output } = await sClientAsks({ port }, '-tls1_3', '-sess_in', sessions[1][1]);
    assert.match(output, /^Reused, /m);
    writeKeys('keys', 'none');
    process.kill(next.pid, 'SIGHUP');
    await until(() => /reload: refused, everything stays as it was: Line 1 of /.test(next.stderr()), 'a refusal');
    assert.match((await sClientAsks({ port }, '-tls1_3', '-sess_in', sessions[1][1])).output, /^Reused, /m);
    await next.stop();
  }
});

tlsTest('a ticket that was tampered with is no ticket, and no harm', {}, async (server, secure) => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) {
    const tickets = [];
    const first = await tlsSocket(secure, { maxVersion });
    first.on('session', (ticket) => tickets.push(ticket));
    first.write(GET_UP);
    assert.match(await textUntilEnd(first), UP);
    const session = maxVersion === 'TLSv1.2' ? first.getSession() : tickets.at(-1);
    const good = await tlsSocket(secure, { maxVersion, session });
    assert.equal(good.isSessionReused(), true);
    good.destroy();
    /* The ticket stands in the ASN.1 of the session, behind the name of its key. */
    const at = session.indexOf(Buffer.from('04', 'hex'), session.length - 60);
    const spoilt = Buffer.from(session);
    spoilt[at + 20] ^= 1;
    const bad = await tlsSocket(secure, { maxVersion, session: spoilt }).catch(() => null);
    bad?.write(GET_UP);
    if (bad) assert.match(await textUntilEnd(bad), UP);
  }
});

/* --- certificates ------------------------------------------------------------------------------------------------- */

const NAMED = {
  first: pairOf('first', { names: 'DNS:first.example' }),
  a: pairOf('a', { names: 'DNS:a.example,DNS:www.a.example', kind: 'rsa' }),
  b: pairOf('b', { names: 'DNS:*.b.example,DNS:b.example' }),
  exact: pairOf('exact', { names: 'DNS:exact.b.example', kind: 'p384' }),
};

tlsTest('the name that is asked for picks the certificate', { pairs: Object.values(NAMED) },
  async (server, secure) => {
    for (const [name, wanted] of [
      ['first.example', 'first'], ['a.example', 'a'], ['WWW.A.Example', 'a'], ['b.example', 'b'],
      ['x.b.example', 'b'], ['exact.b.example', 'exact'], ['x.y.b.example', 'first'], ['unknown.example', 'first'],
      ['.b.example', 'first'], ['localhost', 'first'], [null, 'first'], [`${'x'.repeat(60)}.b.example`, 'b'],
    ]) {
      for (const version of ['-tls1_2', '-tls1_3']) {
        const asked = name === null ? ['-noservername'] : ['-servername', name];
        const { output } = await sClientAsks(secure, version, ...asked);
        assert.match(output, new RegExp(`subject=CN = ${wanted}\n`), `${name} ${version}: ${output}`);
        assert.match(output, UP);
      }
    }
  });

const BOTH = [RSA, ECDSA];
tlsTest('of two kinds of key under one name the client gets the one that it can use', { pairs: BOTH },
  async (server, secure) => {
    for (const [wanted, ...args] of [
      ['rsa', '-tls1_2', '-cipher', 'aRSA'], ['ecdsa', '-tls1_2', '-cipher', 'aECDSA'],
      ['rsa', '-tls1_3', '-sigalgs', 'RSA-PSS+SHA256:RSA+SHA256'], ['ecdsa', '-tls1_3', '-sigalgs', 'ECDSA+SHA256'],
    ]) {
      const { output } = await sClientAsks(secure, ...args);
      assert.match(output, new RegExp(`subject=CN = ${wanted}\n`), args.join(' '));
    }
  });

tlsTest('a chain is sent whole and in order', { pairs: [chainPair()] }, async (server, secure) => {
  for (const version of ['-tls1_2', '-tls1_3']) {
    const { code, output } = await sClientAsks(secure, version, '-verify_return_error');
    assert.match(output, / 0 s:CN = leaf\n   i:CN = intermediate\n[^]* 1 s:CN = intermediate\n   i:CN = ca\n/);
    assert.match(output, /Verify return code: 0 \(ok\)/);
    assert.equal(code, 0);
  }
  assert.equal((await gnutlsAsks(secure)).code, 0);
  assert.equal((await curl(secure, '/up')).code, 0);
});

/* --- client certificates ------------------------------------------------------------------------------------------ */

const CLIENT_CA = makePair('client-ca', { isAuthority: true });
const OTHER_CA = makePair('other-ca', { isAuthority: true });
const CLIENTS = {
  good: pairOf('client', { issuer: CLIENT_CA }),
  rsa: pairOf('client-rsa', { issuer: CLIENT_CA, kind: 'rsa' }),
  stranger: pairOf('client-stranger', { issuer: OTHER_CA }),
  self: makePair('client-self'),
  late: pairOf('client-late', { issuer: CLIENT_CA, days: -1 }),
};

/* mbedTLS says "no certificate" where TLS 1.3 has "certificate required". */
const NOT_TRUSTED = new RegExp('alert (unknown ca|certificate expired|bad certificate|certificate unknown|'
  + 'handshake failure|no certificate|certificate required)');

tlsTest('with --tls-client-ca only its clients come in', { args: ['--tls-client-ca', CLIENT_CA.cert] },
  async (server, secure) => {
    let refused = 0;
    for (const version of ['-tls1_2', '-tls1_3']) {
      for (const [who, { cert, key }] of Object.entries(CLIENTS)) {
        const isIn = ['good', 'rsa'].includes(who);
        const { output } = await sClientAsks(secure, version, '-cert', cert, '-key', key);
        if (isIn) assert.match(output, UP, who);
        else assert.doesNotMatch(output, /HTTP\/1/, who);
        if (!isIn) assert.match(output, NOT_TRUSTED);
        refused += isIn ? 0 : 1;
      }
      const { output } = await sClientAsks(secure, version);
      assert.match(output, NOT_TRUSTED);
      if (version === '-tls1_2') assert.match(output, /Acceptable client certificate CA names\nCN = client-ca\n/);
      refused += 1;
    }
    const { code, output } = await curl(secure, '/up', '--cert', CLIENTS.good.cert, '--key', CLIENTS.good.key);
    assert.match(output, UP);
    assert.equal(code, 0);
    const plain = await run('curl', '-sS', '-i', `http://127.0.0.1:${server.port}/up`);
    assert.match(plain.output, UP, 'the other address asks for none');
    const now = await untilNobody(server);
    assert.deepEqual(pick(now, 'tls_failed', 'tls_handshakes', 'tls_resumed'),
      { tls_failed: refused, tls_handshakes: 5, tls_resumed: 0 });
  });

/* --- what is not to be had ---------------------------------------------------------------------------------------- */

tlsTest('renegotiation is refused, and that session goes on or ends, no other', {}, async (server, secure) => {
  const other = await tlsSocket(secure);
  const tool = sClient(secure, '-tls1_2', '-no_ign_eof');
  await tool.says(/Verify return code/);
  tool.write('R\n');
  await tool.says(/RENEGOTIATING/);
  assert.match((await tool.done()).output, /no renegotiation/);
  other.write(GET_UP);
  assert.match(await textUntilEnd(other), UP);
  const now = await untilNobody(server);
  assert.deepEqual(pick(now, 'tls_handshakes', 'tls_failed'), { tls_handshakes: 2, tls_failed: 0 });
});

/* RFC 8446 4.6.3. k: s_client changes its keys; K: it asks the server to change its own, too. */
tlsTest('keys of a session of TLS 1.3 may be changed, and are when that is asked for', {}, async (server, secure) => {
  for (const suite of ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256']) {
    const tool = sClient(secure, '-tls1_3', '-no_ign_eof', '-msg', '-ciphersuites', suite);
    await tool.says(/Verify return code/);
    let answers = 0;
    for (const [i, order] of [...'kKkkKK'].entries()) {
      tool.write(`${order}\n`);
      await tool.says(new RegExp(`(KEYUPDATE[^]*){${i + 1}}`));
      tool.write(KEPT_UP);
      await tool.says(new RegExp(`(HTTP/1\\.1 200[^]*){${i + 1}}`));
      if (order === 'K') answers += 1;
      assert.equal(tool.output.match(/<<<.*KeyUpdate/g)?.length ?? 0, answers, `after ${order}, ${suite}`);
    }
    tool.write('Q\n');
    await tool.done();
  }
  const now = await untilNobody(server);
  assert.deepEqual(pick(now, 'tls_handshakes', 'closed_tls_broken'), { tls_handshakes: 3, closed_tls_broken: 0 });
});

/* --- GnuTLS ------------------------------------------------------------------------------------------------------- */

tlsTest('gnutls-cli changes keys on both sides', {}, async (server, secure) => {
  const tool = new Tool('gnutls-cli', ['--x509cafile', ca.cert, '--port', String(secure.port), '--inline-commands',
    '--priority', 'NORMAL:-VERS-ALL:+VERS-TLS1.3', 'localhost']);
  await tool.says(/Handshake was completed/);
  for (let i = 1; i <= 3; i++) {
    tool.write('^rekey^\n');
    await tool.says(new RegExp(`(Rekey was completed[^]*){${i}}`, 'i'));
    tool.write(KEPT_UP);
    await tool.says(new RegExp(`(HTTP/1\\.1 200[^]*){${i}}`));
  }
  tool.end();
  await tool.done();
  const now = await untilNobody(server);
  assert.equal(now.closed_tls_broken, 0);
});

for (const version of ['1.2', '1.3']) {
  tlsTest(`gnutls-cli agrees, and resumes: TLS ${version}`, { pairs: BOTH }, async (server, secure) => {
    const only = `NORMAL:-VERS-ALL:+VERS-TLS${version}`;
    for (const priority of [only, `${only}:-GROUP-ALL:+GROUP-X25519`, `${only}:-CIPHER-ALL:+CHACHA20-POLY1305`]) {
      const { code, output } = await gnutlsAsks(secure, '--alpn', 'http/1.1', '--priority', priority);
      assert.match(output, new RegExp(`Description: \\(TLS${version}-X\\.509\\)`));
      assert.match(output, /The certificate is trusted/);
      assert.match(output, /Application protocol: http\/1\.1/);
      assert.match(output, UP);
      assert.match(output, /Peer has closed the GnuTLS connection/);
      assert.equal(code, 0);
    }
    const { output } = await gnutlsAsks(secure, '--resume', '--waitresumption', '--priority', only);
    assert.match(output, /This is a resumed session/);
    assert.match(output, UP);
    assert.equal((await counters(server)).tls_resumed, 1);
  });
}

tlsTest('gnutls-cli is refused what is weak', {}, async (server, secure) => {
  for (const priority of [
    'NORMAL:-VERS-ALL:+VERS-TLS1.0', 'NORMAL:-VERS-ALL:+VERS-TLS1.1', 'NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA',
    'NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-CBC', 'NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+DHE-RSA',
  ]) {
    const { code, output } = await gnutlsAsks(secure, '--priority', priority);
    assert.match(output, /fatal alert has been received/i, `${priority}: ${output}`);
    assert.notEqual(code, 0);
  }
});

/* --- curl --------------------------------------------------------------------------------------------------------- */

const PUBLISHING = { args: appArgs('event_bytes_max=1MiB') };

for (const version of ['1.2', '1.3']) {
  const only = ['--tlsv1.2', '--tls-max', version];

  tlsTest(`curl gets the page and publishes over TLS ${version}`, PUBLISHING, async (server, secure) => {
    const page = await curl(secure, '/', ...only);
    assert.match(page.output, /^HTTP\/1\.1 200 OK\r\n[^]*content-type: text\/html/i);
    assert.match(page.output, /<\/html>\s*$/);
    assert.match((await curl(secure, '/up', ...only)).output, UP);
    assert.match((await curl(secure, '/nothing-here', ...only)).output, /^HTTP\/1\.1 404 /);

    const [wss, ws] = [...await openPeers(secure, 1), ...await openPeers(server, 1)];
    for (const peer of [wss, ws]) await peer.subscribe('tea');
    for (const data of ['hello', 'x'.repeat(900 * 1024)]) {
      const body = JSON.stringify({ name: 'ev', channel: 'tea', data });
      const file = pathOf(`body-${md5(body)}`);
      writeFileSync(file, body);
      const { output } = await curl(secure, signedTarget('POST', `/apps/${APP.id}/events`, { body }), ...only,
        '-H', 'Content-Type: application/json', '--data-binary', `@${file}`);
      assert.match(output, /HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n\{\}$/);
      for (const peer of [wss, ws]) await peer.expect('ev', 'tea', data);
    }
    for (const peer of [wss, ws]) await peer.leave();
    await untilNobody(server);
  });

  tlsTest(`what is sent together with the end of the handshake arrives: TLS ${version}`,
    PUBLISHING, async (server, secure) => {
      const data = 'x'.repeat(900 * 1024), { ca: authority, port } = secure;
      const request = signedRequest('POST', '/events', { body: { name: 'ev', channel: 'tea', data },
        headers: { Connection: 'close' } });
      const answers = await Promise.all(Array.from({ length: 20 }, () => {
        const socket = tls.connect({ host: '127.0.0.1', port, ca: authority, maxVersion: `TLSv${version}` });
        socket.write(request);
        return textUntilEnd(socket);
      }));
      for (const answer of answers) assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
      assert.equal((await untilNobody(server)).tls_failed, 0);
    });

  tlsTest(`curl sends two requests over one session of TLS ${version}`, {}, async (server, secure) => {
    const { code, output } = await curl(secure, '/up', ...only, '-v', `https://localhost:${secure.port}/`);
    assert.match(output, /Re-using existing connection/);
    assert.equal(output.match(/HTTP\/1\.1 200 OK/g).length, 4, 'two answers, each said twice');
    assert.equal(code, 0);
    assert.equal((await counters(server)).tls_handshakes, 1);
  });
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) {
  tlsTest(`who has said close_notify still gets its answer, and ours: ${maxVersion}`, {}, async (server, secure) => {
    for (const requests of [GET_UP, KEPT_UP, KEPT_UP.repeat(3) + GET_UP]) {
      const socket = await tlsSocket(secure, { maxVersion, allowHalfOpen: true });
      socket.end(requests);
      assert.equal((await textUntilEnd(socket)).match(/200 OK/g).length, requests.match(/GET/g).length);
    }
    for (const hello of ['', 'GET / HT']) {
      const socket = await tlsSocket(secure, { maxVersion, allowHalfOpen: true });
      socket.end(hello);
      await textUntilEnd(socket);
    }
    const now = await untilNobody(server);
    assert.deepEqual(pick(now, 'tls_failed', 'closed_tls_broken', 'closed_tls_alert'),
      { tls_failed: 0, closed_tls_broken: 0, closed_tls_alert: 0 });
  });

  tlsTest(`s_client that says Q ends a session well: ${maxVersion}`, {}, async (server, secure) => {
    const tool = sClient(secure, maxVersion === 'TLSv1.2' ? '-tls1_2' : '-tls1_3', '-no_ign_eof');
    await tool.says(/Verify return code/);
    tool.write('Q\n');
    assert.equal((await tool.done()).code, 0);
    const now = await untilNobody(server);
    assert.deepEqual(pick(now, 'tls_handshakes', 'tls_failed', 'closed_tls_broken'),
      { tls_handshakes: 1, tls_failed: 0, closed_tls_broken: 0 });
  });
}

tlsTest('a server that stops says close_notify', {}, async (server, secure) => {
  const tools = ['-tls1_2', '-tls1_3'].map((version) => sClient(secure, version));
  for (const tool of tools) {
    await tool.says(/Verify return code/);
    tool.write(KEPT_UP);
    await tool.says(UP);
  }
  const end = server.stop();
  for (const tool of tools) assert.match((await tool.done()).output, CLEAN_END);
  return end;
});
