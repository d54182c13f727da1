//! The keywords of `global_defs` that concern health checkers and IPVS; those about scripts, FIFOs
//! and mail are with the notifications.

use std::net::IpAddr;
use std::time::Duration;

use config::{
    Args, Class, Context, Keyword, Line, ReceiveBuffer, Row, Scheduling, Table, Word, address,
    number,
};

use super::{INTERFACE_NAME_MAX, checked, set};

/// What `global_defs` says about virtual servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Globals {
    /// `checker_process_name`.
    pub process_name: Option<String>,
    /// `lvs_timeouts`.
    pub timeouts: LvsTimeouts,
    /// `lvs_flush`.
    pub flush: bool,
    /// `lvs_flush_on_stop`.
    pub flush_on_stop: FlushOnStop,
    /// `lvs_sync_daemon`.
    pub sync_daemon: Option<SyncDaemon>,
    /// `lvs_nat_masquerade`: `nat_mask` counts.
    pub nat_masquerade: bool,
    /// `rs_init_notifies`.
    pub rs_init_notifies: bool,
    /// `no_checker_emails`.
    pub no_emails: bool,
    /// `checker_log_all_failures`.
    pub log_all_failures: bool,
    /// `lvs_netlink_cmd_rcv_bufs`.
    pub command_buffer: ReceiveBuffer,
    /// `lvs_netlink_monitor_rcv_bufs`.
    pub monitor_buffer: ReceiveBuffer,
    /// `nftables_ipvs`: the table's name.
    pub nftables: Option<String>,
    /// `nftables_ipvs_priority`.
    pub nftables_priority: Option<i32>,
    /// `nftables_counters`.
    pub nftables_counters: bool,
    /// `nftables_ipvs_start_fwmark`.
    pub nftables_start_fwmark: Option<u32>,
    /// How the checkers' process would be scheduled.
    pub scheduling: Scheduling,
    /// `snmp_vs_stats_update_interval`.
    pub snmp_virtual_server_age: Option<Duration>,
    /// `snmp_rs_stats_update_interval`.
    pub snmp_real_server_age: Option<Duration>,
}

/// `lvs_timeouts`, in seconds; 0 leaves one as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LvsTimeouts {
    /// Of an established TCP connection.
    pub tcp: u32,
    /// Of a TCP connection that is being closed.
    pub tcp_fin: u32,
    /// Of a UDP flow.
    pub udp: u32,
}

/// `lvs_flush_on_stop`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlushOnStop {
    /// Real servers are taken out one by one.
    #[default]
    Disabled,
    /// Our virtual servers are deleted.
    VirtualServers,
    /// The whole IPVS table is emptied.
    Full,
}

/// `lvs_sync_daemon`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncDaemon {
    /// Interface it sends on.
    pub interface: String,
    /// VRRP instance whose state says whether it sends.
    pub instance: Option<String>,
    /// Told apart by it on the LAN.
    pub id: Option<u8>,
    /// Longest datagram, in bytes.
    pub max_length: Option<u16>,
    /// UDP port.
    pub port: Option<u16>,
    /// TTL of its datagrams.
    pub ttl: Option<u8>,
    /// Multicast group.
    pub group: Option<IpAddr>,
}

/// Longest time of `lvs_timeouts`, in seconds: 31 days.
const LVS_TIMEOUT_MAX: i64 = 31 * 86400;
const RECEIVE_BUFFER: Args = Args::int(0, u32::MAX as i64);
const STATISTICS_AGE: Args = Args::timer(1_000, 30_000_000);
const FLUSH_ON_STOP: Args = Args::Choice(&["VS"]);

const fn boolean(name: &'static str, doc: &'static str) -> Row<Globals> {
    Row::new(Keyword::new(name, Args::Bool, doc), |globals, line, ctx| {
        let place = match line.name() {
            "rs_init_notifies" => &mut globals.rs_init_notifies,
            "no_checker_emails" => &mut globals.no_emails,
            _ => &mut globals.log_all_failures,
        };
        set(line.boolean(ctx), place);
    })
}

const fn buffer(keyword: Keyword) -> Row<Globals> {
    Row::new(keyword.never("the queue is larger than that already"), |globals, line, ctx| {
        let monitor = line.name().starts_with("lvs_netlink_monitor");
        let place = if monitor { &mut globals.monitor_buffer } else { &mut globals.command_buffer };
        place.take(line, ctx);
    })
}

const fn force(name: &'static str) -> Row<Globals> {
    buffer(Keyword::new(name, Args::Bool, "Exceed the system's limit for that buffer"))
}

const fn scheduling(keyword: Keyword) -> Row<Globals> {
    Row::new(keyword, |globals, line, ctx| globals.scheduling.take(line, ctx))
}

const fn process_name(keyword: Keyword) -> Row<Globals> {
    Row::new(keyword, |globals, line, ctx| {
        set(line.word(ctx).map(|word| Some(word.text.clone())), &mut globals.process_name);
    })
}

