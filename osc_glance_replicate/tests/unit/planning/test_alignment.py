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

import itertools

import testtools

from osc_glance_replicate import errors
from osc_glance_replicate.model import image_selection
from osc_glance_replicate.planning import alignment
from osc_glance_replicate.tests.doubles import samples


class Listing:
    """A place that has some images, for what only lists."""

    dates = True

    def __init__(self, name, *images):
        self.name = name
        self._images = images

    def images(self, selection=None):
        return iter(self._images)

    def find(self, image_id):
        return next((i for i in self._images if i.id == image_id), None)

    def named(self, name):
        return [image for image in self._images if image.name == name]


class TestAlign(testtools.TestCase):
    def test_rows_hold_the_records_of_one_id(self):
        one, two, three = (samples.image(number) for number in (1, 2, 3))
        self.assertEqual(
            [[one, one, None], [two, None, None], [None, three, three]],
            list(alignment.align([[one, two], [one, three], [three]])),
        )

    def test_ids_that_differ_in_case_are_two_images(self):
        lower, upper = (samples.image(id='a' * 8 + c * 28) for c in 'bB')
        self.assertEqual(
            [[lower, lower], [upper, None]],
            list(alignment.align([[lower, upper], [lower]])),
        )

    def test_capital_letters_part_no_other_image_from_its_replica(self):
        """They come last, at each place, wherever they would stand."""
        small = [samples.image(0xF0), samples.image(0xF1)]
        upper = samples.image(id=samples.image(0xA0).id.upper())
        for listings, rows in (
            (
                [[*small, upper], small],
                [[small[0]] * 2, [small[1]] * 2, [upper, None]],
            ),
            (
                [small, [*small, upper]],
                [[small[0]] * 2, [small[1]] * 2, [None, upper]],
            ),
        ):
            self.assertEqual(rows, list(alignment.align(listings)))

    def test_ids_that_differ_in_case_are_two_images_at_two_places(self):
        """Whoever made the one may be nobody to the owner of the other."""
        lower, upper = (samples.image(id='a' * 8 + c * 28) for c in 'bB')
        for one, other in ((lower, upper), (upper, lower)):
            self.assertCountEqual(
                [[one, None], [None, other]],
                list(alignment.align([[one], [other]])),
            )
        self.assertEqual(
            [[lower, lower], [upper, upper]],
            list(alignment.align([[lower, upper], [lower, upper]])),
        )

    def test_listings_are_read_as_rows_are_asked_for(self):
        endless = (samples.image(number) for number in itertools.count())
        rows = alignment.align([endless, []])
        self.assertEqual(3, len(list(itertools.islice(rows, 3))))


