"""The scripts with which a shell completes the command `vertexkit`.

Each of them runs the command with the line that is being typed in the environment, and gets a line
for each candidate: the value, a tab and its description. This is the protocol of typer for fish, which
serves all three shells.
"""

from enum import StrEnum

COMPLETE_VARIABLE = "_VERTEXKIT_COMPLETE"
"""Typer completes, instead of running a command, while this variable is set."""
CANDIDATES = f"{COMPLETE_VARIABLE}=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args"
"""The environment in which the command prints candidates."""

BASH = f"""\
# bash completion of vertexkit. To load it in each new shell, add to ~/.bashrc:
#   eval "$(vertexkit completion bash)"
_vertexkit_completion() {{
    local line="${{COMP_LINE:0:COMP_POINT}}" value description word before
    word="${{line##*[[:space:]]}}"
    # bash replaces only what follows the last : or = of a word
    before=""
    if [[ $word == *[:=]* && $COMP_WORDBREAKS == *:* ]]; then
        before="${{word%"${{word##*[:=]}}"}}"
    fi
    COMPREPLY=()
    while IFS=$'\\t' read -r value description; do
        [[ -n $value ]] && COMPREPLY+=("${{value#"$before"}}")
    done < <({CANDIDATES} _TYPER_COMPLETE_ARGS="$line" "$1" 2>/dev/null)
}}
complete -o default -F _vertexkit_completion vertexkit
"""
ZSH = f"""\
#compdef vertexkit
# zsh completion of vertexkit. To load it in each new shell, add to ~/.zshrc, after compinit:
#   eval "$(vertexkit completion zsh)"
_vertexkit() {{
    local -a candidates
    local line
    for line in "${{(@f)$({CANDIDATES} _TYPER_COMPLETE_ARGS="${{(j: :)words[1,CURRENT]}}" \\
            $words[1] 2>/dev/null)}}"; do
        [[ -n $line ]] || continue
        if [[ $line == *$'\\t'* ]]; then
            candidates+=("${{${{line%%$'\\t'*}}//:/\\\\:}}:${{line#*$'\\t'}}")
        else
            candidates+=("${{line//:/\\\\:}}")
        fi
    done
    if (( $#candidates )); then
        _describe vertexkit candidates
    else
        _files
    fi
}}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _vertexkit "$@"
else
    compdef _vertexkit vertexkit
fi
"""
FISH = f"""\
# fish completion of vertexkit. To load it in each new shell:
#   vertexkit completion fish > ~/.config/fish/completions/vertexkit.fish
function __vertexkit_complete
    set --local candidates (env {CANDIDATES} \\
        _TYPER_COMPLETE_ARGS=(commandline --current-process --cut-at-cursor) vertexkit 2>/dev/null)
    if test -n "$candidates"
        printf '%s\\n' $candidates
    else
        __fish_complete_path (commandline --current-token)
    end
end
complete --command vertexkit --no-files --arguments '(__vertexkit_complete)'
"""


class Shell(StrEnum):
    """The shells that can complete the command."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


SCRIPTS = {Shell.BASH: BASH, Shell.ZSH: ZSH, Shell.FISH: FISH}
