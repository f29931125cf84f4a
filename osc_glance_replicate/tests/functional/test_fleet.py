# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.


"""One destination's trouble is its own: before the start, and in mid-run."""

import html
import pathlib
import re
import threading

import fixtures

from osc_glance_replicate.tests.functional import base
from osc_glance_replicate.tests.functional import faults
from osc_glance_replicate.tests.functional import fleet
from osc_glance_replicate.tests.functional import proxy

_RESET = faults.Fault(before=lambda call: faults.reset())

#: Images in a row without an answer, after which a destination is down.
_IN_A_ROW = 4


class TestBeforeTheStart(fleet.FleetTest):
    """Eight destinations, of which three can be used."""

    all = (*fleet.UNUSABLE, *fleet.SERVING)

    def setUp(self):
        super().setUp()
        self.mine = self.image(name='mine')

    def test_livecopy(self):
        page = pathlib.Path(self.useFixture(fixtures.TempDir()).path) / 'page'
        result = self.replicate(
            'livecopy', self.all, '--report', str(page), expect=1
        )
        self.assertServed(self.slave, self.secure, self.two)
        self.assertRows(result)
        rows = [row for row in result.rows if row['To'] in fleet.SERVING]
        self.assertEqual(
            {(self.mine.id, name, 'copied') for name in fleet.SERVING},
            {(row['ID'], row['To'], row['Result']) for row in rows},
        )
        self.assertEqual(len(self.all), len(result.rows))
        text = html.unescape(page.read_text())
        self.assertIn('</html>', text)
        self.assertIn(self.mine.id, text)
        for name in fleet.UNUSABLE:
            self.assertIn(self.assertToldOnce(result, name), text)

    def assertRows(self, result):
        """Expect a row of livecopy for each that cannot be used."""
        for name in fleet.UNUSABLE:
            self.assertEqual(
                [
                    {
                        'ID': None,
                        'Name': None,
                        'Size': None,
                        'To': name,
                        'Result': 'failed',
                        'Reason': self.assertToldOnce(result, name),
                    }
                ],
                [row for row in result.rows if row['To'] == name],
            )

    def test_dry_run(self):
        result = self.replicate('livecopy', self.all, '--dry-run', expect=1)
        self.assertRows(result)
        rows = [row for row in result.rows if row['To'] in fleet.SERVING]
        self.assertEqual(
            {(self.mine.id, name, 'copy') for name in fleet.SERVING},
            {(row['ID'], row['To'], row['Result']) for row in rows},
        )
        self.assertNothingThere()

    def test_compare(self):
        # It is not 3, although something differs.
        result = self.replicate('compare', self.all, expect=1)
        rows = {row['To']: row for row in result.rows}
        self.assertEqual(len(self.all), len(result.rows))
        for name in fleet.UNUSABLE:
            self.assertEqual(
                {
                    'ID': None,
                    'Name': None,
                    'To': name,
                    'Difference': 'unknown',
                    'Detail': self.assertToldOnce(result, name),
                    'Fields': [],
                },
                rows[name],
            )
        for name in fleet.SERVING:
            self.assertEqual('missing', rows[name]['Difference'])

    def test_compare_that_finds_nothing_else(self):
        self.replicate('livecopy', ['slave'])
        result = self.replicate('compare', ['slave', 'refusing'], expect=1)
        (row,) = result.rows
        self.assertEqual('unknown', row['Difference'])

    def test_size(self):
        result = self.replicate('size', self.all, expect=1)
        rows = {row['To']: row for row in result.rows}
        self.assertEqual(len(self.all), len(result.rows))
        for name in fleet.UNUSABLE:
            self.assertToldOnce(result, name)
            self.assertEqual(
                {'To': name, 'Images': None, 'Bytes': None, 'Size': None},
                rows[name],
            )
        for name in fleet.SERVING:
            self.assertEqual(self.mine.size, rows[name]['Bytes'])

    def test_told_at_once(self):
        """Before anything has arrived at those that can be used."""
        told = []
        begun = threading.Event()

        def note(call):
            begun.wait(60)
            told.append(self.told(process))

        self.to_slave.on('PUT', '/file$', faults.Fault(before=note))
        process = self.begin(to=('refusing', 'locked', 'slave'))
        begun.set()
        result = self.finish(process, expect=1)
        self.assertServed(self.slave)
        (text,) = told
        for name in 'refusing', 'locked':
            self.assertIn(self.assertToldOnce(result, name), text)

    def test_forms(self):
        """Who reads csv or value finds images in each row."""
        to = 'slave', 'refusing'
        for verb, options, form in (
            ('livecopy', ['--dry-run'], 'csv'),
            ('compare', [], 'value'),
            ('size', [], 'csv'),
        ):
            for form in form, 'table':
                result = self.replicate(
                    verb, to, *options, form=form, expect=1
                )
                self.assertToldOnce(result, 'refusing')
                rows = result.stdout.splitlines()
                self.assertTrue([row for row in rows if 'slave' in row])
                found = [row for row in rows if 'refusing' in row]
                if form != 'table':
                    self.assertEqual([], found, f'{verb} {form}')
                    continue
                (row,) = found
                self.assertNotIn('None', row)
                cells = [cell.strip() for cell in row.split('|')[1:-1]]
                self.assertIn('refusing', cells)
                self.assertLess(1, cells.count(''), verb)
        quiet = self.openstack(
            '-q', *self.words('size', to, form='value'),
            expect=1, environment=self.environment,
        )  # fmt: skip
        self.assertToldOnce(quiet, 'refusing')
        self.assertEqual(1, len(quiet.stderr.splitlines()))

    def test_refused_before_any_work(self):
        for to, source, words in (
            (['slave', 'ghost'], 'master', ()),
            (['slave', 'master:Mars'], 'master', ()),
            (['secure', 'secure-demo'], 'master', ()),
            (['secure', 'refusing', 'secure-demo'], 'master', ()),
            (['slave', 'refusing', 'master'], 'master', ()),
            (['slave', 'secure'], 'refusing', ()),
            (['slave', 'refusing'], 'master', ('--fail-fast',)),
            (['refusing'], 'master', ()),
        ):
            result = self.livecopy(
                *(f'--to={name}' for name in to[1:]), *words, self.mine.id,
                to=to[0], source=source, expect=1,
                environment=self.environment,
            )  # fmt: skip
            self.assertIn(result.stdout.strip(), ('', '[]'), str(to))
            last = result.stderr.splitlines()[-1]
            self.assertIn('Cannot use cloud ', last)
            self.assertNothingThere()

    def test_nobody_can_be_used(self):
        to = ('refusing', 'locked', 'expired')
        result = self.replicate('livecopy', to, expect=1)
        self.assertEqual(
            {(None, name, 'failed') for name in to},
            {(row['ID'], row['To'], row['Result']) for row in result.rows},
        )
        for verb in 'compare', 'size':
            result = self.replicate(verb, to, expect=1)
            self.assertEqual(sorted(to), sorted(r['To'] for r in result.rows))

    def test_ids_are_compared_everywhere_or_not_at_all(self):
        """Else two images that share one would not be found out."""
        both = self.replicate('ec2ids', ['slave', 'secure'])
        self.assertEqual([self.mine.id], [row['ID'] for row in both.rows])
        result = self.replicate('ec2ids', ['slave', 'refusing'], expect=1)
        self.assertIn(result.stdout.strip(), ('', '[]'))
        self.assertToldOnce(result, 'refusing')

    def test_one_that_answers_late(self):
        """The others do not wait for it, and it is served all the same."""
        begun = threading.Event()
        waited = []
        keystone = self.useFixture(
            proxy.Proxy(self.entry('slave')['auth']['auth_url'])
        )
        keystone.on(
            '.*', '',
            faults.Fault(before=lambda call: waited.append(begun.wait(300))),
            times=None,
        )  # fmt: skip
        self.to_two.on(
            'PUT', '/file$', faults.Fault(before=lambda call: begun.set())
        )
        self.environment = self.configured(
            auth={'auth_url': f'{keystone.url}/v3'}
        )
        result = self.replicate('livecopy', ['slave', 'two'])
        self.assertServed(self.slave, self.two)
        self.assertEqual(
            {(self.mine.id, name, 'copied') for name in ('slave', 'two')},
            {(row['ID'], row['To'], row['Result']) for row in result.rows},
        )
        self.assertTrue(waited and all(waited))

    def test_listing_that_breaks(self):
        """On its second page, when others are on their way."""
        for _ in range(3):
            self.image()
        self.replicate('livecopy', ['slave'])
        last = min(self.slave.ids())
        self.to_slave.on('GET', r'/images\?.*marker=', _RESET, times=None)
        self.to_slave.on(
            'GET',
            r'/images\?',
            faults.Fault(
                rewrite=lambda page: {
                    'images': page['images'][:1],
                    'next': f'/v2/images?marker={last}',
                }
            ),
            times=None,
        )
        result = self.replicate(
            'compare', ['slave', 'secure', 'two'], '--show-all', expect=1
        )
        self.assertBroken(result, 'Difference', 'unknown')
        found = [(r['ID'], r['To']) for r in result.rows if r['To'] != 'slave']
        self.assertEqual(
            sorted((i, to) for i in self.data for to in ('secure', 'two')),
            sorted(found),
        )
        result = self.replicate(
            'livecopy', ['slave', 'secure', 'two'], expect=1
        )
        self.assertBroken(result, 'Result', 'failed')
        self.assertServed(self.secure, self.two)

    def assertBroken(self, result, column, word):
        """Expect one row of slave's that is about no image."""
        (row,) = (row for row in result.rows if row[column] == word)
        self.assertEqual(('slave', None), (row['To'], row['ID']))
        reason = row.get('Reason') or row.get('Detail')
        self.assertIn('slave', reason)
        self.assertIn(reason, result.stderr.splitlines())


