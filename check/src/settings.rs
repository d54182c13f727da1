//! What a configuration says about virtual servers, real servers and their checkers: complete, with
//! every default filled in and every relation between keywords settled (spec lvs-keywords).
//!
//! Texts and scripts that many real servers share are one allocation ([`Rc`]). Two settings that are
//! equal compare equal, which is how a reload finds what it may leave alone.

mod words;

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use notify::Script;

use crate::keywords::Globals;
pub use ipvs::{Family, Forwarding, Protocol};
pub use words::{Arguments, Endpoint, Method, ScriptLine, StatusRange};

/// Everything the load-balancing side of a configuration says.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `global_defs`.
    pub globals: Globals,
    /// The `SSL` block.
    pub tls: Option<TlsSettings>,
    /// Groups, in file order.
    pub groups: Vec<Rc<Group>>,
    /// Virtual servers that are to run, in file order.
    pub virtual_servers: Vec<VirtualServer>,
    /// Files that `FILE_CHECK`s follow.
    pub files: Vec<Rc<TrackFile>>,
}

/// The `SSL` block: what `SSL_GET` presents to servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// `password` of the key.
    pub password: Option<String>,
    /// `ca`: file of trusted certificates. They are loaded, but no server is ever refused.
    pub ca: Option<String>,
    /// `certificate`: file with our chain.
    pub certificate: Option<String>,
    /// `key`: file with our key.
    pub key: Option<String>,
}

/// A `virtual_server_group`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its lines, in file order.
    pub entries: Vec<GroupEntry>,
}

/// One line of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupEntry {
    /// All addresses from `first` to `last`, which are of one family; port 0 is every port.
    Addresses {
        /// First address.
        first: IpAddr,
        /// Last address, at least `first`.
        last: IpAddr,
        /// Port.
        port: u16,
    },
    /// A firewall mark.
    Mark {
        /// The mark.
        mark: u32,
        /// Its family, where said.
        family: Option<Family>,
    },
}

/// What a virtual server is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// An address and a port; port 0 is every port.
    Address(IpAddr, u16),
    /// A firewall mark.
    Mark(u32),
    /// A group, and the how-manieth virtual server (from 0) of those that use it this is.
    Group(Rc<Group>, u32),
}

/// A `virtual_server`.
#[derive(Clone, Debug)]
pub struct VirtualServer {
    /// Address, mark or group.
    pub identity: Identity,
    /// `[10.1.1.1]:tcp:80`, `FWM 5` or `[NAME]:0`: what logs, FIFOs and mails call it.
    pub name: Rc<str>,
    /// Address family, as far as the file tells; a group may have both.
    pub family: Option<Family>,
    /// Transport protocol; none for firewall marks.
    pub protocol: Option<Protocol>,
    /// `lb_algo`.
    pub scheduler: &'static str,
    /// Scheduler flags and `ops`, as the kernel wants them (0x4, 0x8, 0x10, 0x20).
    pub flags: u32,
    /// `persistence_timeout` in seconds; 0: not persistent.
    pub persistence: u32,
    /// `persistence_granularity`: an IPv4 mask in host order, or an IPv6 prefix length.
    pub granularity: Option<u32>,
    /// `persistence_engine`.
    pub engine: Option<Rc<str>>,
    /// The default forwarding method.
    pub forwarding: Forwarding,
    /// `weight`: the default of its real servers.
    pub weight: u32,
    /// `delay_loop`.
    pub delay_loop: Duration,
    /// `connect_timeout`.
    pub connect_timeout: Duration,
    /// `retry`, where given.
    pub retry: Option<u32>,
    /// `delay_before_retry`, where given.
    pub delay_before_retry: Option<Duration>,
    /// `warmup`, where given.
    pub warmup: Option<Duration>,
    /// `inhibit_on_failure`.
    pub inhibit: bool,
    /// `ha_suspend`.
    pub ha_suspend: bool,
    /// `alpha`.
    pub alpha: bool,
    /// `omega`.
    pub omega: bool,
    /// `quorum`, not above the weight of all real servers.
    pub quorum: u32,
    /// `hysteresis`, below the quorum unless that is 0.
    pub hysteresis: u32,
    /// `quorum_up`.
    pub quorum_up: Option<Rc<Script>>,
    /// `quorum_down`.
    pub quorum_down: Option<Rc<Script>>,
    /// `smtp_alert`, with its defaults.
    pub smtp_alert: bool,
    /// `virtualhost`.
    pub virtualhost: Option<Rc<str>>,
    /// `snmp_name`.
    pub snmp_name: Option<Rc<str>>,
    /// `sorry_server`.
    pub sorry: Option<SorryServer>,
    /// Real servers, in file order, each address and port once.
    pub real_servers: Vec<RealServer>,
    /// `nat_mask`, where given: clients behind it are masqueraded with `lvs_nat_masquerade`.
    pub nat_mask: Option<u32>,
}

