# tests/prose.py [ROOT] - what the prose points at is there.
#
# Of every *.md file: the files and headings that its links lead to, the paths of this repository that it names, in
# `code` or in blocks of it, and the --flags. Of deploy/README.md: each option and setting has a row, with the default
# of its table, and each row is of one. Prints `file:line: cause` for each offence and exits 1 if there is any.
import glob
import os
import re
import sys

TABLES = {    # the heading in deploy/README.md: the table and the macro of its rows, which may be empty
    'wss': ('server/config/options.def', 'OPTION'),
    'Options': ('server/config/options.def', 'OPTION'),
    'Apps': ('server/config/app_setting.def', None),
    'The log': ('server/system/log_field.def', None),
    'History: what is kept': ('server/config/history_setting.def', None),
}
MANUAL = 'deploy/README.md'
BUILT = ('build', 'node_modules')
PROGRAMS = ('server/main.c', 'deploy/run', 'deploy/test', 'deploy/deps', 'deploy/package', 'bench/report',
            'bench/compare', 'bench/pieces/main.c')
FOREIGN = {    # of cmake, ctest, node, curl, sysctl, certbot, apt-get, container engines
    'allow-downgrades', 'build', 'cacert', 'deploy-hook', 'dry-run',
    'force-renewal', 'http-', 'install', 'nginx', 'now', 'preset', 'security-opt', 'standalone', 'system',
    'test', 'ulimit', 'unix-socket',
}

offences = 0


def offend(path, line, cause):
    global offences
    offences += 1
    print(f'{path}:{line}: {cause}')


def walk():
    for folder, folders, names in os.walk('.'):
        folders[:] = sorted(name for name in folders if name not in BUILT and not name.startswith('.'))
        yield from (os.path.normpath(os.path.join(folder, name)) for name in names)


def line_of(text, at):
    return text.count('\n', 0, at) + 1


def blank(match):
    return re.sub(r'[^\n]', ' ', match[0])


# The text with its blocks of code blanked, and the blocks with the text blanked. A block that is indented follows an
# empty line; what is indented less stands in a list.
def part(text):
    block = re.compile(r'^```.*?^```[^\n]*$|(?<=\n\n)(?: {4}[^\n]*\n|\n(?= {4}))+', re.M | re.S)
    words, code, at = '', '', 0
    for match in block.finditer(text):
        gap = text[at:match.start()]
        words += gap + blank(match)
        code += re.sub(r'[^\n]', ' ', gap) + match[0]
        at = match.end()
    return words + text[at:], code


# A heading's anchor, as the hosts of repositories make it.
def anchors_of(path):
    with open(path, encoding='utf-8') as file:
        words = part(file.read())[0]
    anchors, seen = set(), {}
    for title in re.findall(r'^#{1,6} +(.*?) *$', words, re.M):
        title = re.sub(r'\[([^]]*)\]\([^)]*\)', r'\1', title)
        anchor = re.sub(r'[^\w\- ]', '', title.lower()).replace(' ', '-')
        count = seen.get(anchor, 0)
        seen[anchor] = count + 1
        anchors.add(f'{anchor}-{count}' if count else anchor)
    return anchors


def check_links(path, words):
    plain = re.sub(r'`[^`]*`', lambda match: match[0].replace('(', ' ').replace(']', ' '), words)
    for match in re.finditer(r'\]\(([^)]*)\)', plain):
        target, _, anchor = match[1].partition('#')
        if re.match(r'[a-z]+:', target):
            continue
        found = os.path.normpath(os.path.join(os.path.dirname(path), target)) if target else path
        line = line_of(plain, match.start())
        if re.search(r'\s', match[1]):
            offend(path, line, 'a link has blanks')
        elif not os.path.exists(found):
            offend(path, line, f'{match[1]} leads to no file')
        elif anchor and (not found.endswith('.md') or anchor not in anchors_of(found)):
            offend(path, line, f'{match[1]} leads to no heading')


