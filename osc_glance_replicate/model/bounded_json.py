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

"""JSON that a stranger wrote, decoded within limits of memory.

Three bytes of JSON make 72 bytes of objects: ``{},``.
"""

import itertools
import json
import re
from typing import Any

#: Whatever makes an object: a string, or what begins or follows another one.
#: Possessive: so that a long string takes no memory.
_PART = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{,]', re.DOTALL)

#: What a part begins with.
_BEGINNINGS = (b'"', b'[', b'{', b',')


class TooManyError(ValueError):
    """There is more in it than may be decoded."""


def loads(content: bytes, most: int, **options: Any) -> Any:
    """Decode JSON, unless it takes too many objects, which are not made.

    :param most: maximum number of strings, commas and opening brackets
    :param options: of json.loads
    :raises TooManyError: there are more
    :raises ValueError: it is not JSON
    :raises RecursionError: it is nested too deeply
    """
    encoding = json.detect_encoding(content)
    if encoding.startswith('utf-8'):
        parts = content
    else:
        text = content.decode(encoding, 'surrogatepass')
        parts = text.encode('utf-8', 'surrogatepass')
    # Each part has one of these: few of them are counted in no time.
    if sum(map(parts.count, _BEGINNINGS)) > most:
        more = itertools.islice(_PART.finditer(parts), most, None)
        if next(more, None):
            raise TooManyError(f'more than {most} parts of JSON')
    return json.loads(content, **options)