/// The `sorry_server`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SorryServer {
    /// Address.
    pub address: IpAddr,
    /// Port, as the kernel is to know it.
    pub port: u16,
    /// How packets reach it.
    pub forwarding: Forwarding,
    /// It stays in the table with weight 0 while it is not needed.
    pub inhibit: bool,
    /// `[10.1.1.2]:tcp:80`.
    pub name: Rc<str>,
}

/// A `real_server`.
#[derive(Clone, Debug)]
pub struct RealServer {
    /// Address.
    pub address: IpAddr,
    /// Port, as the kernel is to know it; 0 for firewall marks.
    pub port: u16,
    /// `[10.1.1.2]:tcp:80`: what logs, FIFOs and mails call it.
    pub name: Rc<str>,
    /// How packets reach it.
    pub forwarding: Forwarding,
    /// `weight`.
    pub weight: u32,
    /// `uthreshold`; 0: none.
    pub upper_threshold: u32,
    /// `lthreshold`; 0: none.
    pub lower_threshold: u32,
    /// `inhibit_on_failure`.
    pub inhibit: bool,
    /// `notify_up`.
    pub notify_up: Option<Rc<Script>>,
    /// `notify_down`.
    pub notify_down: Option<Rc<Script>>,
    /// `smtp_alert`, with its defaults.
    pub smtp_alert: bool,
    /// What dumps show beside the checkers.
    pub shown: Rc<RealServerDefaults>,
    /// Its checkers, in file order.
    pub checkers: Vec<Rc<CheckerSettings>>,
}

/// Values of a real server that are only defaults of its checkers, and its names; dumps show them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealServerDefaults {
    /// `alpha`.
    pub alpha: bool,
    /// `connect_timeout`.
    pub connect_timeout: Duration,
    /// `delay_loop`.
    pub delay_loop: Duration,
    /// `retry`, where given for it or its virtual server.
    pub retry: Option<u32>,
    /// `delay_before_retry`, likewise.
    pub delay_before_retry: Option<Duration>,
    /// `warmup`, likewise.
    pub warmup: Option<Duration>,
    /// `virtualhost`.
    pub virtualhost: Option<Rc<str>>,
    /// `snmp_name`.
    pub snmp_name: Option<Rc<str>>,
}

/// One checker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckerSettings {
    /// When it runs.
    pub schedule: Schedule,
    /// Where it connects to; `None` for `MISC_CHECK`, `FILE_CHECK` and `BFD_CHECK`.
    pub connection: Option<Connection>,
    /// What it does there.
    pub kind: Kind,
}

/// When a checker runs, and when its result counts (spec checkers-behaviour §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// From the end of one check to the start of the next.
    pub delay_loop: Duration,
    /// Failed attempts after the first before a server that is up counts as down.
    pub retry: u32,
    /// Between attempts.
    pub delay_before_retry: Duration,
    /// Longest random delay of the first check.
    pub warmup: Duration,
    /// It counts as failed until it has succeeded.
    pub alpha: bool,
    /// Every failed attempt is logged, of this or (`checker_log_all_failures`) of all checkers.
    pub log_all_failures: bool,
}

/// The addresses of a check, and the time limit of each of its steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Where to connect to. Port 0: the file names none, and the check fails.
    pub target: SocketAddr,
    /// Where from, if that is said.
    pub origin: Option<Rc<Origin>>,
    /// `connect_timeout`.
    pub timeout: Duration,
}

/// The local side of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Origin {
    /// `bindto` and `bind_port` (0: any).
    pub bind: Option<SocketAddr>,
    /// `bind_if`.
    pub interface: Option<Rc<str>>,
    /// `fwmark`: SO_MARK; 0: none.
    pub mark: u32,
}

impl Origin {
    /// Nothing, where nothing is said.
    pub(crate) fn given(self) -> Option<Rc<Origin>> {
        (self != Origin::default()).then(|| Rc::new(self))
    }
}

/// What a checker does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `TCP_CHECK`.
    Tcp,
    /// `HTTP_GET` and `SSL_GET`.
    Http(Rc<HttpSettings>),
    /// `SMTP_CHECK` and the name it says in HELO.
    Smtp(Rc<str>),
    /// `DNS_CHECK`.
    Dns(DnsSettings),
    /// `MISC_CHECK`.
    Misc(Box<MiscSettings>),
    /// `UDP_CHECK`.
    Udp(Box<UdpSettings>),
    /// `PING_CHECK`.
    Ping,
    /// `FILE_CHECK`.
    File(FileSettings),
    /// `BFD_CHECK` and the name of the `bfd_instance`.
    Bfd(Rc<str>),
}

/// `HTTP_GET` and `SSL_GET`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HttpSettings {
    /// `SSL_GET`.
    pub tls: bool,
    /// `http_protocol`.
    pub protocol: HttpProtocol,
    /// `virtualhost` of the checker, else of the real server, else of the virtual server.
    pub host: Option<Rc<str>>,
    /// `enable_sni`, or `sni_name` was given: the name to send is [`Url::sni`].
    pub sni: bool,
    /// `sni_name`, for dumps and for pairing checkers on reload.
    pub sni_name: Option<Rc<str>>,
    /// `fast_recovery`.
    pub fast_recovery: bool,
    /// At least one.
    pub urls: Vec<Url>,
}

