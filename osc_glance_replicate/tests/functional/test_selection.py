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

"""Which images the options choose: in every verb, for every user."""

import itertools
import os

from osc_glance_replicate.sandbox import client
from osc_glance_replicate.tests.functional import base

#: What is asked in turn: all verbs shall choose the same images.
_QUESTIONS = (
    ('livecopy', '--dry-run', '--to', '{to}'),
    ('compare', '--to', '{to}'),
    ('size',),
    ('size', '--to', '{to}'),
)


class SelectionTest(base.FunctionalTest):
    """Images whose sizes are powers of two, so that a sum names its parts."""

    def setUp(self):
        super().setUp()
        self.images = {}

    def add(self, name, user='', **fields):
        data = client.as_raw(os.urandom(2 ** len(self.images)))
        image = self.master.create(data, user, name=name, **fields)
        self.images[name] = image
        return image

    def share(self, image, user, status):
        member = self.master.project_id(user)
        path = f'/images/{image.id}/members'
        self.master.request('POST', path, json={'member': member})
        self.master.request('PUT', f'{path}/{member}', json={'status': status})

    def run_all(self, *commands, source='master'):
        """Run one command after the other.

        :param commands: each an exit code and the words of a command line
        """
        return [
            self.openstack(
                '--os-cloud', source, 'image', 'replicate', *words, expect=code
            )
            for code, *words in commands
        ]

    def assertChosen(self, *cases, source='master', to='slave'):
        """Ask one verb after the other what some options choose.

        :param cases: each the words of a command line and, with spaces
            between, the names of the images that are to be copied then
        """
        commands = []
        for (words, names), (verb, *more) in zip(
            cases, itertools.cycle(_QUESTIONS), strict=False
        ):
            more = [word.format(to=to) for word in more]
            different = verb == 'compare' and names
            code = 3 if different else 0
            commands.append((code, verb, '-f', 'json', *more, *words))
        results = self.run_all(*commands, source=source)
        for command, (_, names), result in zip(
            commands, cases, results, strict=True
        ):
            self.assertEqual(
                sorted(names.split()), self._chosen(result), command
            )

    def _chosen(self, result):
        """Say which images a result is about, by their names."""
        if result.rows and 'Bytes' in result.rows[0]:
            (row,) = result.rows
            chosen = [
                name
                for name, image in self.images.items()
                if image.size & row['Bytes']
            ]
            self.assertEqual(len(chosen), row['Images'])
            return sorted(chosen)
        for row in result.rows:
            self.assertIn(
                row.get('Result', row.get('Difference')), ('copy', 'missing')
            )
        return sorted(row['Name'] for row in result.rows)


