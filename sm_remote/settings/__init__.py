"""What a person can choose, and where each choice came from.

Lowest first: the default, the SageMaker SDK's configuration, the user's file, the project's file, the environment, the
notebook, the session, the call's own argument.
"""

from sm_remote.settings.combinations import check_combinations
from sm_remote.settings.files import find_project_file, find_user_file
from sm_remote.settings.notebook import forget_notebook_settings, read_notebook_settings, set_notebook_settings
from sm_remote.settings.resolution import resolve_settings
from sm_remote.settings.resolved import ResolvedSettings
from sm_remote.settings.schema import SettingDescription, Settings, check_names, describe_settings
from sm_remote.settings.session import read_session_settings, set_session_settings

__all__ = [
    "ResolvedSettings",
    "SettingDescription",
    "Settings",
    "check_combinations",
    "check_names",
    "describe_settings",
    "find_project_file",
    "find_user_file",
    "forget_notebook_settings",
    "read_notebook_settings",
    "read_session_settings",
    "resolve_settings",
    "set_notebook_settings",
    "set_session_settings",
]