/// `http_protocol`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HttpProtocol {
    /// `1.0`.
    #[default]
    Http10,
    /// `1.0C`: with `Connection: close`.
    Http10Close,
    /// `1.1`, with `Connection: close`.
    Http11,
}

/// A `url` block.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Url {
    /// `path`, sent as it is.
    pub path: Rc<str>,
    /// Host header: of the url, else of the checker, the real server, the virtual server. `None`:
    /// the target's address and port.
    pub host: Option<Rc<str>>,
    /// Name to send as SNI, if any: `sni_name`, else `virtualhost` of the url, the checker or the
    /// virtual server (not of the real server).
    pub sni: Option<Rc<str>>,
    /// Accepted status codes; inclusive ranges, in order, none touching the next.
    pub status: Vec<(u16, u16)>,
    /// `digest`: MD5 of the body.
    pub digest: Option<[u8; 16]>,
    /// `regex` and what belongs to it.
    pub regex: Option<Rc<RegexSettings>>,
    /// `tls_compliant` of the url or the checker: close_notify is sent.
    pub tls_compliant: bool,
}

/// `regex` and the keywords around it. Equal ones are shared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RegexSettings {
    /// The pattern.
    pub pattern: String,
    /// `regex_options`, in the order of [`crate::REGEX_OPTIONS`]: the names given.
    pub options: Vec<&'static str>,
    /// `regex_no_match`.
    pub no_match: bool,
    /// `regex_min_offset`.
    pub min_offset: usize,
    /// `regex_max_offset`, inclusive.
    pub max_offset: Option<usize>,
    /// `regex_stack`: start and maximum, in bytes.
    pub stack: Option<(usize, usize)>,
}

/// `DNS_CHECK`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsSettings {
    /// `type`: number of the record type (RFC 1035 §3.2.2 and its successors).
    pub kind: u16,
    /// `name`, without the trailing dot; empty: the root.
    pub name: Rc<str>,
}

/// `MISC_CHECK`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MiscSettings {
    /// `misc_path` and `user`.
    pub script: Rc<Script>,
    /// `misc_timeout`, or the virtual server's `delay_loop`.
    pub timeout: Duration,
    /// `misc_dynamic`.
    pub dynamic: bool,
}

/// `UDP_CHECK`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UdpSettings {
    /// `payload`; `None`: the built-in text.
    pub payload: Option<Vec<u8>>,
    /// `require_reply`.
    pub require_reply: bool,
    /// The expected reply, and a mask of the bits that count.
    pub reply: Option<(Vec<u8>, Vec<u8>)>,
    /// `min_reply_length`.
    pub min_length: u16,
    /// `max_reply_length`.
    pub max_length: u16,
}

/// `FILE_CHECK`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSettings {
    /// The file it follows.
    pub file: Rc<TrackFile>,
    /// `weight`, or the file's; 0: a value other than 0 is a failure.
    pub weight: i32,
    /// `reverse`, of the checker or the file.
    pub reverse: bool,
}

/// A `track_file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackFile {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub path: String,
    /// `weight`.
    pub weight: i32,
    /// `reverse`.
    pub reverse: bool,
    /// `init_file`: the first number, and whether to overwrite.
    pub init: Option<(i32, bool)>,
}

impl Kind {
    /// Whether it has a [`Connection`].
    pub fn connects(&self) -> bool {
        !matches!(self, Kind::Misc(_) | Kind::File(_) | Kind::Bfd(_))
    }

    /// `retry` while nothing says otherwise (spec checkers-behaviour §3.2).
    pub fn default_retry(&self) -> u32 {
        match self {
            Kind::Dns(_) => 3,
            Kind::Misc(_) => 0,
            _ => 1,
        }
    }

    /// `delay_before_retry` while nothing says otherwise.
    pub fn default_delay_before_retry(&self, delay_loop: Duration) -> Duration {
        match self {
            Kind::Dns(_) => delay_loop,
            Kind::Http(_) => Duration::from_secs(3),
            _ => Duration::from_secs(1),
        }
    }

    /// The keyword of the checker.
    pub fn keyword(&self) -> &'static str {
        match self {
            Kind::Tcp => "TCP_CHECK",
            Kind::Http(http) if http.tls => "SSL_GET",
            Kind::Http(_) => "HTTP_GET",
            Kind::Smtp(_) => "SMTP_CHECK",
            Kind::Dns(_) => "DNS_CHECK",
            Kind::Misc(_) => "MISC_CHECK",
            Kind::Udp(_) => "UDP_CHECK",
            Kind::Ping => "PING_CHECK",
            Kind::File(_) => "FILE_CHECK",
            Kind::Bfd(_) => "BFD_CHECK",
        }
    }
}
