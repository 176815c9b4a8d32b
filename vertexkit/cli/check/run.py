"""Makes the further checks that the options of `vertexkit check` select."""

from vertexkit.cli import output
from vertexkit.cli.check.against import check_against
from vertexkit.cli.check.chaos import check_chaos
from vertexkit.cli.check.documents import save_catalogue
from vertexkit.cli.check.options import CheckOptions
from vertexkit.cli.check.recorded import check_recorded
from vertexkit.cli.translation import translate
from vertexkit.loading import find_app


def run_checks(target: str | None, options: CheckOptions, *, as_json: bool) -> int:
    """Make the selected checks.

    Args:
        target: the app, as `find_app` takes it.
        options: which checks.
        as_json: print JSON.

    Returns:
        The exit code: 1 if one of the checks failed.

    Raises:
        SettingsError: there is no such app, or a file cannot be read.
        OSError: a file cannot be written.
    """
    code = 0
    if options.against is not None:
        code = max(code, check_against(target, options.against, as_json=as_json))
    if options.chaos:
        code = max(code, check_chaos(target, options, as_json=as_json))
    elif options.recorded is not None:
        code = max(code, check_recorded(target, options.recorded, as_json=as_json))
    if options.output is not None:
        _, app = find_app(target)
        save_catalogue(app.blocks, options.output)
        output.echo(translate("Saved {0}.", options.output), err=True)
    return code
