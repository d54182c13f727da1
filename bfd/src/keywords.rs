//! The keyword tables: `bfd_instance`, and what `global_defs` says about BFD.

use std::net::IpAddr;

use config::{Args, Class, Context, Keyword, Line, Row, Scheduling, Span, Table, address};

use crate::Draft;
use crate::settings::{ANY_HOPS, InstanceSettings};

/// Longest name of an instance, in bytes.
const NAME_MAX: usize = 31;
/// Longest interval, in milliseconds.
const INTERVAL_MAX: u64 = 4_294_967;
/// An interval above this makes little sense, in milliseconds.
const INTERVAL_SENSIBLE: u64 = 10_000;

/// A block while it is read.
struct Instance {
    span: Span,
    settings: InstanceSettings,
    neighbor: Option<IpAddr>,
    ttl: Option<u8>,
    vrrp: bool,
    checker: bool,
    rejected: bool,
}

/// Top-level keywords of BFD.
pub static ROOT: Table<Draft> = Table::new(&[Row::new(
    Keyword::new("bfd_instance", Args::Word { max: NAME_MAX }, "A BFD session with a neighbour")
        .required()
        .block(&[&INSTANCE]),
    instance,
)]);

/// What `global_defs` says about BFD.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Globals {
    /// `bfd_process_name`.
    pub process_name: Option<String>,
    /// How BFD's process would be scheduled.
    pub scheduling: Scheduling,
}

/// Keywords of `global_defs`.
pub static GLOBAL: Table<Draft> = Table::new(&[
    Row::new(
        Keyword::new("bfd_process_name", Args::Word { max: 15 }, "Name of the BFD process")
            .required()
            .never("there is one process, which process_name names"),
        |draft, line, ctx| {
            let name = line.word(ctx).map(|word| word.text.clone());
            draft.globals.process_name = name.or(draft.globals.process_name.take());
        },
    ),
    scheduling(
        Keyword::new("bfd_priority", Args::lenient(-20, 19), "Nice value of the BFD process")
            .expected()
            .or("0"),
    ),
    scheduling(Keyword::new("bfd_no_swap", Args::Flag, "Lock the BFD process's memory")),
    scheduling(
        Keyword::new("bfd_rt_priority", Args::lenient(1, 99), "Realtime priority (SCHED_RR)")
            .expected(),
    ),
    scheduling(rttime("bfd_rlimit_rttime")),
    scheduling(rttime("bfd_rlimit_rtime").alias("bfd_rlimit_rttime", false)),
    scheduling(
        Keyword::new("bfd_cpu_affinity", Args::Free("CPU …"), "Processors to run on").expected(),
    ),
]);

static INSTANCE: Table<Instance> = Table::new(&[
    neighbor("neighbor_ip"),
    neighbor("neighbour_ip"),
    Row::new(
        Keyword::new("source_ip", Args::Free("ADDRESS"), "Our address").required(),
        |instance, line, ctx| {
            let word = line.word(ctx);
            let ip = word.and_then(|word| address::ip_cut(word, ctx, "source_ip"));
            instance.settings.source = ip.or(instance.settings.source);
        },
    ),
    interval("min_rx", 1, "10", "Shortest interval at which we can receive"),
    interval("min_tx", 1, "10", "Interval of our packets while the session is up"),
    interval("idle_tx", 1000, "1000", "Interval of our packets while the session is not up"),
    Row::new(
        Keyword::new("multiplier", Args::int(1, 255), "Packets missed before the session is down")
            .required()
            .or("5"),
        |instance, line, ctx| {
            let multiplier = line.int(ctx).and_then(|number| u8::try_from(number).ok());
            instance.settings.multiplier = multiplier.unwrap_or(instance.settings.multiplier);
        },
    ),
    Row::new(Keyword::new("passive", Args::Flag, "Never send first"), |instance, _, _| {
        instance.settings.passive = true;
    }),
    ttl("ttl"),
    ttl("hoplimit"),
    Row::new(
        Keyword::new("max_hops", Args::int(-1, 255), "Hops a packet may have made; -1: any")
            .required()
            .or("0"),
        |instance, line, ctx| {
            let hops = line.int(ctx).map(|hops| u8::try_from(hops).unwrap_or(ANY_HOPS));
            instance.settings.max_hops = hops.unwrap_or(instance.settings.max_hops);
        },
    ),
    Row::new(
        Keyword::new("multihop", Args::Bool, "The neighbour is not on a common link").or("false"),
        |instance, line, ctx| {
            instance.settings.multihop = line.boolean(ctx).unwrap_or(instance.settings.multihop);
        },
    ),
    Row::new(
        Keyword::new("weight", Args::lenient(-253, 253), "Default weight of trackers, [reverse]")
            .required()
            .or("0"),
        weight,
    ),
    Row::new(Keyword::new("vrrp", Args::Flag, "VRRP may follow it"), |instance, _, _| {
        instance.vrrp = true;
    }),
    Row::new(
        Keyword::new("checker", Args::Flag, "Health checkers may follow it"),
        |instance, _, _| instance.checker = true,
    ),
]);

