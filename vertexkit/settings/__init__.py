"""Every setting and every default, in sections; the environment that sets them."""

from vertexkit.settings.environment import PREFIX as PREFIX
from vertexkit.settings.sections import INSTANCE as INSTANCE
from vertexkit.settings.sections import KEY_COMMAND as KEY_COMMAND
from vertexkit.settings.sections import AccessSettings as AccessSettings
from vertexkit.settings.sections import HandlerSettings as HandlerSettings
from vertexkit.settings.sections import JournalSettings as JournalSettings
from vertexkit.settings.sections import LoggingSettings as LoggingSettings
from vertexkit.settings.sections import Network as Network
from vertexkit.settings.sections import PlatformSettings as PlatformSettings
from vertexkit.settings.sections import ServerSettings as ServerSettings
from vertexkit.settings.settings import FIELDS as FIELDS
from vertexkit.settings.settings import Settings as Settings
from vertexkit.settings.settings import environment_warnings as environment_warnings
from vertexkit.settings.settings import new_warnings as new_warnings
from vertexkit.settings.settings import read_variable as read_variable
