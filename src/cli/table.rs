//! Every option, once. The macro makes of one list both the table that the splitter and the usage
//! text read and the struct that `argh` fills.

/// Whether an option takes an argument; the text is its name in the usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// No.
    None,
    /// Yes: glued to it or the next word.
    Needed(&'static str),
    /// Only glued to it.
    Maybe(&'static str),
}

/// One row.
#[derive(Debug)]
pub struct Opt {
    /// The letter.
    pub short: Option<u8>,
    /// The long name, as the C daemon spells it (some with underscores).
    pub long: &'static str,
    /// Its argument.
    pub value: Value,
    /// For the usage text.
    pub doc: &'static str,
}

macro_rules! options {
    (
        set { $( $field:ident: $kind:ident ($($ty:tt)+), $short:expr, $long:tt, $value:expr, $doc:tt; )* }
        act { $( $ashort:expr, $along:tt, $avalue:expr, $adoc:tt; )* }
    ) => {
        /// The options that set something, as `argh` reads them from the canonical argv
        /// (long names with dashes, every argument a word of its own).
        // Some are accepted but mean nothing here, so nobody reads them.
        #[allow(dead_code)]
        #[derive(argh::FromArgs)]
        pub struct Args {
            $(
                #[argh($kind, description = $doc)]
                pub $field: $($ty)+,
            )*
        }

        /// All options in the order of the usage text.
        pub static TABLE: &[Opt] = &[
            $( Opt { short: $short, long: $long, value: $value, doc: $doc }, )*
            $( Opt { short: $ashort, long: $along, value: $avalue, doc: $adoc }, )*
        ];
    };
}

use Value::{Maybe, Needed, None as Plain};

options! {
    set {
        use_file: option (Option<String>), Some(b'f'), "use-file", Needed("FILE"),
            "configuration file, or a pattern of them\n(default /etc/keepalived/keepalived.conf)";
        vrrp: switch (bool), Some(b'P'), "vrrp", Plain,
            "run VRRP, not the health checkers";
        check: switch (bool), Some(b'C'), "check", Plain,
            "run the health checkers, not VRRP";
        no_bfd: switch (bool), Some(b'B'), "no_bfd", Plain,
            "do not run BFD";
        all: switch (bool), None, "all", Plain,
            "run every part, even one without configuration";
        log_console: switch (bool), Some(b'l'), "log-console", Plain,
            "log to standard error too";
        log_detail: switch (u32), Some(b'D'), "log-detail", Plain,
            "log in detail, twice: in more detail;\nin a terminal: stay in front and log there";
        log_facility: option (Option<String>), Some(b'S'), "log-facility", Needed("FACILITY"),
            "syslog facility: 0-7 or local0-local7, user,\ndaemon (default)";
        log_file: option (Option<String>), Some(b'g'), "log-file", Maybe("FILE"),
            "log to FILE too (default /tmp/keepalived.log)";
        flush_log_file: switch (bool), None, "flush-log-file", Plain,
            "accepted; each line is written at once";
        no_syslog: switch (bool), Some(b'G'), "no-syslog", Plain,
            "do not log to syslog";
        umask: option (Option<String>), Some(b'u'), "umask", Needed("MASK"),
            "file creation mask, as a number";
        release_vips: switch (bool), Some(b'X'), "release-vips", Plain,
            "when leaving MASTER remove addresses even if\nsomebody else had set them";
        dont_release_vrrp: switch (bool), Some(b'V'), "dont-release-vrrp", Plain,
            "keep addresses, routes and rules on stop";
        dont_release_ipvs: switch (bool), Some(b'I'), "dont-release-ipvs", Plain,
            "keep the IPVS table on stop";
        dont_respawn: switch (bool), Some(b'R'), "dont-respawn", Plain,
            "accepted; there are no child daemons here";
        dont_fork: switch (bool), Some(b'n'), "dont-fork", Plain,
            "stay in the foreground";
        dump_conf: switch (bool), Some(b'd'), "dump-conf", Plain,
            "log the configuration after start";
        pid: option (Option<String>), Some(b'p'), "pid", Needed("FILE"),
            "pid file of the daemon";
        vrrp_pid: option (Option<String>), Some(b'r'), "vrrp_pid", Needed("FILE"),
            "pid file of VRRP";
        checkers_pid: option (Option<String>), Some(b'c'), "checkers_pid", Needed("FILE"),
            "pid file of the health checkers";
        bfd_pid: option (Option<String>), Some(b'b'), "bfd_pid", Needed("FILE"),
            "pid file of BFD";
        address_monitoring: switch (bool), Some(b'a'), "address-monitoring", Plain,
            "log every address added or removed";
        snmp: switch (bool), Some(b'x'), "snmp", Plain,
            "enable SNMP";
        snmp_agent_socket: option (Option<String>), Some(b'A'), "snmp-agent-socket", Needed("ADDRESS"),
            "address of the AgentX master";
        namespace: option (Option<String>), Some(b's'), "namespace", Needed("NAME"),
            "run in this network namespace";
        core_dump: switch (bool), Some(b'm'), "core-dump", Plain,
            "allow core dumps";
        core_dump_pattern: option (Option<String>), Some(b'M'), "core-dump-pattern", Maybe("PATTERN"),
            "the same, and set the kernel's core pattern\n(default core)";
        all_config: switch (bool), Some(b'e'), "all-config", Plain,
            "any file that an include names must exist";
        config_id: option (Option<String>), Some(b'i'), "config-id", Needed("ID"),
            "act on lines beginning @ID, not on @^ID\n(default: the host's name)";
        ignore_sigint: switch (bool), None, "ignore-sigint", Plain,
            "do not stop on SIGINT";
        config_fd: option (Option<String>), None, "config-fd", Needed("N"),
            "accepted; no configuration is handed over here";
        config_test: option (Option<String>), Some(b't'), "config-test", Maybe("FILE"),
            "check the configuration and exit; problems go\nto FILE or standard error";
    }
    act {
        None, "signum", Needed("NAME"),
            "print the number of a signal: STOP RELOAD DATA\nSTATS STATS_CLEAR JSON";
        Some(b'T'), "genhash", Plain,
            "compute the digest of a web page; what follows\nis for that: see `--genhash --help`";
        Some(b'v'), "version", Plain,
            "print the version";
        Some(b'h'), "help", Plain,
            "print this";
    }
}