fn micros(line: &Line, ctx: &mut Context<'_>) -> Option<Option<Duration>> {
    line.decimal(ctx).map(|micros| Some(Duration::from_micros(micros)))
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
        .unit("s"),
        timeouts,
    ),
    Row::new(
        Keyword::new("lvs_flush", Args::Flag, "Empty the IPVS table at start"),
        |globals, _, _| globals.flush = true,
    ),
    Row::new(
        Keyword::new(
            "lvs_flush_on_stop",
            FLUSH_ON_STOP,
            "Empty the IPVS table at stop, or with VS delete our virtual servers only",
        ),
        flush_on_stop,
    ),
    Row::new(
        Keyword::new("lvs_flush_onstop", FLUSH_ON_STOP, "Old spelling of lvs_flush_on_stop"),
        flush_on_stop,
    ),
    Row::new(
        Keyword::new(
            "lvs_sync_daemon",
            Args::Free(
                "INTERFACE [[inst] INSTANCE] [id N] [maxlen N] [port N] [ttl N] [group ADDRESS]",
            ),
            "The kernel's IPVS connection synchronisation",
        )
        .expected(),
        sync_daemon,
    ),
    Row::new(
        Keyword::new(
            "lvs_nat_masquerade",
            Args::Flag,
            "Masquerade the clients that the nat_mask of a virtual server covers",
        ),
        |globals, _, _| globals.nat_masquerade = true,
    ),
    boolean("rs_init_notifies", "Run notifications for real servers that are up at start"),
    buffer(
        Keyword::new("lvs_netlink_cmd_rcv_bufs", RECEIVE_BUFFER, "Receive buffer, command socket")
            .expected()
            .unit("bytes"),
    ),
    force("lvs_netlink_cmd_rcv_bufs_force"),
    buffer(
        Keyword::new(
            "lvs_netlink_monitor_rcv_bufs",
            RECEIVE_BUFFER,
            "Receive buffer of the socket that follows addresses",
        )
        .expected()
        .unit("bytes"),
    ),
    force("lvs_netlink_monitor_rcv_bufs_force"),
    Row::new(
        Keyword::new("nftables_counters", Args::Flag, "count what the rules match"),
        |globals, _, _| globals.nftables_counters = true,
    ),
    Row::new(
        Keyword::new(
            "nftables_ipvs",
            Args::Word { max: 254 },
            "Mark packets for virtual server groups in this nftables table",
        )
        .or("keepalived_ipvs"),
        nftables_ipvs,
    ),
    Row::new(
        Keyword::new(
            "nftables_ipvs_priority",
            Args::int(i32::MIN as i64, i32::MAX as i64),
            "Priority of that table's chain",
        )
        .required()
        .or("-1"),
        |globals, line, ctx| {
            let given = line.int(ctx).map(|n| i32::try_from(n).ok());
            set(given, &mut globals.nftables_priority);
        },
    ),
    Row::new(
        Keyword::new(
            "nftables_ipvs_start_fwmark",
            Args::int(1, u32::MAX as i64),
            "First firewall mark to allocate",
        )
        .required()
        .or("1000"),
        |globals, line, ctx| {
            let given = line.int(ctx).map(|n| u32::try_from(n).ok());
            set(given, &mut globals.nftables_start_fwmark);
        },
    ),
    boolean("checker_log_all_failures", "Log every failed check, not only changes of state"),
    boolean("no_checker_emails", "Mail only when a real server changes state"),
    process_name(
        Keyword::new("checker_process_name", Args::Word { max: 15 }, "Name of the checker process")
            .required()
            .never("there is one process, which process_name names"),
    ),
    process_name(
        Keyword::new("lvs_process_name", Args::Word { max: 15 }, "Old checker_process_name")
            .required()
            .alias("checker_process_name", false),
    ),
    scheduling(
        Keyword::new("checker_priority", Args::lenient(-20, 19), "Nice value of the checkers")
            .expected()
            .or("0"),
    ),
    scheduling(Keyword::new("checker_no_swap", Args::Flag, "Lock the checkers' memory")),
    scheduling(
        Keyword::new("checker_rt_priority", Args::lenient(1, 99), "Realtime priority (SCHED_RR)")
            .expected(),
    ),
    scheduling(rttime("checker_rlimit_rttime")),
    scheduling(rttime("checker_rlimit_rtime").alias("checker_rlimit_rttime", false)),
    scheduling(
        Keyword::new("checker_cpu_affinity", Args::Free("CPU …"), "Processors to run on")
            .expected(),
    ),
    // The daemon remembers it with the other parts of the MIB.
    checked(Keyword::new("enable_snmp_checker", Args::Flag, "Serve the checker part of the MIB")),
    Row::new(
        Keyword::new(
            "snmp_vs_stats_update_interval",
            STATISTICS_AGE,
            "Age at which a virtual server's statistics are read again",
        )
        .required()
        .unit("s")
        .or("5"),
        |globals, line, ctx| set(micros(line, ctx), &mut globals.snmp_virtual_server_age),
    ),
    Row::new(
        Keyword::new(
            "snmp_rs_stats_update_interval",
            STATISTICS_AGE,
            "Age at which a real server's statistics are read again",
        )
        .required()
        .unit("s"),
        |globals, line, ctx| set(micros(line, ctx), &mut globals.snmp_real_server_age),
    ),
]);

