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

"""The page of --report as a real browser shows it: Debian's chromium."""

import json

import fixtures
from selenium import webdriver
from selenium.webdriver.chrome import options
from selenium.webdriver.chrome import service

from osc_glance_replicate.model import outcomes
from osc_glance_replicate.model import plan
from osc_glance_replicate.reporting import page
from osc_glance_replicate.tests.doubles import pages
from osc_glance_replicate.tests.doubles import samples

#: Pixels: of a telephone, and of a screen on which the whole page is seen.
_NARROW = 360
_WIDE, _HIGH = 1280, 30_000

_TRANSFERS = 8

#: As WCAG 2.2 has it, for texts (1.4.3) and for what is drawn (1.4.11).
_TEXT_CONTRAST = 4.5
_DRAWN_CONTRAST = 3.0

#: What reaches out of the screen, and cannot be moved within it.
_OVERFLOWING = """
const beyond = [...document.querySelectorAll('body *')].filter(element =>
    !element.closest('svg')
    && element.getBoundingClientRect().right > innerWidth + 0.5);
const still = [...document.querySelectorAll('figure')].filter(figure =>
    figure.scrollWidth > figure.clientWidth
    && (getComputedStyle(figure).overflowX !== 'auto'
        || figure.tabIndex !== 0));
return [document.scrollingElement.scrollWidth,
    ...[...beyond, ...still].map(element => element.outerHTML)];
"""

#: Each text and each thing drawn, with the contrast to what is behind it.
_CONTRASTS = """
const parsed = color => color.match(/[\\d.]+/g).map(Number);
const luminance = rgb => rgb.slice(0, 3).map(value => value / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort(
        (a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
};
const paper = parsed(getComputedStyle(document.body).backgroundColor);
const filled = element => {
    const style = getComputedStyle(element);
    const share = Number(style.fillOpacity);
    return parsed(style.fill).slice(0, 3).map(
        (value, i) => share * value + (1 - share) * paper[i]);
};
const behind = text => {
    const box = text.getBoundingClientRect();
    const below = document.elementsFromPoint(
        box.left + box.width / 2, box.top + box.height / 2);
    const shape = below.find(element =>
        ['rect', 'polygon'].includes(element.tagName));
    return shape ? filled(shape) : paper;
};
const told = [];
for (const element of document.querySelectorAll('body *')) {
    const words = [...element.childNodes].filter(
        node => node.nodeType === 3 && node.data.trim()).length;
    const style = getComputedStyle(element);
    if (element.tagName === 'text')
        told.push(['text', element.textContent,
            contrast(parsed(style.fill), behind(element))]);
    else if (element.tagName === 'rect' || element.tagName === 'polygon')
        told.push(['drawn', element.getAttribute('class'), contrast(
            element.matches('.down') ? parsed(style.stroke)
                : filled(element), paper)]);
    else if (words && !element.closest('svg'))
        told.push(['text', element.textContent,
            contrast(parsed(style.color), paper)]);
}
return told;
"""

#: Where each bar of the last drawing is, and the text on it.
_BARS = """
const box = element => {
    const {left, right, top, bottom} = element.getBoundingClientRect();
    return {left, right, top, bottom};
};
const svg = [...document.querySelectorAll('svg')].at(-1);
return {
    svg: box(svg),
    bars: [...svg.querySelectorAll('rect')].map(box),
    texts: [...svg.querySelectorAll('text')].map(box),
    names: [...svg.querySelectorAll('text.name')].map(
        text => [box(text), box(text.previousElementSibling)]),
};
"""