class TestAdmin(SelectionTest):
    """One catalogue, and every option."""

    def setUp(self):
        super().setUp()
        self.add(
            'debian-12', visibility='public', tags=['prod', 'lts'],
            os_distro='debian', release='12',
        )  # fmt: skip
        self.add(
            'debian-13', visibility='community', tags=['prod', 'ü x'],
            os_distro='debian', release='13',
        )  # fmt: skip
        self.add(
            'Debian-old', tags=['lts'], release='7', empty='',
            disk_format='aki', container_format='aki',
        )  # fmt: skip
        self.add(
            'cirros', visibility='shared', os_distro='cirros', note='a=b',
        )  # fmt: skip
        self.add('demo-own', user='demo')
        self.add('alt-com', user='alt', visibility='community')
        self.add(
            'hidden-gold', visibility='public', tags=['prod'], os_hidden=True
        )
        self.add('accepted', user='alt', visibility='shared')
        self.add('pending', user='alt', visibility='shared')
        self.add('k-less')
        self.add('k-more')
        self.assertEqual(
            [512, 1024],
            [self.images[name].size for name in ('k-less', 'k-more')],
        )
        self.share(self.images['accepted'], 'demo', 'accepted')
        self.share(self.images['pending'], 'demo', 'pending')
        # Not active: chosen by nothing.
        self.master.create(None, name='debian-queued', visibility='public')
        self.master.sql("UPDATE images SET updated_at = '2026-01-02 10:00:00'")
        self.master.sql(
            "UPDATE images SET updated_at = '2026-01-02 10:00:01' "
            "WHERE name = 'cirros'"
        )
        self.master.sql(
            "UPDATE images SET updated_at = now() at time zone 'UTC' "
            "WHERE name = 'k-less'"
        )

    def test_each_option_chooses_and_leaves_out(self):
        images = self.images
        everything = ' '.join(images.keys() - {'hidden-gold'})
        others = ' '.join(
            images.keys() - {'hidden-gold', 'debian-12', 'debian-13', 'cirros'}
        )
        self.assertChosen(
            ((), everything),
            (('--name', '[dD]ebian-??', '--name', 'cir*'),
             'debian-12 debian-13 cirros'),
            (('--exclude', 'debian*', '--exclude', images['cirros'].id),
             others),
            (('--property', 'os_distro=debian', '--property', 'release=13'),
             'debian-13'),
            (('--property', 'note=a=b'), 'cirros'),
            (('--tag', 'prod', '--tag', 'ü x'), 'debian-13'),
            (('--private',), 'Debian-old demo-own k-less k-more'),
            (('--shared',), 'cirros accepted pending'),
            (('--public', '--community'), 'debian-12 debian-13 alt-com'),
            (('--include-hidden', '--public'), 'debian-12 hidden-gold'),
            (('--project', 'demo'), 'demo-own'),
            (('--project', self.master.project_id('alt')),
             'alt-com accepted pending'),
            (('--disk-format', 'aki'), 'Debian-old'),
            (('--min-size', '1k', '--max-size', '1Ki'), 'k-more'),
            (('--max-size', '1k', '--min-size', '512'), 'k-less'),
            (('--updated-since', '1h'), 'k-less'),
            (('--updated-since', '2026-01-02T11:00:01+01:00'),
             'cirros k-less'),
        )  # fmt: skip

    def test_options_and_images_combine_in_any_order(self):
        options = (
            '--tag', 'prod', '--property', 'os_distro=debian', '--name', 'd*',
            '--community', '--public', '--disk-format', 'raw', '--project',
            'admin', '--min-size', '1', '--max-size', '1M', '--updated-since',
            '2025-12-31', '--exclude', '*-12',
        )  # fmt: skip
        self.assertChosen(*[(options, 'debian-13')] * 4)
        cirros, old = self.images['cirros'], self.images['Debian-old']
        mixed = (
            'cirros', '--min-size', '1', old.id, '--exclude', 'debian-13',
            cirros.id, 'Debian-old',
        )  # fmt: skip
        self.assertChosen(*[(mixed, 'cirros Debian-old')] * 2)

    def test_named_image_that_is_not_chosen_is_said_to_be(self):
        """A livecopy tells why; nothing is missing where nothing would go."""
        named = ('debian-12', 'debian-queued', 'hidden-gold', 'demo-own')
        options = ('-f', 'json', '--to', 'slave', '--exclude', 'demo*', *named)
        dry, compared, sizes = self.run_all(
            (0, 'livecopy', '--dry-run', *options),
            (3, 'compare', *options),
            (0, 'size', *options),
        )
        reasons = {row['Name']: row['Reason'] for row in dry.rows}
        self.assertEqual(set(named), set(reasons))
        self.assertIn('queued', reasons['debian-queued'])
        self.assertIn('--include-hidden', reasons['hidden-gold'])
        self.assertIn('select', reasons['demo-own'])
        self.assertEqual(
            [('debian-12', 'missing')],
            [(row['Name'], row['Difference']) for row in compared.rows],
        )
        self.assertEqual([1], [row['Images'] for row in sizes.rows])
        self.assertEqual([1], [row['Bytes'] for row in sizes.rows])