const fn rttime(name: &'static str) -> Keyword {
    Keyword::new(name, Args::lenient(1, u32::MAX as i64), "Limit of realtime processor time")
        .required()
        .unit("µs")
        .or("10000")
}

fn timeouts(globals: &mut Globals, line: &Line, ctx: &mut Context<'_>) {
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
                let given = number::int(value, 0, LVS_TIMEOUT_MAX, false, ctx, &word.text);
                let place = match word.text.as_str() {
                    "tcp" => &mut globals.timeouts.tcp,
                    "tcpfin" => &mut globals.timeouts.tcp_fin,
                    _ => &mut globals.timeouts.udp,
                };
                set(given.and_then(|seconds| u32::try_from(seconds).ok()), place);
            }
            None => {
                let message = format!("lvs_timeouts: no value for {}; ignored", word.text);
                ctx.report(Class::General, word.span, message);
            }
        }
    }
}

fn flush_on_stop(globals: &mut Globals, line: &Line, ctx: &mut Context<'_>) {
    globals.flush_on_stop = match (line.words.is_empty(), line.choice(ctx)) {
        (true, _) => FlushOnStop::Full,
        (false, Some(_)) => FlushOnStop::VirtualServers,
        (false, None) => return,
    };
}

fn sync_daemon(globals: &mut Globals, line: &Line, ctx: &mut Context<'_>) {
    if globals.sync_daemon.is_some() {
        ctx.report(Class::General, line.span, "lvs_sync_daemon: already given; ignored");
        return;
    }
    let Some((interface, options)) = line.words.split_first() else {
        ctx.report(Class::General, line.span, "lvs_sync_daemon: interface missing; ignored");
        return;
    };
    if interface.text.len() > INTERFACE_NAME_MAX {
        let message = format!("lvs_sync_daemon: '{}' is too long; ignored", interface.text);
        ctx.report(Class::General, interface.span, message);
        return;
    }
    let mut daemon = SyncDaemon { interface: interface.text.clone(), ..SyncDaemon::default() };
    sync_options(&mut daemon, options, line, ctx);
    globals.sync_daemon = Some(daemon);
}

fn sync_options(daemon: &mut SyncDaemon, options: &[Word], line: &Line, ctx: &mut Context<'_>) {
    let keyword = |word: &Word| {
        matches!(word.text.as_str(), "inst" | "id" | "maxlen" | "port" | "ttl" | "group")
    };
    let mut words = options.iter().peekable();
    // The old form: an instance and an id, by position.
    if let Some(instance) = words.next_if(|word| !keyword(word)) {
        daemon.instance = Some(instance.text.clone());
        if let Some(id) = words.next_if(|word| !keyword(word))
            && let Some(number) = number::int(id, 0, 255, false, ctx, "id")
        {
            daemon.id = u8::try_from(number).ok();
            ctx.report(Class::General, id.span, "lvs_sync_daemon: write `id` before the id");
        }
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
        sync_option(daemon, word, value, ctx);
    }
}

fn sync_option(daemon: &mut SyncDaemon, word: &Word, value: &Word, ctx: &mut Context<'_>) {
    let mut number = |min, max| number::int(value, min, max, false, ctx, &word.text);
    match word.text.as_str() {
        "inst" => daemon.instance = Some(value.text.clone()),
        "id" => set(number(0, 255).map(|n| u8::try_from(n).ok()), &mut daemon.id),
        "maxlen" => set(number(1, 65507).map(|n| u16::try_from(n).ok()), &mut daemon.max_length),
        "port" => set(number(1, 65535).map(|n| u16::try_from(n).ok()), &mut daemon.port),
        "ttl" => set(number(1, 255).map(|n| u8::try_from(n).ok()), &mut daemon.ttl),
        _ => match address::ip(value, ctx, "lvs_sync_daemon group") {
            Some(group) if !group.is_multicast() => {
                let message = format!("lvs_sync_daemon: {} is not multicast; ignored", value.text);
                ctx.report(Class::General, value.span, message);
            }
            group => daemon.group = group.or(daemon.group),
        },
    }
}

fn nftables_ipvs(globals: &mut Globals, line: &Line, ctx: &mut Context<'_>) {
    if globals.nftables.is_some() {
        ctx.report(Class::General, line.span, "nftables_ipvs: already given; ignored");
        return;
    }
    let name = line.word(ctx).map_or("keepalived_ipvs", |word| word.text.as_str());
    globals.nftables = Some(name.to_owned());
}