class TestRows(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.one = samples.image(1)
        self.two = samples.image(2)
        self.source = Listing('master', self.one, self.two)

    def test_names_and_ids_are_looked_up_and_come_once(self):
        rows = alignment.rows(
            self.source,
            [Listing('slave')],
            image_selection.Selection(['image 2', self.one.id, self.two.id]),
        )
        self.assertEqual([[self.two, None], [self.one, None]], list(rows))

    def test_no_record_is_held_where_nothing_is_compared(self):
        """Each may have megabytes, and a dump has no times of its own."""
        given = []

        def images():
            for number in range(1000):
                given.append(number)
                yield samples.image(number)

        dump, other = Listing('/dump'), Listing('/other')
        dump.dates = other.dates = False
        dump.images = lambda selection: images()
        for places in [], [Listing('slave')], [other]:
            given.clear()
            rows = alignment.rows(dump, places, image_selection.Selection())
            next(rows)
            self.assertLess(len(given), 4)

    def test_id_is_never_taken_for_a_name(self):
        """Anyone can give his image the ID of one that is gone as a name."""
        gone = samples.image(3).id
        for text in gone, 'F' * 8 + gone[8:]:
            error = self.assertRaises(
                errors.SelectionError,
                alignment.rows,
                Listing('master', samples.image(4, name=text)),
                [],
                image_selection.Selection([text]),
            )
            self.assertIn(text, str(error))

    def test_record_that_cannot_be_had_is_the_trouble_of_its_row(self):
        for kind in errors.OtherCaseError, errors.TooLongError:
            self._assert_trouble_of_its_row(kind('slave', 'why'))

    def _assert_trouble_of_its_row(self, mistaken):
        class Mistaken(Listing):
            def find(self, image_id):
                raise mistaken

        chosen = image_selection.Selection([self.one.id, self.two.id])
        slave = Listing('slave')
        for source, places in (
            (self.source, [Mistaken('slave'), slave]),
            (Mistaken('master'), [slave]),
        ):
            for row in alignment.rows(source, places, chosen):
                (flawed,) = (image for image in row if image and image.flaw)
                self.assertEqual(mistaken.problem, flawed.defect)
                self.assertIn(flawed.id, chosen.images)
        row = alignment.row(Mistaken('master'), [slave], self.one.id)
        self.assertEqual(mistaken.problem, row[0].defect)

    def test_place_that_answers_with_another_image_ends_the_plan(self):
        class Wrong(Listing):
            def find(self, image_id):
                raise errors.PlaceError('slave', 'asked for 1, answers 2')

        self.assertRaises(
            errors.PlaceError,
            alignment.rows,
            self.source,
            [Wrong('slave')],
            image_selection.Selection([self.one.id]),
        )

    def test_unknown_name_is_an_error(self):
        error = self.assertRaises(
            errors.SelectionError,
            alignment.rows,
            self.source,
            [],
            image_selection.Selection(['image 1', 'ghost']),
        )
        self.assertIn("'ghost' in master", str(error))

    def test_ambiguous_name_is_an_error_that_gives_the_ids(self):
        twin = samples.image(3, name='image 1')
        source = Listing('master', self.one, twin)
        error = self.assertRaises(
            errors.SelectionError,
            alignment.rows,
            source,
            [],
            image_selection.Selection(['image 1']),
        )
        self.assertIn(self.one.id, str(error))
        self.assertIn(twin.id, str(error))

    def test_id_that_is_none_is_looked_up_nowhere(self):
        evil = samples.image(id='../../v3/auth/tokens')
        slave = Listing('slave')
        slave.find = self.fail
        rows = alignment.rows(
            Listing('master', evil),
            [slave],
            image_selection.Selection(['image 1']),
        )
        self.assertEqual([[evil, None]], list(rows))


class TestFind(testtools.TestCase):
    def test_members_that_cannot_be_read_now_may_be_another_time(self):
        image = samples.image(visibility='shared')
        place = Listing('slave', image)

        def members(image):
            raise trouble

        place.members = members
        for trouble, words in (
            (errors.TransientError('slave', 'busy'), ''),
            (errors.RefusedError('slave', 'no'), 'cannot be read'),
        ):
            if words:
                found = alignment.find(place, image.id, members=True)
                self.assertIn(words, found.unread)
            else:
                self.assertRaises(
                    errors.TransientError,
                    alignment.find, place, image.id, members=True,
                )  # fmt: skip


class TestAliases(testtools.TestCase):
    """One service is found out, and no tenant can make two look like one."""

    def rows(self, *places, chosen=(), own=(), **options):
        """Align places of such images each, the source's first."""
        source, *others = (
            Listing(name, *images)
            for name, images in zip('abc', places, strict=False)
        )
        return list(
            alignment.rows(
                source,
                others,
                image_selection.Selection(list(chosen), **options),
                own=own,
            )
        )

    def assertSame(self, *places, **options):
        error = self.assertRaises(
            errors.CloudError, self.rows, *places, **options
        )
        for name in "'a'", "'b'":
            self.assertIn(name, str(error))

    def test_public_image_is_evidence(self):
        golden = samples.image(1, visibility='public')
        theirs = samples.image(2, owner='demo')
        self.assertSame([golden, theirs], [golden, theirs])
        # Seen by somebody who sees no others' images.
        self.assertSame([golden, theirs], [golden])
        self.assertSame([golden], [golden, theirs])
        self.assertSame([golden, theirs], [golden], chosen=[golden.id])

    def test_image_of_the_runners_is_evidence(self):
        mine = samples.image(1, owner='admin')
        self.assertSame([mine], [mine], own=['admin'])
        self.assertSame([mine], [mine], own=['admin'], chosen=[mine.id])

    def test_what_a_tenant_makes_at_both_is_none(self):
        """However many, by its IDs before all others, or named."""
        theirs = [
            samples.image(
                number,
                owner='demo',
                visibility=('private', 'shared', 'community')[number % 3],
            )
            for number in range(1, 701)
        ]
        golden = samples.image(800, visibility='public')
        for there in theirs, [*theirs, golden]:
            rows = self.rows([*theirs, golden], there, own=['admin'])
            self.assertLess(699, len(rows))
        self.rows(theirs, theirs, own=['admin'], owner='demo')
        twin = theirs[0]
        self.rows([twin], [twin], own=['admin'], chosen=[twin.id])

    def test_public_image_that_is_at_one_of_them_only(self):
        one, other = (samples.image(n, visibility='public') for n in (1, 2))
        for a, b in (([one, other], [one]), ([one], [one, other])):
            self.rows(a, b)
        # It may be left out of a listing that is narrowed down.
        self.assertSame([one], [one, other], names=['image 1'])

    def test_public_image_with_a_defect_shows_nothing(self):
        one = samples.image(1, visibility='public')
        broken = samples.image(2, visibility='public', size='x')
        self.rows([broken], [broken])
        self.assertSame([one, broken], [one])

    def test_aliases_among_destinations(self):
        images = [
            samples.image(number, visibility='public')
            for number in range(10, 20)
        ]
        error = self.assertRaises(
            errors.CloudError, self.rows, [], images, images
        )
        for name in "'b'", "'c'":
            self.assertIn(name, str(error))
        # Replicas that a run has made at both in the same seconds.
        few = images[1:]
        self.rows([], few, few)
        later = samples.image(
            10, visibility='public', updated_at='2026-01-01T00:00:10Z'
        )
        self.rows([], images, [later, *few])

    def test_replicas_of_one_run_at_another_keystone_are_no_alias(self):
        images, replicas = (
            [samples.image(n, owner=o, visibility='public') for n in (1, 2)]
            for o in ('one', 'another')
        )
        self.rows(images, replicas)

    def test_one_image_of_another_time_shows_another_service(self):
        one = samples.image(1, visibility='public')
        theirs, replica = (
            samples.image(2, created_at=f'2026-0{month}-02T00:00:00Z')
            for month in (1, 2)
        )
        self.rows([one, theirs], [one, replica])