class TestOrdinaryUser(SelectionTest):
    """What demo sees of others' images, and what is hidden from it."""

    def test_each_option_chooses_and_leaves_out(self):
        self.add('public', visibility='public')
        self.add('own-private', user='demo')
        self.add('own-shared', user='demo', visibility='shared')
        self.add('own-com', user='demo', visibility='community')
        self.add('own-hidden', user='demo', os_hidden=True)
        self.add('alt-com', user='alt', visibility='community', tags=['t'])
        self.add('alt-private', user='alt')
        self.add('alt-unshared', user='alt', visibility='shared')
        accepted = self.add('accepted', user='alt', visibility='shared')
        pending = self.add('pending', user='alt', visibility='shared')
        rejected = self.add('rejected', user='alt', visibility='shared')
        self.add('public-hidden', visibility='public', os_hidden=True)
        self.share(accepted, 'demo', 'accepted')
        self.share(pending, 'demo', 'pending')
        self.share(rejected, 'demo', 'rejected')
        own = 'own-private own-shared own-com'
        alts = 'alt-com accepted'
        self.assertChosen(
            ((), f'public {own} {alts}'),
            (('--include-hidden',),
             f'public {own} {alts} own-hidden public-hidden'),
            (('--shared',), 'own-shared accepted'),
            (('--private',), 'own-private'),
            (('--community', '--tag', 't'), 'alt-com'),
            (('--public', '--shared'), 'public own-shared accepted'),
            (('--project', 'demo'), own),
            (('--project', self.master.project_id('alt')), alts),
            # Who has not accepted an image sees it when he knows its ID.
            ((pending.id, 'accepted'), 'pending accepted'),
            source='master-demo', to='slave-demo',
        )  # fmt: skip


class TestMistakes(SelectionTest):
    """They are named, before any work."""

    def setUp(self):
        super().setUp()
        self.add('one')
        self.twins = [
            self.master.create(name='twin', os_hidden=hidden)
            for hidden in (False, True)
        ]

    def test_what_cannot_be_understood_is_a_usage_error(self):
        cases = (
            ('livecopy', '--min-size', 'lots'),
            ('compare', '--max-size', '-5'),
            ('compare', '--updated-since', 'yesterday'),
            ('size', '--updated-since', '2026-02-30'),
            ('livecopy', '--property', 'release'),
        )
        results = self.run_all(
            *((2, verb, '--to', 'slave', *words) for verb, *words in cases)
        )
        for (_, option, value), result in zip(cases, results, strict=True):
            self.assertEqual('', result.stdout)
            self.assertNotIn('Traceback', result.stderr)
            *_, last = result.stderr.splitlines()
            self.assertIn(option, last)
            self.assertIn(value, last)

    def test_what_cannot_be_found_is_named_in_one_line(self):
        dry = ('livecopy', '--to', 'slave')
        cases = (
            ('compare', '*', '--to', 'slave', 'one'),
            (*dry, '\x1b[2Jghost\n', 'one'),
            ('compare', 'twin', '--to', 'slave', 'one'),
            ('size', '--to', 'slave', '--project', 'nobody'),
        )
        words = (
            ("'*'", 'master'),
            (r'\x1b[2Jghost\n',),
            ("'twin'", *(twin.id for twin in self.twins)),
            ("'nobody'", 'master'),
        )
        results = self.run_all(*((1, *case) for case in cases))
        for case, expected, result in zip(cases, words, results, strict=True):
            self._assert_one_line(case, expected, result)

    def test_ordinary_user_is_told_of_a_project_that_he_cannot_find(self):
        case = ('size', '--project', 'alt')
        (result,) = self.run_all((1, *case), source='master-demo')
        self._assert_one_line(case, ("'alt'", 'master-demo'), result)

    def _assert_one_line(self, case, expected, result):
        self.assertEqual('', result.stdout, case)
        self.assertEqual(1, len(result.stderr.splitlines()), result.stderr)
        for word in expected:
            self.assertIn(word, result.stderr)
        self.assertEqual(set(), self.slave.ids())
