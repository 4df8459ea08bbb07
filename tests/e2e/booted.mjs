/* tests/e2e/booted.mjs - a tree of Debian that is booted: systemd as its process 1, with processes, mounts, network and
 * control groups of its own. Needs root. */

import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from './support.mjs';

/* A control group of its own, whichever version the machine has mounted; then all namespaces but the one of users. */
const ENTER = `
  set -e
  groups=$(mktemp -d) && mount -t cgroup2 none "$groups"
  mkdir "$groups/$1" && echo $$ > "$groups/$1/cgroup.procs" && umount "$groups" && rmdir "$groups"
  exec unshare --pid --fork --kill-child --mount --uts --ipc --net --cgroup sh -c "$2" "$0"`;

const BOOT = `
  set -e
  mount --bind "$0" "$0" && cd "$0"
  mount -t proc proc proc && mount -t sysfs sysfs sys && mount -t cgroup2 none sys/fs/cgroup
  mount -t tmpfs -o mode=755 none run && mount -t tmpfs -o mode=755 none dev && mkdir dev/pts dev/shm
  for name in null zero full random urandom tty; do touch "dev/$name"; mount --bind "/dev/$name" "dev/$name"; done
  mount -t devpts -o newinstance,ptmxmode=0666 none dev/pts && ln -s pts/ptmx dev/ptmx && ln -s /proc/self/fd dev/fd
  mount -t tmpfs -o mode=1777 none dev/shm
  ip link set lo up
  mkdir -p before && pivot_root . before && umount -l before && mount --make-rshared /
  exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=console`;

const CLEAN = ['env', '-i', 'HOME=/root', 'LC_ALL=C.UTF-8', 'DEBIAN_FRONTEND=noninteractive',
  'PATH=/usr/sbin:/usr/bin:/sbin:/bin'];

/* The one child that a process has, once it is there. */
function childOf(pid) {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
}

/* False: the last of its processes is still there. */
function removeGroup(name) {
  const script = `groups=$(mktemp -d) && mount -t cgroup2 none "$groups" || exit
    find "$groups/${name}" -depth -type d -exec rmdir {} +; code=$?
    umount "$groups" && rmdir "$groups" && exit $code`;
  return spawnSync('unshare', ['--mount', 'sh', '-c', script]).status === 0;
}

/* Boots it, which has to have systemd and iproute2. */
export class Booted {
  static async boot(tree) {
    const booted = new Booted();
    booted.group = `ringcast-test-${process.pid}`;
    booted.child = spawn('unshare', ['--mount', 'sh', '-c', ENTER, tree, booted.group, BOOT],
      { stdio: ['ignore', 'pipe', 'pipe'] });
    booted.output = '';
    for (const out of [booted.child.stdout, booted.child.stderr])
      out.on('data', (chunk) => { booted.output += chunk; });
    booted.ended = new Promise((resolve) => booted.child.once('exit', resolve));
    try {
      await until(() => /^(running|degraded)$/.test(booted.isUp()), 'systemd to be up', { poll: 200, limit: 60_000 });
    } catch (error) {
      await booted.end();
      throw new Error(`${error.message}\n${booted.output}`);
    }
    return booted;
  }

  isUp() {
    const pid = childOf(this.child.pid);
    if (!pid || readFileSync(`/proc/${pid}/comm`, 'utf8') !== 'systemd\n') return '';
    this.pid = pid;
    return this.try('systemctl', 'is-system-running').stdout.trim();
  }

  /* What a command in it came to; with the network of this machine for apt. */
  try(...command) {
    return this.enter(['-m', '-p', '-u', '-i', '-n', '-C'], ...command);
  }

  enter(namespaces, ...command) {
    return spawnSync('nsenter', ['-t', `${this.pid}`, ...namespaces, ...CLEAN, ...command], { encoding: 'utf8' });
  }

  /* A command that has to succeed; what it wrote to stdout, without the end of the line. */
  run(...command) {
    return this.succeeded(command, this.try(...command));
  }

  apt(...words) {
    const command = ['apt-get', '-qq', '-y', '--no-install-recommends', ...words];
    return this.succeeded(command, this.enter(['-m', '-p', '-u', '-i', '-C'], ...command));
  }

  succeeded(command, { status, stdout, stderr }) {
    if (status !== 0) throw new Error(`${command.join(' ')}: ${status}\n${stdout}${stderr}`);
    return stdout.trimEnd();
  }

  /* Properties of the service. */
  service(...names) {
    const lines = this.run('systemctl', 'show', 'ringcast', ...names.flatMap((name) => ['-p', name])).split('\n');
    return Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2)));
  }

  /* A program of this machine, with the packages of this folder, on the tree's network. */
  spawnOnNetwork(...command) {
    const cwd = dirname(fileURLToPath(import.meta.url));
    return spawn('nsenter', ['-t', `${this.pid}`, '-n', ...command], { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
  }

  async end() {
    this.child.kill('SIGKILL');
    await this.ended;
    await until(() => removeGroup(this.group), 'its control group to be empty');
  }
}