class TestMidRun(fleet.FleetTest):
    """A destination is given up, and the others get all."""

    #: More than are tried before a destination is down.
    images = 18
    copied_before = 2
    options = ('--transfers', '2', '--retries', '1')

    def setUp(self):
        super().setUp()
        for number in range(self.images):
            self.image(name=f'image {number}')
        base.pass_a_second()

    def copy(self, *words, to=('slave', 'secure', 'two'), **options):
        return self.replicate('livecopy', to, *self.options, *words, **options)

    def assertGivenUp(self, result):
        """Expect a line that says so, and rows that are short."""
        (line,) = (
            line for line in result.stderr.splitlines() if ' is down ' in line
        )
        self.assertRegex(line, r'^slave is down since \d\d:\d\d\b.*: .')
        failed = [row for row in result.rows if row['Result'] != 'copied']
        self.assertEqual(
            {('slave', 'failed')},
            {(row['To'], row['Result']) for row in failed},
        )
        there = self.slave.ids() & self.data.keys()
        active = {i for i in there if self.slave.get(i).status == 'active'}
        self.assertEqual(
            self.data.keys() - active,
            {row['ID'] for row in failed} - active,
        )
        for row in failed:
            self.assertTrue(row['Reason'])
            self.assertNotIn('://', row['Reason'])
        self.assertLess(_IN_A_ROW, len(failed))
        self.assertEqual(len(result.rows), 3 * self.images)

    def assertLeftAlone(self, tries):
        """Expect no more requests than until it was known to be down.

        :param tries: of an image
        """
        seen = self.to_slave.seen('POST', '/images$')
        most = self.copied_before + tries * (_IN_A_ROW + 2)
        self.assertLessEqual(len(seen), most)

    def test_refuses(self):
        self.refuse_after(self.to_slave, self.copied_before)
        result = self.copy(expect=1)
        self.assertServed(self.secure, self.two)
        self.assertGivenUp(result)

    def test_resets(self):
        self.break_after(self.to_slave, self.copied_before, _RESET)
        page = pathlib.Path(self.useFixture(fixtures.TempDir()).path) / 'page'
        result = self.copy('--report', str(page), expect=1)
        self.assertServed(self.secure, self.two)
        self.assertGivenUp(result)
        self.assertLeftAlone(tries=2)
        self.assertIn('slave is down since ', page.read_text())
        self.assertIn('<title>slave was down for ', page.read_text())

    def test_answers_503_to_everything(self):
        fault = faults.Fault(answer=faults.Answer(503))
        self.break_after(self.to_slave, self.copied_before, fault)
        result = self.copy(expect=1)
        self.assertServed(self.secure, self.two)
        self.assertGivenUp(result)
        self.assertLeftAlone(tries=2)

    def test_is_silent(self):
        """Each request is waited for a minute, unless it is known."""
        fault = faults.Fault(before=lambda call: self.held.wait())
        self.break_after(self.to_slave, self.copied_before, fault)
        result = self.copy('--retries', '0', '--transfers', '4', expect=1)
        self.assertServed(self.secure, self.two)
        self.assertGivenUp(result)

    def test_refuses_some_images_only(self):
        """It answers, so that it is not down."""
        broken = list(self.data)[::2]
        for image in broken:
            self.to_slave.on(
                'PUT', f'{image}/file$',
                faults.Fault(answer=faults.Answer(403)), times=None,
            )  # fmt: skip
        result = self.copy(expect=1)
        self.assertServed(self.secure, self.two)
        self.assertNotIn(' is down ', result.stderr)
        self.assertEqual(
            set(broken),
            {row['ID'] for row in result.rows if row['Result'] == 'failed'},
        )

    def test_only_destination(self):
        self.break_after(self.to_slave, self.copied_before, _RESET)
        result = self.copy(to=['slave'], expect=1)
        self.assertIn('slave is down since ', result.stderr)
        self.assertLeftAlone(tries=2)
        self.assertEqual(self.data.keys(), set(result.results))

    def test_table(self):
        """What is alike is one row."""
        self.break_after(self.to_slave, self.copied_before, _RESET)
        result = self.copy(form='table', expect=1)
        self.assertServed(self.secure, self.two)
        rows = [
            line for line in result.stdout.splitlines() if ' failed ' in line
        ]
        self.assertLess(len(rows), _IN_A_ROW + 3)
        (folded,) = (row for row in rows if 'not tried' in row)
        self.assertRegex(
            folded, r'slave is down since \d\d:\d\d: \d+ images not tried'
        )
        self.assertNotIn('None', folded)
        counts = [re.search(r' (\d+) images', row) for row in rows]
        counted = sum(int(found[1]) if found else 1 for found in counts)
        self.assertIn(f' {counted} failed; ', result.stderr)

    def test_is_back_before_the_end(self):
        """It gets what it has missed, in the same run."""
        mended = self.break_after(self.to_slave, self.copied_before, _RESET)
        # The last one to arrive elsewhere waits for it.
        self.to_two.on(
            'PUT', '/file$',
            faults.Fault(before=lambda call: mended.wait(300)),
            first=self.images,
        )  # fmt: skip
        process = self.begin(*self.options, to=['slave', 'secure', 'two'])
        self.wait_for(
            lambda: (
                ' is down ' in self.told(process) or process.poll() is not None
            )
        )
        mended.set()
        result = self.finish(process, expect=None)
        self.assertIn('slave is down since ', result.stderr)
        self.assertEqual(0, result.code, result.stderr)
        self.assertServed(self.slave, self.secure, self.two)
        # An answer that was lost may have been about an image that was there.
        results = {row['Result'] for row in result.rows}
        self.assertLessEqual(results, {'copied', 'updated', 'unchanged'})

    def test_fail_fast(self):
        """The first failure ends it, whoever is well."""
        self.break_after(self.to_slave, self.copied_before, _RESET)
        self.copy('--fail-fast', expect=1)
        self.assertLeftAlone(tries=2)
        there = self.secure.ids() & self.data.keys()
        self.assertLess(len(there), self.images)


class TestRetries(fleet.FleetTest):
    def test_not_nested(self):
        """A try, or a look at what it has left, each a request."""
        image = self.image()
        planned = threading.Event()

        def reset(call):
            planned.set()
            faults.reset()

        self.to_slave.on(
            '.*', '', faults.Fault(before=reset), times=None,
            when=lambda call: call.method == 'POST' or planned.is_set(),
        )  # fmt: skip
        result = self.replicate('livecopy', ['slave'], expect=1)
        self.assertEqual({image.id: 'failed'}, result.results)
        (first, *_) = self.to_slave.seen('POST')
        calls = self.to_slave.calls.copy()
        since = [call.method for call in calls[calls.index(first) :]]
        self.assertIn(len(since), range(4, 9), str(since))
