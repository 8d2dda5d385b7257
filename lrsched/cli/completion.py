"""``lrsched completion``: the scripts by which bash and zsh ask what TAB completes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lrsched.cli.command import Parser, exit_code
from lrsched.console import tell

# A script that python runs is asked only where it hands over to our command line: asking it runs it. The word behind
# python may be anything (a flag, - for stdin, a pipe): only a regular file is looked into. Replies come quoted, and go
# into the line as they are: see lrsched.cli.replies.as_typed.
BASH = r"""
_lrsched_completion() {
    local program found cut line=${COMP_LINE:0:COMP_POINT} last='(\\.|[^[:space:]\\])*$'
    COMPREPLY=()
    program=("${COMP_WORDS[0]}")
    if [[ ${COMP_WORDS[0]##*/} == python* ]]; then
        [[ ${COMP_WORDS[1]} != -* && -f ${COMP_WORDS[1]} ]] || return
        grep -qs -- '^from lrsched\.cli' "${COMP_WORDS[1]}" </dev/null || return
        program+=("${COMP_WORDS[1]}")
    fi
    found=$(COMP_LINE=$line "${program[@]}" -sc query=bash </dev/null 2>/dev/null)
    [[ -n $found ]] || return
    mapfile -t COMPREPLY <<< "$found"
    [[ $line =~ $last ]]
    cut=${BASH_REMATCH[0]%"${BASH_REMATCH[0]##*[=:]}"}
    [[ $COMP_WORDBREAKS == *=* && -n $cut ]] && COMPREPLY=("${COMPREPLY[@]#"$cut"}")
    [[ ${COMPREPLY[0]} == *[=./] ]] && compopt -o nospace
}
complete -o default -F _lrsched_completion lrsched python python3
"""

ZSH = r"""
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -u }
_lrsched_completion() {
    local -a program replies open closed
    program=("${words[1]}")
    if [[ ${words[1]:t} == python* ]]; then
        [[ ${words[2]} != -* && -f ${words[2]} ]] || { _files; return }
        grep -qs -- '^from lrsched\.cli' "${words[2]}" </dev/null || { _files; return }
        program+=("${words[2]}")
    fi
    replies=("${(@f)$(COMP_LINE="${(j: :)words[1,CURRENT]}" "${program[@]}" -sc query=zsh </dev/null 2>/dev/null)}")
    replies=("${(@)replies:#}")
    (( $#replies )) || { compset -P '*='; _files; return }
    open=("${(@M)replies:#*[=./]}")
    closed=("${(@)replies:#*[=./]}")
    compadd -Q -S '' -- "${open[@]}"
    compadd -Q -- "${closed[@]}"
}
compdef _lrsched_completion lrsched python python3
"""

SCRIPTS: Mapping[str, str] = {"bash": BASH, "zsh": ZSH}

EPILOG = """\
examples:
  eval "$(lrsched completion bash)"     in ~/.bashrc
  eval "$(lrsched completion zsh)"      in ~/.zshrc

TAB then completes commands, flags, config groups and their choices, keys, and the values that a key can have: for
lrsched, and for a script of lrsched that python runs (python train.py). Choices and keys of your own are among them,
from a --config-dir or from the conf/ of a project. python train.py -sc install=bash prints the same.
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    return exit_code(lambda: tell(SCRIPTS[parser().parse_intermixed_args(arguments).shell].strip()))


def parser() -> Parser:
    """What the command takes."""
    found = Parser("completion", description="Print the script that makes TAB complete.", epilog=EPILOG)
    found.add_argument("shell", choices=tuple(SCRIPTS), metavar="SHELL", help=" or ".join(SCRIPTS))
    return found
