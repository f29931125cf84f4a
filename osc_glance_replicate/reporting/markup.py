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

"""The elements of a page, whatever stands in them."""

from xml.etree import ElementTree

from osc_glance_replicate.reporting import legible


def add(
    parent: ElementTree.Element, tag: str, text: str = '', **attributes: str
) -> ElementTree.Element:
    """Add an element; its text is escaped, and legible."""
    element = ElementTree.SubElement(parent, tag, attributes)
    element.text = text if tag == 'style' else legible.text(text)
    return element