class TestPage(pages.PageTest):
    def setUp(self):
        super().setUp()
        self.now = 0.0
        self.useFixture(
            fixtures.MonkeyPatch(
                f'{page.__name__}.Page._now', lambda page: self.now
            )
        )
        wanted = options.Options()
        wanted.binary_location = '/usr/bin/chromium'
        for argument in (
            '--headless=new', '--no-sandbox', '--disable-gpu',
            '--disable-dev-shm-usage',
        ):  # fmt: skip
            wanted.add_argument(argument)
        wanted.set_capability(
            'goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'}
        )
        self.browser = webdriver.Chrome(
            wanted, service.Service('/usr/bin/chromedriver')
        )
        self.addCleanup(self.browser.quit)

    def copy(self, listening, images, to=('north', 'south'), **fields):
        """Copy images, some at a time; some fail, and a region is down."""
        ends = [0.0] * _TRANSFERS
        told = []
        for number in range(images):
            lane = ends.index(min(ends))
            seconds = 1 + number * 7919 % 13
            told.append((ends[lane], 'begun', number, seconds))
            told.append((ends[lane] + seconds / 2, 'sent', number, seconds))
            ends[lane] += seconds
            told.append((ends[lane], 'ended', number, seconds))
        for now, event, number, seconds in sorted(told):
            self.now = now
            named = {'name': f'image {number}', **fields}
            action = plan.Action(
                samples.image(number, size=seconds * 10**6, **named),
                to[number % len(to)],
                plan.Verb.COPY,
            )
            if event == 'begun':
                listening.begun(action)
            elif event == 'sent':
                listening.sent(action, seconds * 10**6)
            else:
                self.end(listening, action, number)
        listening.down('west', 0.0)
        self.now = max(ends)

    def end(self, listening, action, number):
        result, reason = outcomes.Result.COPIED, ''
        if number % 50 == 3:
            result = outcomes.Result.FAILED
            reason = f'{action.to}: HTTP 503 ' + 'and-so-on' * 20
        listening.ended(outcomes.Outcome(action, result, reason))

    def open(self, listening, width=_WIDE, scheme='light'):
        """Show the page."""
        listening.write('as told', {'east': "Cannot use cloud 'east'"})
        for command, how in (
            (
                'Emulation.setDeviceMetricsOverride',
                {
                    'width': width,
                    'height': _HIGH,
                    'deviceScaleFactor': 1,
                    'mobile': False,
                },
            ),
            (
                'Emulation.setEmulatedMedia',
                {
                    'features': [
                        {'name': 'prefers-color-scheme', 'value': scheme}
                    ]
                },
            ),
        ):
            self.browser.execute_cdp_cmd(command, how)
        self.browser.get(self.path.as_uri())
        self.assertEqual(
            width, self.browser.execute_script('return innerWidth')
        )

    def test_asks_for_nothing_and_complains_of_nothing(self):
        listening = self.page()
        self.copy(listening, 20)
        # What it shows at its start is none of ours.
        self.browser.get_log('performance')
        self.open(listening)
        self.assertEqual([], self.browser.get_log('browser'))
        events = [
            json.loads(entry['message'])['message']
            for entry in self.browser.get_log('performance')
        ]
        asked = {
            event['params']['request']['url']
            for event in events
            if event['method'] == 'Network.requestWillBeSent'
        }
        self.assertEqual({self.path.as_uri()}, asked)

    def test_fits_a_telephone(self):
        for fields in {}, {'name': 'x' * 255}, {'name': 'word ' * 51}:
            listening = self.page(show_all=True)
            self.now = 0.0
            self.copy(listening, 60, ('north', 'r' * 64), **fields)
            self.open(listening, _NARROW)
            width, *beyond = self.browser.execute_script(_OVERFLOWING)
            self.assertEqual([], beyond)
            self.assertLessEqual(width, _NARROW)

    def test_is_read_without_effort(self):
        seen = {}
        for scheme in 'light', 'dark':
            listening = self.page()
            self.now = 0.0
            self.copy(listening, 60)
            self.open(listening, scheme=scheme)
            told = self.browser.execute_script(_CONTRASTS)
            least = {'text': _TEXT_CONTRAST, 'drawn': _DRAWN_CONTRAST}
            pale = [each for each in told if each[2] < least[each[0]]]
            self.assertEqual([], pale, scheme)
            for kind in least:
                self.assertGreater(sum(each[0] == kind for each in told), 20)
            seen[scheme] = sorted(contrast for _, _, contrast in told)
        self.assertNotEqual(seen['light'], seen['dark'])

    def test_many_images(self):
        listening = self.page()
        self.copy(listening, 500)
        self.open(listening)
        found = self.browser.execute_script(_BARS)
        bars = found['bars']
        self.assertEqual(500, len(bars))
        rows = len({bar['top'] for bar in bars})
        self.assertLessEqual(rows, 2 * _TRANSFERS)
        svg = found['svg']
        self.assertLess(svg['bottom'] - svg['top'], 600)
        self.assertApart(bars)
        self.assertApart(found['texts'])
        for bar in bars:
            self.assertGreaterEqual(bar['right'] - bar['left'], 1)

    def test_names_stand_on_their_bars(self):
        listening = self.page()
        self.copy(listening, 40)
        self.open(listening)
        names = self.browser.execute_script(_BARS)['names']
        self.assertGreater(len(names), 20)
        for name, bar in names:
            for side, sign in (
                ('left', -1), ('right', 1), ('top', -1), ('bottom', 1)
            ):  # fmt: skip
                self.assertLessEqual(
                    sign * name[side], sign * bar[side] + 1, side
                )

    def assertApart(self, boxes):
        """Check that none covers another by more than its edge."""
        for index, one in enumerate(boxes):
            for other in boxes[:index]:
                wide, high = (
                    min(one[end], other[end]) - max(one[start], other[start])
                    for start, end in (('left', 'right'), ('top', 'bottom'))
                )
                self.assertFalse(wide > 1 and high > 1, (one, other))
