//! The keywords of `global_defs` that concern health checkers and IPVS; those about scripts, FIFOs
//! and mail are with the notifications.

use std::net::IpAddr;

use config::{Args, Class, Context, Keyword, Line, Row, Table, Word, address, number};

use super::{INTERFACE_NAME_MAX, checked};

/// What the checks need to remember of `global_defs`.
#[derive(Default)]
pub struct Globals {
    sync_daemon: bool,
    nftables: bool,
}

/// Longest time of `lvs_timeouts`, in seconds: 31 days.
const LVS_TIMEOUT_MAX: i64 = 31 * 86400;
const RECEIVE_BUFFER: Args = Args::int(0, u32::MAX as i64);
const STATISTICS_AGE: Args = Args::timer(1_000, 30_000_000);
const FLUSH_ON_STOP: Args = Args::Choice(&["VS"]);

const fn flag(name: &'static str, doc: &'static str) -> Row<Globals> {
    checked(Keyword::new(name, Args::Flag, doc).not_yet())
}

const fn boolean(name: &'static str, doc: &'static str) -> Row<Globals> {
    checked(Keyword::new(name, Args::Bool, doc).not_yet())
}

/// Keywords of `global_defs`.
pub static GLOBAL: Table<Globals> = Table::new(&[
    Row::new(
        Keyword::new(
            "lvs_timeouts",
            Args::Free("[tcp SECONDS] [tcpfin SECONDS] [udp SECONDS]"),
            "Connection timeouts of IPVS; 0 leaves one as it is",
        )
        .expected()
        .unit("s")
        .not_yet(),
        timeouts,
    ),
    flag("lvs_flush", "Empty the IPVS table at start"),
    checked(
        Keyword::new(
            "lvs_flush_on_stop",
            FLUSH_ON_STOP,
            "Empty the IPVS table at stop, or with VS delete our virtual servers only",
        )
        .not_yet(),
    ),
    checked(
        Keyword::new("lvs_flush_onstop", FLUSH_ON_STOP, "Old spelling of lvs_flush_on_stop")
            .not_yet(),
    ),
    Row::new(
        Keyword::new(
            "lvs_sync_daemon",
            Args::Free(
                "INTERFACE [[inst] INSTANCE] [id N] [maxlen N] [port N] [ttl N] [group ADDRESS]",
            ),
            "The kernel's IPVS connection synchronisation",
        )
        .expected()
        .not_yet(),
        sync_daemon,
    ),
    boolean("rs_init_notifies", "Run notifications for real servers that are up at start"),
    checked(
        Keyword::new("lvs_netlink_cmd_rcv_bufs", RECEIVE_BUFFER, "Receive buffer, command socket")
            .expected()
            .unit("bytes")
            .not_yet(),
    ),
    boolean("lvs_netlink_cmd_rcv_bufs_force", "Exceed the system's limit for that buffer"),
    checked(
        Keyword::new(
            "lvs_netlink_monitor_rcv_bufs",
            RECEIVE_BUFFER,
            "Receive buffer of the socket that follows addresses",
        )
        .expected()
        .unit("bytes")
        .not_yet(),
    ),
    boolean("lvs_netlink_monitor_rcv_bufs_force", "Exceed the system's limit for that buffer"),
    Row::new(
        Keyword::new(
            "nftables_ipvs",
            Args::Word { max: 254 },
            "Mark packets for virtual server groups in this nftables table",
        )
        .or("keepalived_ipvs")
        .not_yet(),
        nftables_ipvs,
    ),
    checked(
        Keyword::new(
            "nftables_ipvs_priority",
            Args::int(i32::MIN as i64, i32::MAX as i64),
            "Priority of that table's chain",
        )
        .required()
        .or("-1")
        .not_yet(),
    ),
    checked(
        Keyword::new(
            "nftables_ipvs_start_fwmark",
            Args::int(1, u32::MAX as i64),
            "First firewall mark to allocate",
        )
        .required()
        .or("1000")
        .not_yet(),
    ),
    boolean("checker_log_all_failures", "Log every failed check, not only changes of state"),
    boolean("no_checker_emails", "Mail only when a real server changes state"),
    checked(
        Keyword::new("checker_process_name", Args::Word { max: 15 }, "Name of the checker process")
            .required()
            .never("there is one process, which process_name names"),
    ),
    checked(
        Keyword::new("lvs_process_name", Args::Word { max: 15 }, "Old checker_process_name")
            .required()
            .alias("checker_process_name", false),
    ),
    checked(
        Keyword::new("checker_priority", Args::lenient(-20, 19), "Nice value of the checkers")
            .expected()
            .or("0")
            .not_yet(),
    ),
    flag("checker_no_swap", "Lock the checkers' memory"),
    checked(
        Keyword::new("checker_rt_priority", Args::lenient(1, 99), "Realtime priority (SCHED_RR)")
            .expected()
            .not_yet(),
    ),
    checked(rttime("checker_rlimit_rttime").not_yet()),
    checked(rttime("checker_rlimit_rtime").alias("checker_rlimit_rttime", false)),
    Row::new(
        Keyword::new("checker_cpu_affinity", Args::Free("CPU …"), "Processors to run on")
            .expected()
            .not_yet(),
        |_, line, ctx| {
            line.processors(ctx);
        },
    ),
    flag("enable_snmp_checker", "Serve the checker part of the MIB"),
    checked(
        Keyword::new(
            "snmp_vs_stats_update_interval",
            STATISTICS_AGE,
            "Age at which a virtual server's statistics are read again",
        )
        .required()
        .unit("s")
        .or("5")
        .not_yet(),
    ),
    checked(
        Keyword::new(
            "snmp_rs_stats_update_interval",
            STATISTICS_AGE,
            "Age at which a real server's statistics are read again",
        )
        .required()
        .unit("s")
        .not_yet(),
    ),
]);