# A path begins with a folder of this repository. One with * has to fit something, a name in capitals stands for many.
def check_paths(path, words, code, names):
    folders = '|'.join(name for name in sorted(os.listdir('.')) if os.path.isdir(name) and name not in BUILT)
    named = re.compile(rf'(?<![\w./$*-])(?:{folders})/[\w./*-]*')
    spans = [(match.start(), match[0]) for match in re.finditer(r'`[^`]*`', words)] + [(0, code)]
    for start, span in spans:
        for match in named.finditer(span):
            name = match[0].rstrip('.')
            if not re.search(r'(^|[/_])[A-Z]{2,}', os.path.basename(name)) and not glob.glob(name):
                offend(path, line_of(code if span is code else words, start + match.start()), f'{name} is not there')
        bare = re.fullmatch(r'`(\w+\.(?:c|h|def|py|mjs|md))`', span)
        if bare and bare[1] not in names:
            offend(path, line_of(words, start), f'no file is called {bare[1]}')


# The flags of our programs, with those of others that the prose has.
def all_flags():
    flags = {name.replace('_', '-') for name in rows_of('server/config/options.def', 'OPTION')} | FOREIGN
    with open('bench/load/load_options.c', encoding='utf-8') as file:
        flags.update(re.findall(r'FLAG\(\w+, \w+, "([a-z-]+)"', file.read()))
    for program in PROGRAMS:
        with open(program, encoding='utf-8') as file:
            flags.update(re.findall(r'(?<![\w-])--([a-z][a-z-]*)', file.read()))
    return flags


def check_flags(path, text, flags):
    for match in re.finditer(r'(?<![\w-])--([a-z][a-z-]*)', text):
        if match[1] not in flags:
            offend(path, line_of(text, match.start()), f'no program has {match[0]}')


# {name: default} of a table's rows.
def rows_of(table, macro):
    with open(table, encoding='utf-8') as file:
        text = re.sub(r'/\*.*?\*/', '', file.read(), flags=re.S)
    rows = re.findall(rf'^{macro or "[A-Z_]+"}\(\w+, (\w+),(?: \w+,)*\s*"([^"]*)"', text, re.M)
    return dict(rows)


# The options of files whose change needs a restart, as their column says.
def restarts():
    with open('server/config/options.def', encoding='utf-8') as file:
        return set(re.findall(r'^OPTION\(\w+, (\w+), (?!none,)\w+, RESTART,', file.read(), re.M))


# Each name says itself whether it is one of them.
def check_restart(line, cell):
    for name, behind in re.findall(r'`--([a-z-]+)[^`]*`([^`]*)', cell):
        needs, says = name.replace('-', '_') in restarts(), '(restart)' in behind
        if needs != says:
            offend(MANUAL, line, f'a change of {name} {"needs a" if needs else "needs no"} restart')


# A default may be said in words, as those are that are "" or 0.
def check_row(line, cells, rows, said):
    names = re.findall(r'`(?:--)?([a-z][a-z_-]*)', cells[0])
    defaults = cells[1].replace('`', '').strip().split(', ')
    for i, name in enumerate(names):
        key = name.replace('-', '_')
        if key not in rows:
            offend(MANUAL, line, f'there is no {name}')
            continue
        said.add(key)
        default = defaults[min(i, len(defaults) - 1)]
        is_word = default and ' ' not in default
        if is_word and rows[key] not in ('', '0') and default != rows[key]:
            offend(MANUAL, line, f'the default of {name} is {rows[key]}, not {default}')


def check_tables():
    said, heading = {}, ''
    with open(MANUAL, encoding='utf-8') as file:
        lines = file.read().split('\n')
    for i, line in enumerate(lines, 1):
        if line.startswith('#'):
            heading = line.strip('# ')
        if heading in TABLES and line.startswith('| `'):
            table, macro = TABLES[heading]
            if macro == 'OPTION':
                check_restart(i, line.split('|')[1])
            check_row(i, line.split('|')[1:], rows_of(table, macro), said.setdefault(table, set()))
    for table, macro in dict.fromkeys(TABLES.values()):
        for name in sorted(set(rows_of(table, macro)) - said.get(table, set())):
            offend(MANUAL, 1, f'has no row for {name} of {table}')


os.chdir(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
files = list(walk())
prose = sorted(path for path in files if path.endswith('.md'))
flags = all_flags()
for path in prose:
    with open(path, encoding='utf-8') as file:
        text = file.read()
    words, code = part(text)
    check_links(path, words)
    check_paths(path, words, code, {os.path.basename(name) for name in files})
    check_flags(path, text, flags)
check_tables()
if not offences:
    print(f'prose: {len(prose)} files, nothing to say')
sys.exit(offences > 0)
