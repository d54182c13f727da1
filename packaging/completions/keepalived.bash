# bash completion for keepalived
_keepalived() {
    local cur prev words cword split
    _init_completion -s || return
    case $prev in
        -f|--use-file) _filedir; return ;;
        -S|--log-facility) COMPREPLY=($(compgen -W 'daemon user local0 local1 local2 local3 local4 local5 local6 local7' -- "$cur")); return ;;
        --log-file) _filedir; return ;;
        -u|--umask) :; return ;;
        -p|--pid) _filedir; return ;;
        -r|--vrrp_pid) _filedir; return ;;
        -c|--checkers_pid) _filedir; return ;;
        -b|--bfd_pid) _filedir; return ;;
        -A|--snmp-agent-socket) :; return ;;
        -s|--namespace) :; return ;;
        --core-dump-pattern) :; return ;;
        -i|--config-id) :; return ;;
        --config-fd) :; return ;;
        --config-test) _filedir; return ;;
        --signum) COMPREPLY=($(compgen -W 'STOP RELOAD DATA STATS STATS_CLEAR JSON' -- "$cur")); return ;;
    esac
    $split && return
    COMPREPLY=($(compgen -W '-f --use-file= -P --vrrp -C --check -B --no_bfd --all -l --log-console -D --log-detail -S --log-facility= -g --log-file= --flush-log-file -G --no-syslog -u --umask= -X --release-vips -V --dont-release-vrrp -I --dont-release-ipvs -R --dont-respawn -n --dont-fork -d --dump-conf -p --pid= -r --vrrp_pid= -c --checkers_pid= -b --bfd_pid= -a --address-monitoring -x --snmp -A --snmp-agent-socket= -s --namespace= -m --core-dump -M --core-dump-pattern= -e --all-config -i --config-id= --ignore-sigint --config-fd= -t --config-test= --signum= -T --genhash -v --version -h --help' -- "$cur"))
    [[ ${COMPREPLY-} == *= ]] && compopt -o nospace
    return 0
} &&
    complete -F _keepalived keepalived
