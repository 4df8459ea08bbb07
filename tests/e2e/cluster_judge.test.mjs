/* tests/e2e/cluster_judge.test.mjs - the judge finds each kind of fault, and none where there is none: one that finds
 * nothing would make every test that asks it pass. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Judge } from './cluster_judge.mjs';

const [OLD, NEW] = ['k3x9ab2m', 'k3x9ab2n'];

/* Words of a reader: '3' is a message of the old epoch, '3c' the same with other content, 'n3' one of the new epoch,
 * '3=x' one with that content, '!': it was told. Words of publishers: what was acknowledged. Returns the kinds of
 * fault. */
function verdict(readers, acknowledged = '') {
  const judge = new Judge();
  const messageOf = (word) => {
    const [, isNew, number, other] = /^(n?)(\d+)(\D*)$/.exec(word);
    const epoch = isNew ? NEW : OLD;
    return [{ epoch, offset: Number(number) }, other.startsWith('=') ? other.slice(1) : `${epoch} ${number} ${other}`];
  };
  for (const [name, words] of Object.entries(readers)) {
    const reader = judge.reader(name, 'tea');
    for (const word of words.split(' ').filter(Boolean)) {
      if (word === '!') reader.told();
      else reader.got(...messageOf(word));
    }
  }
  for (const word of acknowledged.split(' ').filter(Boolean)) judge.acknowledged('tea', ...messageOf(word));
  return [...new Set(judge.faults().map(({ kind }) => kind))].sort();
}

for (const [title, readers, acknowledged, expected] of [
  ['the same for all', { a: '1 2 3', b: '1 2 3' }, '1 2 3', []],
  ['one who came later', { a: '1 2 3', b: '2 3' }, '1 2 3', []],
  ['a number that nobody has', { a: '1 3', b: '1 3' }, '1 3', []],
  ['a hole that others see', { a: '1 3', b: '1 2 3' }, '', ['hole']],
  ['a hole that only its publisher knows', { a: '1 3', b: '1 3' }, '1 2 3', ['hole', 'lost']],
  ['a hole that was announced', { a: '1 ! 3', b: '1 2 3' }, '1 2 3', []],
  ['a hole beside an announcement', { a: '1 3 ! 5', b: '1 2 3 4 5' }, '', ['hole']],
  ['a new epoch is an announcement', { a: '1 n1 n2', b: '1 2 n1 n2' }, '1 2 n1 n2', []],
  ['a hole in a new epoch', { a: '1 n1 n3', b: '1 n1 n2 n3' }, '', ['hole']],
  ['two in the wrong order', { a: '2 1', b: '1 2' }, '', ['disorder']],
  ['back to an epoch that is over', { a: 'n1 2', b: '2 n1' }, '', ['disorder']],
  ['one twice', { a: '1 1 2', b: '1 2' }, '', ['disorder', 'double']],
  ['one again under another number', { a: '1=x n1=x', b: '1=x' }, '', ['double']],
  ['a repeat that took its place and was not handed out again', { a: '1=x n2', b: '1=x n2' }, 'n1=x n2', []],
  ['two under one number', { a: '1 2', b: '1 2c' }, '', ['content']],
  ['another one than was acknowledged', { a: '1 2', b: '1 2' }, '1 2c', ['content', 'lost']],
  ['an end that is missing', { a: '1 2', b: '1' }, '', ['end']],
  ['an end that was announced', { a: '1 2', b: '1 !' }, '', []],
  ['acknowledged at the end, seen by nobody', { a: '1', b: '1' }, '1 2', ['end', 'lost']],
]) {
  test(title, () => assert.deepEqual(verdict(readers, acknowledged), expected));
}
