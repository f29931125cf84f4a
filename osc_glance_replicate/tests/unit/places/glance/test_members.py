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

from osc_glance_replicate import errors
from osc_glance_replicate.model import plan
from osc_glance_replicate.places import glance
from osc_glance_replicate.tests.doubles import fake_glance
from osc_glance_replicate.tests.doubles import samples

Answer = fake_glance.Answer


def publish(place, action):
    place.publish(action, action.replica)


class TestMembers(fake_glance.GlanceTest):
    def setUp(self):
        super().setUp()
        self.sent = []

    def set_members(
        self,
        there,
        wanted,
        exact=False,
        refuse=(),
        act=glance.Destination.update,
    ):
        """Have members set.

        :param there: those that Glance has: project → status
        :param refuse: what is answered with 403
        """

        def answer(request):
            if request.method == 'GET':
                listed = [
                    {'member_id': project, 'status': status}
                    for project, status in there.items()
                ]
                return Answer(200, {'members': listed})
            if request.method == 'PATCH':
                return Answer(200, dict(image.record))
            name = request.path.rpartition('/')[2]
            self.sent.append((request.method, name, request.body))
            good = 204 if request.method == 'DELETE' else 200
            return Answer(403 if name in refuse else good, {})

        image = samples.image(visibility='shared', members=wanted)
        action = plan.Action(
            image,
            'slave',
            plan.Verb.UPDATE,
            samples.image(),
            changes=(plan.Change('members', wanted, {}, exact),),
            exact=exact,
        )
        place = self.serve(answer)
        try:
            act(place, action)
        except errors.RefusedError as exc:
            return str(exc)
        return ''

    def test_each_is_set_whatever_becomes_of_others(self):
        problem = self.set_members(
            {'old': 'accepted', 'p': 'pending'},
            {'p': 'accepted', 'q': 'rejected'},
            exact=True,
            refuse=['p'],
        )
        self.assertEqual(
            ['DELETE old', 'PUT p', 'POST members', 'PUT q'],
            [f'{method} {name}' for method, name, _ in self.sent],
        )
        self.assertIn('member p: HTTP 403', problem)
        self.assertNotIn('member q', problem)

    def test_those_of_others_stay_unless_it_is_to_be_exact(self):
        for act in glance.Destination.update, publish:
            self.set_members({'old': 'accepted'}, {}, act=act)
            self.assertEqual([], self.sent)

    def test_published_exactly_without_members_has_none(self):
        self.set_members({'old': 'accepted'}, {}, exact=True, act=publish)
        ((method, name, _),) = self.sent
        self.assertEqual(('DELETE', 'old'), (method, name))

    def test_members_of_another_image_are_none(self):
        for other, good in ((1, True), (2, False)):
            member = {
                'member_id': 'p',
                'status': 'accepted',
                'image_id': samples.image(other).id,
            }
            place = self.serve(
                lambda request, member=member: Answer(
                    200, {'members': [member]}
                )
            )
            if good:
                members = place.members(samples.image(1))
                self.assertEqual({'p': 'accepted'}, members)
            else:
                self.assertRaises(
                    errors.PlaceError, place.members, samples.image(1)
                )

    def test_id_that_is_a_path_is_refused(self):
        for project in ('..', '.', '../..', 'a/b', 'a?b', ''):
            place = self.serve(
                lambda request, project=project: Answer(
                    200,
                    {'members': [{'member_id': project, 'status': 'pending'}]},
                )
            )
            self.assertRaises(
                errors.PlaceError, place.members, samples.image()
            )
