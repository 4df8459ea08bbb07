# tests/circles.py BUILD - no circle of files: of two that use each other none can be read or tested by itself.
#
# A file here is a .c with the .h of its name. It uses another one if it includes its header, or calls or names what
# that defines; the latter is read with nm from the objects in BUILD, a build folder in which everything is built.
# Prints each file that stands in a circle, and the shortest one, and exits 1 if there is any.
import collections
import glob
import os
import re
import subprocess
import sys

FOLDERS = ('core', 'net', 'server', 'bench')


def module_of(path):
    return os.path.splitext(path)[0]


def add_includes(uses):
    for path in (path for folder in FOLDERS for path in glob.glob(folder + '/**/*.[ch]', recursive=True)):
        uses[module_of(path)]
        with open(path, encoding='utf-8') as file:
            for target in re.findall(r'^#include "([^"]*)\.h"', file.read(), re.M):
                if target != module_of(path):
                    uses[module_of(path)].setdefault(target, 'includes it')


# server/CMakeFiles/home.dir/home/home.c.o is made from server/home/home.c.
def source_of(build, thing):
    folder, _, rest = os.path.relpath(thing, build).partition('CMakeFiles/')
    return os.path.normpath(folder + rest.partition('.dir/')[2])[:-2]


def add_calls(uses, build):
    defined, wanted = {}, collections.defaultdict(set)
    for thing in glob.glob(build + '/**/*.c.o', recursive=True):
        source = source_of(build, thing)
        if not source.startswith(FOLDERS) or not os.path.exists(source):
            continue
        lines = subprocess.run(['nm', '-P', '-g', thing], check=True, capture_output=True, text=True).stdout
        for name, kind in (line.split()[:2] for line in lines.splitlines()):
            if kind == 'U':
                wanted[module_of(source)].add(name)
            else:
                defined[name] = module_of(source)
    if not defined:
        sys.exit(f'circles: no objects in {build}: build everything first')
    for module, names in wanted.items():
        for name in sorted(names):
            if defined.get(name, module) != module:
                uses[module].setdefault(defined[name], f'uses {name}')


# Tarjan's strongly connected components of more than one file, without recursion.
def circles_of(uses):
    number, low, stack, found = {}, {}, [], []
    for root in uses:
        if root in number:
            continue
        number[root] = low[root] = len(number)
        stack.append(root)
        work = [(root, iter(uses[root]))]
        while work:
            module, rest = work[-1]
            for used in rest:
                if used not in number:
                    number[used] = low[used] = len(number)
                    stack.append(used)
                    work.append((used, iter(uses.get(used, ()))))
                    break
                if used in stack:
                    low[module] = min(low[module], number[used])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[module])
                if low[module] == number[module]:
                    at = stack.index(module)
                    if len(stack) - at > 1:
                        found.append(set(stack[at:]))
                    del stack[at:]
    return found


# Breadth first from the module back to itself.
def shortest_circle(uses, module):
    before, queue = {}, collections.deque([module])
    while queue:
        here = queue.popleft()
        for used in uses.get(here, ()):
            if used == module:
                way = [(here, used)]
                while here != module:
                    way.insert(0, (before[here], here))
                    here = before[here]
                return way
            if used not in before:
                before[used] = here
                queue.append(used)
    return []


def main():
    build = os.path.abspath(sys.argv[1])
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
    uses = collections.defaultdict(dict)
    add_includes(uses)
    add_calls(uses, build)
    inside = set().union(*circles_of(dict(uses)))
    for module in sorted(inside):
        print(f'{module}: stands in a circle:')
        for user, used in shortest_circle(uses, module):
            print(f'    {user} -> {used}: {uses[user][used]}')
    if inside:
        sys.exit(1)
    print(f'circles: {len(uses)} files, none of them in a circle')


if __name__ == '__main__':
    main()
