"""Errors that a user can meet.

Every message is one line that names the file or setting and the cure, and every
class carries the exit code of the command line::

    Pix2colorError                 1
    ├── UsageError                 2   what was asked for cannot be meant
    │   ├── ConfigError            2   a recipe or a setting
    │   └── MissingPathError       2   a path that is not there
    ├── DataError                  1   photos that cannot be trained on or evaluated
    ├── ImageError                 1   one photo that cannot be read or written
    │   ├── HasColorError          1   one that has colour already, and was left alone
    │   └── OwnColorsError         1   one that pix2color has coloured, and is no truth to learn
    ├── ModelError                 1   a model file or checkpoint that cannot be used
    ├── TrainingError              1   a run that cannot go on
    ├── StorageError               1   a file that cannot be written, for a full disk perhaps
    └── MissingExtraError          1   an optional package that is not installed
"""

SOME_FAILED = 3
"""Exit code of a command that is done with all but some files."""


class Pix2colorError(Exception):
    """The base of all errors that pix2color raises on purpose."""

    exit_code = 1


class Stopped(Exception):  # noqa: N818 - it was asked for
    """The end of work that a signal stopped early, once all was saved; carries the exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class UsageError(Pix2colorError):
    """The error of a request that is wrong in itself."""

    exit_code = 2


class ConfigError(UsageError):
    """The error of a wrong recipe, or of a wrong setting in it."""


class MissingPathError(UsageError):
    """The error of a file or folder that was named and does not exist."""


class DataError(Pix2colorError):
    """The error of a set of photos that is empty or of no use."""


class ImageError(Pix2colorError):
    """The error of a single photo that cannot be read or written."""


class HasColorError(ImageError):
    """The error of a photo that has colour already, and was not to be coloured by force.

    Attributes:
        color: how much, by ``pix2color.imaging.color_measure``, if that was measured.
        doubtful: it may be a toned photo after all.
    """

    def __init__(self, message: str, color: float | None = None, doubtful: bool = False) -> None:
        super().__init__(message)
        self.color, self.doubtful = color, doubtful


class OwnColorsError(ImageError):
    """The error of a photo whose colours were made by pix2color: there is no truth in them."""


class ModelError(Pix2colorError):
    """The error of a model file or checkpoint that is missing, damaged or not ours."""


class TrainingError(Pix2colorError):
    """The error of a run that cannot go on."""


class StorageError(Pix2colorError):
    """The error of a file that cannot be written, for a full disk perhaps."""


class MissingExtraError(Pix2colorError):
    """The error of an optional dependency that is not installed."""
