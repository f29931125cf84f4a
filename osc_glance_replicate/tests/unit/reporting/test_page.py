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

import html.parser
import os
import pathlib
import stat

import fixtures
import testtools

from osc_glance_replicate import errors
from osc_glance_replicate.execution import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.model import results
from osc_glance_replicate.reporting import page
from osc_glance_replicate.tests.doubles import records as base

_VOID = {'meta'}


class Reader(html.parser.HTMLParser):
    """Reads a page as a browser would, and finds what is not closed."""

    def __init__(self, text):
        super().__init__()
        self.open = []
        self.tags = []
        self.texts = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag):
        return [attributes for found, attributes in self.tags if found == tag]


class TestPage(testtools.TestCase):
    def setUp(self):
        super().setUp()
        directory = self.useFixture(fixtures.TempDir()).path
        self.path = pathlib.Path(directory, 'run.html')

    def page(self, **options):
        return page.Page(str(self.path), 'master to slave', **options)

    def read(self, written, summary='as told'):
        written.write(summary)
        self.assertEqual([self.path], list(self.path.parent.iterdir()))
        text = self.path.read_text('utf-8')
        self.assertTrue(text.startswith('<!DOCTYPE html>'))
        reader = Reader(text)
        self.assertEqual([], reader.open)
        return reader

    def hear(self, listening, number, result, reason='', **fields):
        verb = plan.Verb.UNCHANGED if result == 'unchanged' else plan.Verb.COPY
        action = plan.Action(
            base.image(number, **fields),
            'slave',
            verb,
            routine=result == 'unchanged',
        )
        if verb is plan.Verb.COPY:
            listening.begun(action)
        listening.ended(
            outcomes.Outcome(action, results.Result(result), reason)
        )

    def test_tells_all(self):
        listening = self.page()
        self.hear(listening, 1, 'copied', name='debian', size=5_000_000)
        self.hear(listening, 2, 'failed', 'slave: HTTP 503', name='fedora')
        self.hear(listening, 3, 'unchanged', name='there already')
        reader = self.read(listening, '1 copied, 1 failed')
        for text in ('master to slave', '1 copied, 1 failed', '5.0 MB',
                     'debian', 'fedora', 'slave: HTTP 503', 'What failed',
                     'The other images'):  # fmt: skip
            self.assertIn(text, reader.texts)
        self.assertNotIn('there already', reader.texts)
        bars = [bar['class'] for bar in reader.all('rect')]
        self.assertEqual(['copied', 'failed'], bars)
        self.assertEqual(1, len(reader.all('svg')))

    def test_all_rows_where_they_are_wanted(self):
        listening = self.page(show_all=True)
        self.hear(listening, 3, 'unchanged', name='there already')
        self.assertIn('there already', self.read(listening).texts)

    def test_nothing_to_tell(self):
        reader = self.read(self.page(), 'no images')
        self.assertIn('no images', reader.texts)
        self.assertEqual([], reader.all('svg'))

    def test_needs_nothing_else_and_runs_nothing(self):
        listening = self.page()
        evil = '</td><script>alert(1)</script>\x1b[2J\x00\ud800'
        self.hear(listening, 1, 'failed', evil, name=evil)
        reader = self.read(listening, evil)
        policy, *_ = (
            meta['content']
            for meta in reader.all('meta')
            if meta.get('http-equiv') == 'Content-Security-Policy'
        )
        self.assertIn("default-src 'none'", policy)
        for tag in 'script', 'link', 'img', 'iframe', 'a':
            self.assertEqual([], reader.all(tag))
        for _, attributes in reader.tags:
            for name, value in attributes.items():
                self.assertFalse(name.startswith('on'), name)
                if name != 'xmlns':
                    self.assertNotIn('//', value)
        shown = errors.printable(evil)
        self.assertGreaterEqual(reader.texts.count(shown), 3)

    def at(self, *seconds):
        clock = iter(seconds)
        self.useFixture(
            fixtures.MonkeyPatch(
                f'{page.__name__}.Page._now', lambda page: next(clock)
            )
        )

    def test_bars_have_names_where_there_is_room(self):
        for took, shown in (0.1, 2), (99, 3):
            self.at(0, 100, 100, 100 + took, 200)
            listening = self.page()
            self.hear(listening, 1, 'copied', name='other')
            self.hear(listening, 2, 'copied', name='debian')
            # On its bar, what the bar tells where one points at it, and in
            # the table.
            texts = self.read(listening).texts
            told = [text for text in texts if text.startswith('debian')]
            self.assertEqual(shown, len(told), told)

    def test_times_are_round(self):
        for end, labels in (
            (0.7, ['0 s', '0.2 s', '0.4 s', '0.6 s']),
            (4, ['0 s', '1 s', '2 s', '3 s', '4 s']),
            (100, ['0 s', '20 s', '40 s', '60 s', '80 s', '100 s']),
            (550, ['0:00:00', '0:02:00', '0:04:00', '0:06:00', '0:08:00']),
            (40000, ['0:00:00', '3:00:00', '6:00:00', '9:00:00']),
        ):
            self.at(0, end, end)
            listening = self.page()
            self.hear(listening, 1, 'copied', name='debian')
            reader = self.read(listening)
            # The bar tells last how long it took.
            start = reader.texts.index('When each image was on its way') + 1
            self.assertEqual(labels, reader.texts[start : start + len(labels)])
            self.assertEqual(len(labels), len(reader.all('line')))

    def test_what_was_not_begun_took_no_time(self):
        listening = self.page(show_all=True)
        self.hear(listening, 3, 'unchanged')
        self.assertNotIn('0.0 s', self.read(listening).texts)

    def test_bars_do_not_cover_each_other(self):
        listening = self.page()
        self.at(0, 0, 5, 5, 8, 9, 10)
        actions = [
            plan.Action(base.image(i), 'slave', plan.Verb.COPY)
            for i in range(1, 4)
        ]
        # 1 from 0 to 5, 2 from 0 to 8, 3 from 5 to 9.
        listening.begun(actions[0])
        listening.begun(actions[1])
        listening.ended(outcomes.Outcome(actions[0], results.Result.COPIED))
        listening.begun(actions[2])
        listening.ended(outcomes.Outcome(actions[1], results.Result.COPIED))
        listening.ended(outcomes.Outcome(actions[2], results.Result.COPIED))
        bars = [
            tuple(float(bar[name]) for name in ('x', 'y', 'width'))
            for bar in self.read(listening).all('rect')
        ]
        first, second, third = bars
        self.assertEqual(first[1], third[1])
        self.assertNotEqual(first[1], second[1])
        self.assertAlmostEqual(third[0], first[0] + first[2], 0)

    def test_file_that_cannot_be_written(self):
        self.path = self.path.parent / 'ghost' / 'run.html'
        error = self.assertRaises(errors.ReplicateError, self.page)
        self.assertIn(str(self.path), str(error))
        self.assertIn('No such file', str(error))

    def test_nothing_is_left_of_what_failed(self):
        listening = self.page()
        self.path.mkdir()
        self.assertRaises(errors.ReplicateError, listening.write, 'as told')
        self.assertEqual([self.path], list(self.path.parent.iterdir()))

    def test_what_is_there_and_no_file(self):
        """It is known before anything is done, and stays."""
        self.path.mkdir()
        pipe = self.path / 'pipe'
        os.mkfifo(pipe)
        for self.path in self.path, pipe:
            error = self.assertRaises(errors.ReplicateError, self.page)
            self.assertIn(f'{self.path}: it is there, and no', str(error))
        self.assertEqual([pipe], list(pipe.parent.iterdir()))
        self.assertTrue(pipe.is_fifo())

    def test_link_stays_one(self):
        target = self.path.parent / 'target'
        target.write_text('a run before')
        self.path.symlink_to(target)
        self.page().write('as told')
        self.assertTrue(self.path.is_symlink())
        self.assertIn('as told', target.read_text())

    def test_it_is_for_its_owner(self):
        self.page().write('as told')
        self.assertEqual(0o600, stat.S_IMODE(self.path.stat().st_mode))
        self.assertEqual([self.path], list(self.path.parent.iterdir()))
