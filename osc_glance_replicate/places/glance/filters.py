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

"""A selection of images in the terms of Glance's listing."""

import datetime

from osc_glance_replicate.model import image_selection


def of(
    selection: image_selection.Selection,
) -> dict[str, str | list[str]]:
    """Return as much of a selection as Glance can be trusted to filter.

    Glance strips tags, and takes properties that are named like its own
    parameters and columns for those (see fact-filters); the planner filters
    the rest.
    """
    filters: dict[str, str | list[str]] = {}
    for key, value in selection.properties:
        # Glance takes a name with one of these endings for a range.
        if key.startswith(('hw_', 'os_')) and not key.endswith(
            ('_min', '_max')
        ):
            filters[key] = value
    if tags := [tag for tag in selection.tags if tag == tag.strip()]:
        filters['tag'] = tags
    # To Glance, "shared" is about memberships as well.
    visibilities = set(selection.visibilities)
    if len(visibilities) == 1 and 'shared' not in visibilities:
        (filters['visibility'],) = visibilities
    if selection.owner:
        filters['owner'] = selection.owner
    if selection.disk_format:
        filters['disk_format'] = f'eq:{selection.disk_format}'
    if selection.min_size:
        filters['size_min'] = str(selection.min_size)
    if selection.max_size is not None:
        filters['size_max'] = str(selection.max_size)
    if selection.updated_since:
        since = selection.updated_since.astimezone(datetime.UTC)
        since = since.replace(microsecond=0, tzinfo=None)
        filters['updated_at'] = f'gte:{since.isoformat()}Z'
    return filters
