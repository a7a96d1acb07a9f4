"""Configuration settings of a task: stored as given, interpreted by the agent."""

from typing import Annotated

from msgspec import Meta

from wherry.contract.enumerations import MigrateType
from wherry.contract.values import FilledText, LongText, Text, Wire


class ConfigSetting(Wire, frozen=True, kw_only=True):
    """One setting. The key is free text: older names and keys of later versions are stored too (`ConfigKey`)."""

    config_key: FilledText
    config_value: LongText
    config_status: Text | None = None


class ConfigSettings(Wire, frozen=True, kw_only=True):
    """Body of UploadSpecialConfigurationSetting."""

    configurations: Annotated[list[ConfigSetting], Meta(max_length=50)]


class ConfigSettingsAnswer(Wire, frozen=True, kw_only=True):
    """Answer of ShowConfigSetting."""

    task_id: str
    migrate_type: MigrateType
    configurations: list[ConfigSetting]


class ConfigSettingsQuery(Wire, frozen=True, kw_only=True):
    """Query of ShowConfigSetting."""

    config_key: str | None = None