const fn rttime(name: &'static str) -> Keyword {
    Keyword::new(name, Args::lenient(1, u32::MAX as i64), "Limit of realtime processor time")
        .required()
        .unit("µs")
        .or("10000")
}

fn timeouts(_: &mut Globals, line: &Line, ctx: &mut Context<'_>) {
    if line.words.len() < 2 {
        let message = "lvs_timeouts: at least one of tcp, tcpfin, udp with a number expected";
        ctx.report(Class::General, line.span, message);
        return;
    }
    let mut words = line.words.iter();
    while let Some(word) = words.next() {
        if !matches!(word.text.as_str(), "tcp" | "tcpfin" | "udp") {
            let message = format!("lvs_timeouts: unknown option '{}'; ignored", word.text);
            ctx.report(Class::General, word.span, message);
            continue;
        }
        match words.next() {
            Some(value) => {
                number::int(value, 0, LVS_TIMEOUT_MAX, false, ctx, &word.text);
            }
            None => {
                let message = format!("lvs_timeouts: no value for {}; ignored", word.text);
                ctx.report(Class::General, word.span, message);
            }
        }
    }
}

fn sync_daemon(globals: &mut Globals, line: &Line, ctx: &mut Context<'_>) {
    if std::mem::replace(&mut globals.sync_daemon, true) {
        ctx.report(Class::General, line.span, "lvs_sync_daemon: already given; ignored");
        return;
    }
    let Some((interface, options)) = line.words.split_first() else {
        globals.sync_daemon = false;
        ctx.report(Class::General, line.span, "lvs_sync_daemon: interface missing; ignored");
        return;
    };
    if interface.text.len() > INTERFACE_NAME_MAX {
        globals.sync_daemon = false;
        let message = format!("lvs_sync_daemon: '{}' is too long; ignored", interface.text);
        ctx.report(Class::General, interface.span, message);
        return;
    }
    sync_options(options, line, ctx);
}

fn sync_options(options: &[Word], line: &Line, ctx: &mut Context<'_>) {
    let keyword = |word: &Word| {
        matches!(word.text.as_str(), "inst" | "id" | "maxlen" | "port" | "ttl" | "group")
    };
    let mut words = options.iter().peekable();
    // The old form: an instance and an id, by position.
    if words.next_if(|word| !keyword(word)).is_some()
        && let Some(id) = words.next_if(|word| !keyword(word))
        && number::int(id, 0, 255, false, ctx, "id").is_some()
    {
        ctx.report(Class::General, id.span, "lvs_sync_daemon: write `id` before the id");
    }
    while let Some(word) = words.next() {
        if !keyword(word) {
            let message = format!("lvs_sync_daemon: unknown option '{}'; ignored", word.text);
            ctx.report(Class::General, word.span, message);
            continue;
        }
        let Some(value) = words.next() else {
            let class = if word.text == "inst" { Class::MissingParameter } else { Class::General };
            let message = format!("lvs_sync_daemon: no value for {}; ignored", word.text);
            ctx.report(class, line.span, message);
            return;
        };
        sync_option(word, value, ctx);
    }
}

fn sync_option(word: &Word, value: &Word, ctx: &mut Context<'_>) {
    let (min, max) = match word.text.as_str() {
        "inst" => return,
        "id" => (0, 255),
        "maxlen" => (1, 65507),
        "port" => (1, 65535),
        "ttl" => (1, 255),
        _ => {
            let group: Option<IpAddr> = address::ip(value, ctx, "lvs_sync_daemon group");
            if group.is_some_and(|group| !group.is_multicast()) {
                let message = format!("lvs_sync_daemon: {} is not multicast; ignored", value.text);
                ctx.report(Class::General, value.span, message);
            }
            return;
        }
    };
    number::int(value, min, max, false, ctx, &word.text);
}

fn nftables_ipvs(globals: &mut Globals, line: &Line, ctx: &mut Context<'_>) {
    if std::mem::replace(&mut globals.nftables, true) {
        ctx.report(Class::General, line.span, "nftables_ipvs: already given; ignored");
        return;
    }
    line.word(ctx);
}
