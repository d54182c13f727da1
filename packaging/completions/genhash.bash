# bash completion for genhash
_genhash() {
    local cur prev words cword split
    _init_completion -s || return
    case $prev in
        -s|--server) :; return ;;
        -p|--port) :; return ;;
        -u|--url) :; return ;;
        -V|--use-virtualhost) :; return ;;
        -m|--fwmark) :; return ;;
        -P|--protocol) COMPREPLY=($(compgen -W '1.0 1.1 1.0c' -- "$cur")); return ;;
        -t|--timeout) :; return ;;
    esac
    $split && return
    COMPREPLY=($(compgen -W '-s --server= -p --port= -u --url= -S --use-ssl -I --use-sni -V --use-virtualhost= -m --fwmark= -P --protocol= -t --timeout= -v --verbose -h --help' -- "$cur"))
    [[ ${COMPREPLY-} == *= ]] && compopt -o nospace
    return 0
} &&
    complete -F _genhash genhash