const fn scheduling(keyword: Keyword) -> Row<Draft> {
    Row::new(keyword, |draft, line, ctx| draft.globals.scheduling.take(line, ctx))
}

const fn rttime(name: &'static str) -> Keyword {
    Keyword::new(name, Args::lenient(1, u32::MAX as i64), "Limit of realtime processor time")
        .required()
        .unit("µs")
        .or("10000")
}

const fn neighbor(name: &'static str) -> Row<Instance> {
    let keyword = Keyword::new(name, Args::Free("ADDRESS"), "The neighbour's address");
    Row::new(keyword.required(), |instance, line, ctx| {
        let Some(word) = line.word(ctx) else { return };
        let ip = address::ip_cut(word, ctx, line.name());
        instance.rejected |= ip.is_none();
        instance.neighbor = ip.or(instance.neighbor);
    })
}

const fn interval(
    name: &'static str,
    min: u64,
    default: &'static str,
    doc: &'static str,
) -> Row<Instance> {
    let args = Args::Decimal { digits: 3, min: min * 1000, max: INTERVAL_MAX * 1000 };
    let keyword = Keyword::new(name, args, doc).required().unit("ms").or(default);
    Row::new(keyword, |instance, line, ctx| {
        let Some(micros) = line.decimal(ctx) else { return };
        if micros > INTERVAL_SENSIBLE * 1000 {
            let message = format!("{}: above {INTERVAL_SENSIBLE} ms", line.name());
            ctx.log(Some(line.span), message);
        }
        let settings = &mut instance.settings;
        let interval = match line.name() {
            "min_rx" => &mut settings.min_rx,
            "min_tx" => &mut settings.min_tx,
            _ => &mut settings.idle_tx,
        };
        *interval = u32::try_from(micros).unwrap_or(u32::MAX);
    })
}

const fn ttl(name: &'static str) -> Row<Instance> {
    let keyword = Keyword::new(name, Args::int(1, 255), "TTL or hop limit of our packets");
    Row::new(keyword.required().or("255, IPv6: 64"), |instance, line, ctx| {
        let ttl = line.int(ctx).and_then(|ttl| u8::try_from(ttl).ok());
        instance.ttl = ttl.or(instance.ttl);
    })
}

fn weight(_: &mut Instance, line: &Line, ctx: &mut Context<'_>) {
    line.int(ctx);
    if let Some(option) = line.words.get(1).filter(|word| word.text != "reverse") {
        let message = format!("weight: unknown option '{}'; ignored", option.text);
        ctx.report(Class::General, option.span, message);
    }
}

fn instance(draft: &mut Draft, line: &Line, ctx: &mut Context<'_>) {
    let Some(name) = line.word(ctx) else { return };
    if !draft.names.insert(name.text.clone()) {
        let message = format!("bfd_instance {}: already configured; ignored", name.text);
        ctx.report(Class::General, name.span, message);
        return;
    }
    let mut instance = Instance {
        span: line.span,
        settings: InstanceSettings::new(&name.text, IpAddr::from([0; 4])),
        neighbor: None,
        ttl: None,
        vrrp: false,
        checker: false,
        rejected: false,
    };
    for line in line.lines() {
        INSTANCE.apply(&mut instance, line, ctx);
        if instance.rejected {
            // Nothing else in the block counts.
            return;
        }
    }
    let span = instance.span;
    if let Some(settings) = instance.finish(ctx) {
        draft.instances.push((span, settings));
    }
}

impl Instance {
    /// The instance as a whole; `None` when it is not used.
    fn finish(self, ctx: &mut Context<'_>) -> Option<InstanceSettings> {
        let Instance { span, mut settings, neighbor, ttl, vrrp, checker, .. } = self;
        let name = &settings.name;
        let ignored = |problem| format!("bfd_instance {name}: {problem}; ignored");
        let Some(neighbor) = neighbor else {
            ctx.report(Class::General, span, ignored("no neighbor_ip"));
            return None;
        };
        if settings.source.is_some_and(|source| source.is_ipv6() != neighbor.is_ipv6()) {
            let problem = "source_ip and neighbor_ip are not of one family";
            ctx.report(Class::General, span, ignored(problem));
            return None;
        }
        let default = InstanceSettings::new("", neighbor).ttl;
        settings.ttl = ttl.unwrap_or(default);
        if settings.max_hops > settings.ttl {
            let message = format!("bfd_instance {name}: max_hops exceeds ttl; lowered");
            ctx.report(Class::General, span, message);
            settings.max_hops = settings.ttl;
        }
        settings.neighbor = neighbor;
        // Neither named is both.
        settings.vrrp = vrrp || !checker;
        settings.checker = checker || !vrrp;
        Some(settings)
    }
}
