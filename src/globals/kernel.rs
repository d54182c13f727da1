//! `global_defs` about scheduling, and about the interfaces to SNMP and D-Bus.

use std::time::Duration;

use config::{Args, Class, Context, Keyword, Line, Row, Table, number};

use super::Draft;
use super::rows::{already, set};

type D = Row<Draft>;

const NICE: Args = Args::lenient(-20, 19);
const RTTIME: Args = Args::lenient(1, u32::MAX as i64);

/// Scheduling, SNMP, D-Bus.
pub static KERNEL: Table<Draft> = Table::new(&[
    D::new(
        Keyword::new(
            "max_auto_priority",
            Args::lenient(-1, 99),
            "realtime priority that lateness may raise the process to",
        )
        .or("0"),
        set_max_auto_priority,
    ),
    D::new(
        Keyword::new(
            "min_auto_priority_delay",
            Args::lenient(1, 10_000_000),
            "lateness that raises the priority by one",
        )
        .expected()
        .or("1000000")
        .unit("µs"),
        |d, l, c| set(micros(l, c), &mut d.globals.scheduling.min_auto_priority_delay),
    ),
    D::new(Keyword::new("vrrp_priority", NICE, "nice value").expected().or("0"), |d, l, c| {
        let nice = l.int(c).and_then(|nice| i8::try_from(nice).ok());
        d.globals.scheduling.nice = nice.unwrap_or(0);
    }),
    D::new(Keyword::new("vrrp_no_swap", Args::Flag, "keep the process in memory"), |d, _, _| {
        d.globals.scheduling.no_swap = true;
    }),
    D::new(
        Keyword::new("vrrp_rt_priority", Args::Free("N, 1 to 99"), "realtime priority (SCHED_RR)")
            .expected()
            .or("off"),
        set_realtime,
    ),
    D::new(
        Keyword::new("vrrp_cpu_affinity", Args::Free("CPU…"), "processors the process may use")
            .expected(),
        |d, l, c| d.globals.scheduling.processors = l.processors(c).unwrap_or_default(),
    ),
    D::new(
        Keyword::new("vrrp_rlimit_rttime", RTTIME, "limit of computing without a pause")
            .required()
            .or("10000")
            .unit("µs"),
        |d, l, c| d.globals.scheduling.rttime = micros(l, c).unwrap_or_default(),
    ),
    D::new(
        Keyword::new("vrrp_rlimit_rtime", RTTIME, "old name of vrrp_rlimit_rttime")
            .required()
            .unit("µs")
            .alias("vrrp_rlimit_rttime", false),
        |d, l, c| d.globals.scheduling.rttime = micros(l, c).unwrap_or_default(),
    ),
    D::new(
        Keyword::new("snmp_socket", Args::Free("ADDRESS"), "where the SNMP master agent listens")
            .expected()
            .or("unix:/var/agentx/master"),
        set_snmp_socket,
    ),
    enable(Keyword::new("enable_traps", Args::Flag, "send SNMP traps")),
    enable(Keyword::new("enable_snmp_vrrp", Args::Flag, "VRRP in KEEPALIVED-MIB")),
    enable(
        Keyword::new("enable_snmp_keepalived", Args::Flag, "old name of enable_snmp_vrrp")
            .alias("", false),
    ),
    enable(Keyword::new("enable_snmp_rfc", Args::Flag, "both MIBs of the RFCs")),
    enable(Keyword::new("enable_snmp_rfcv2", Args::Flag, "the MIB of RFC 2787")),
    enable(Keyword::new("enable_snmp_rfcv3", Args::Flag, "the MIB of RFC 6527")),
    enable(Keyword::new("enable_snmp_checker", Args::Flag, "checkers in KEEPALIVED-MIB")),
    enable(Keyword::new("enable_dbus", Args::Flag, "VRRP on the system's D-Bus")),
    D::new(
        Keyword::new("dbus_service_name", Args::Free("NAME"), "name on the bus")
            .expected()
            .or("org.keepalived.Vrrp1"),
        |d, l, c| set(name(l, c), &mut d.globals.interfaces.dbus_service),
    ),
    D::new(
        Keyword::new(
            "dbus_no_interface_name",
            Args::Free("NAME"),
            "path element of instances without interface",
        )
        .expected()
        .or("none"),
        |d, l, c| set(name(l, c), &mut d.globals.interfaces.dbus_no_interface),
    ),
]);

const fn enable(keyword: Keyword) -> Row<Draft> {
    Row::new(keyword, |d, line, _| {
        let known = &mut d.globals.interfaces;
        match line.name() {
            "enable_traps" => known.snmp_traps = true,
            "enable_snmp_rfc" => (known.snmp_rfcv2, known.snmp_rfcv3) = (true, true),
            "enable_snmp_rfcv2" => known.snmp_rfcv2 = true,
            "enable_snmp_rfcv3" => known.snmp_rfcv3 = true,
            "enable_snmp_checker" => known.snmp_checker = true,
            "enable_dbus" => known.dbus = true,
            _ => known.snmp_vrrp = true,
        }
    })
}

fn name(line: &Line, ctx: &mut Context<'_>) -> Option<Option<String>> {
    line.word(ctx).map(|word| Some(word.text.clone()))
}

fn micros(line: &Line, ctx: &mut Context<'_>) -> Option<Duration> {
    line.int(ctx).and_then(|us| u64::try_from(us).ok()).map(Duration::from_micros)
}

/// Without an argument: as high as it goes.
fn set_max_auto_priority(d: &mut Draft, line: &Line, ctx: &mut Context<'_>) {
    let value = match line.first() {
        None => Some(99),
        Some(_) => line.int(ctx).and_then(|priority| i8::try_from(priority).ok()),
    };
    set(value, &mut d.globals.scheduling.max_auto_priority);
}

/// Out of range, the nearest priority is used.
fn set_realtime(d: &mut Draft, line: &Line, ctx: &mut Context<'_>) {
    let Some(word) = line.word(ctx) else { return };
    let bounds = (i64::from(i32::MIN), i64::from(i32::MAX));
    let Some(priority) = number::int(word, bounds.0, bounds.1, true, ctx, line.name()) else {
        return;
    };
    if !(1..=99).contains(&priority) {
        let message = format!(
            "{} {priority} must be in [1, 99]; {} is used",
            line.name(),
            priority.clamp(1, 99)
        );
        ctx.report(Class::General, word.span, message);
    }
    d.globals.scheduling.realtime = u8::try_from(priority.clamp(1, 99)).unwrap_or(1);
}

fn set_snmp_socket(d: &mut Draft, line: &Line, ctx: &mut Context<'_>) {
    let place = &mut d.globals.interfaces.snmp_socket;
    match line.words.as_slice() {
        [] => {
            let _ = line.word(ctx);
        }
        [_] if place.is_some() => already(line, ctx),
        [address] => *place = Some(address.text.clone()),
        _ => ctx.report(Class::General, line.span, "snmp_socket takes one address; ignored"),
    }
}
