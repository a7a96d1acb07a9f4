"""What cloud-init is told of its data source.

Source: cloud-init's documentation of base configuration (datasource_list) and of ds-identify.
"""

from typing import Final

import yaml

_MOST_CHARACTERS: Final = 256 << 10


def datasources(text: str) -> list[str] | None:
    """Return the data sources that a configuration file of cloud-init names; None where it names none."""
    if len(text) > _MOST_CHARACTERS or "datasource_list" not in text:
        return None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    for key, node in pairs:
        if isinstance(key, yaml.ScalarNode) and key.value == "datasource_list" and isinstance(node, yaml.SequenceNode):
            return [each.value for each in node.value if isinstance(each, yaml.ScalarNode)]
    return None
