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

extensions = [
    'cliff.sphinxext',
    'openstackdocstheme',
]

project = 'osc-glance-replicate'
copyright = 'OpenStack contributors'
master_doc = 'index'

html_theme = 'openstackdocs'
html_static_path = ['_static']
html_css_files = ['tables.css']
pygments_style = 'native'
# What commands print is no Python.
highlight_language = 'none'

openstackdocs_repo_name = 'openstack/osc-glance-replicate'
openstackdocs_auto_name = False

# Quotes and ellipses, but not dashes: options begin with two hyphens.
smartquotes_action = 'qe'

autoprogram_cliff_application = 'openstack'
# What every list command has is documented by python-openstackclient.
autoprogram_cliff_ignored = [
    '--help',
    '--format',
    '--column',
    '--max-width',
    '--fit-width',
    '--print-empty',
    '--prefix',
    '--noindent',
    '--quote',
    '--sort-column',
    '--sort-ascending',
    '--sort-descending',
]
