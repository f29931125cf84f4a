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

import datetime
import importlib.metadata
import os
import platform
import re
import stat
import threading
import time

import fixtures

from osc_glance_replicate import errors
from osc_glance_replicate.model import plan
from osc_glance_replicate.tests.doubles import pages
from osc_glance_replicate.tests.doubles import samples


class TestPage(pages.PageTest):
    def test_tells_all(self):
        listening = self.page()
        self.hear(listening, 1, 'copied', name='debian', size=5_000_000)
        self.hear(listening, 2, 'failed', 'slave: HTTP 503', name='fedora')
        self.hear(listening, 3, 'unchanged', name='there already')
        reader = self.read(listening, '1 copied, 1 failed')
        for text in ('master to slave', '1 copied, 1 failed', '5.0 MB',
                     'debian', 'fedora', 'slave: HTTP 503',
                     'Failed or in conflict', 'The other images'):  # fmt: skip
            self.assertIn(text, reader.texts)
        self.assertNotIn('there already', reader.texts)
        bars = [bar['class'] for bar in reader.all('rect')]
        self.assertEqual(['copied', 'failed'], bars)
        self.assertEqual(2, len(reader.all('svg')))

    def test_says_what_was_run_and_where_and_by_which_version(self):
        texts = self.read(self.page()).texts
        version = importlib.metadata.version('osc-glance-replicate')
        for text in (
            'openstack ...', platform.node(), f'osc-glance-replicate {version}'
        ):  # fmt: skip
            self.assertIn(text, texts)

    def test_all_rows_where_they_are_wanted(self):
        listening = self.page(show_all=True)
        self.hear(listening, 3, 'unchanged', name='there already')
        self.assertIn('there already', self.read(listening).texts)

    def test_destinations_in_trouble(self):
        now = time.time()
        self.useFixture(fixtures.MonkeyPatch('time.time', lambda: now))
        self.at(60, 61, 3600, 7200, 7200, 7300, 7400)
        listening = self.page()
        # It was silent for half a minute by then.
        listening.down('r1', now - 30)
        listening.down('r2', now)
        listening.up('r1')
        listening.down('r1', now)
        self.hear(listening, 1, 'copied')
        unusable = {'r3': "Cannot use cloud 'r3': down\x1b"}
        texts = self.read(listening, '1 copied', unusable).texts

        def clock(text):
            return datetime.datetime.fromisoformat(text.replace(' UTC', 'Z'))

        begun = clock(texts[texts.index('begun') + 1])
        start = texts.index('Destinations in trouble') + 1
        first, second, third = texts[start : start + 3]
        told, again = first.split('; ')
        for text, words, seconds in (
            (told, 'r1 was down from (.*) to (.*)', (30, 3600)),
            (again, 'r1 is down since (.*)', (7200,)),
            (second, 'r2 is down since (.*)', (61,)),
        ):
            found = re.fullmatch(words, text)
            times = [clock(time) - begun for time in found.groups()]
            self.assertEqual(
                [datetime.timedelta(seconds=number) for number in seconds],
                times,
            )
        self.assertEqual("Cannot use cloud 'r3': down\\x1b", third)

    def test_trouble_from_before_the_run(self):
        """A clock that was set does not draw it outside of the page."""
        self.at(1, 2)
        listening = self.page()
        listening.down('r1', time.time() - 1000)
        texts = self.read(listening).texts
        begun = texts[texts.index('begun') + 1]
        self.assertIn(f'r1 is down since {begun}', texts)

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

    def test_long_names_are_cut(self):
        listening = self.page()
        self.hear(listening, 1, 'copied', name='x' * 100_000)
        texts = self.read(listening).texts
        cut = [text for text in texts if 'xxx' in text]
        self.assertGreaterEqual(len(cut), 2)
        for text in cut:
            self.assertLess(len(text), 350)
            self.assertIn('x… (100000 characters)', text)

    def test_what_was_not_begun_took_no_time(self):
        listening = self.page(show_all=True)
        self.hear(listening, 3, 'unchanged')
        self.assertNotIn('0.0 s', self.read(listening).texts)

    def test_what_has_waited_for_a_region_took_no_longer(self):
        self.at(0.0, 1000.0, 1002.5, 1003.0)
        listening = self.page()
        action = plan.Action(samples.image(1), 'slave', plan.Verb.COPY)
        listening.begun(action)
        listening.put_off(action)
        self.hear(listening, 1, 'copied')
        self.assertIn('2.5 s', self.read(listening).texts)

    def test_what_is_still_sent_waits_for_the_page(self):
        """After SIGINT, threads go on for a while."""
        listening = self.page()
        action = plan.Action(samples.image(1), 'slave', plan.Verb.COPY)
        waiting = []

        class Unusable(dict):
            def values(self):
                thread = threading.Thread(
                    target=listening.sent, args=(action, 1)
                )
                thread.start()
                thread.join(0.2)
                waiting.append(thread.is_alive())
                return []

        listening.write('as told', Unusable())
        self.assertEqual([True], waiting)

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
