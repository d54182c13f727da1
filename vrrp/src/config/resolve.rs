//! One instance, from what was written to what holds: defaults filled in, keywords that exclude each
//! other settled, each decision reported as it is made.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use config::{Class, Context};

use super::builder::Builder;
use super::draft::{AuthType, InstanceDraft};
use super::instance::family_of;
use super::vmac;
use super::{
    AntiReplay, Authentication, Family, GarpSettings, HmacMode, HmacSettings, InstanceSettings,
    Version, Vmac,
};

/// The work on one instance: the draft loses what does not hold.
struct Resolver<'a, 'c> {
    b: &'a mut Builder,
    d: InstanceDraft,
    ctx: &'a mut Context<'c>,
    strict: bool,
    version: Version,
    family: Family,
    priority: u8,
    wants_master: bool,
    authentication: Authentication,
    hmac: Option<Rc<HmacSettings>>,
    config_fault: Option<String>,
    vmac: Option<Vmac>,
    address_vmacs: Vec<Vmac>,
}

/// Settles `draft`. Defaults that come from its sync group are filled in later.
pub(super) fn resolve(
    b: &mut Builder,
    draft: InstanceDraft,
    ctx: &mut Context<'_>,
) -> InstanceSettings {
    let strict = draft.strict.unwrap_or(b.globals.defaults.strict);
    let family = draft.family.unwrap_or(Family::V4);
    let version = match (draft.version, family) {
        (Some(version), _) => version,
        (None, Family::V6) => Version::V3,
        (None, Family::V4) => b.globals.defaults.version,
    };
    let priority = draft.priority.unwrap_or(if draft.state == Some(true) { 255 } else { 100 });
    let wants_master = draft.state.unwrap_or(priority == 255);
    let mut r = Resolver {
        b,
        d: draft,
        ctx,
        strict,
        version,
        family,
        priority,
        wants_master,
        authentication: Authentication::None,
        hmac: None,
        config_fault: None,
        vmac: None,
        address_vmacs: Vec::new(),
    };
    r.identity();
    r.interface();
    r.unicast();
    r.virtual_mac();
    r.hmac = r.hmac();
    r.authentication = r.authentication();
    let advert_interval = r.advert_interval();
    r.preemption();
    r.addresses();
    r.settings(advert_interval)
}

impl Resolver<'_, '_> {
    fn complain(&mut self, text: &str) {
        self.report(Class::General, text);
    }

    fn report(&mut self, class: Class, text: &str) {
        let message = format!("({}) {text}", self.d.name);
        match self.d.span {
            Some(span) => self.ctx.report(class, span, message),
            None => self.ctx.report_general(class, message),
        }
    }

    fn log(&mut self, text: &str) {
        let message = format!("({}) {text}", self.d.name);
        self.ctx.log(self.d.span, message);
    }

    fn refuse(&mut self, text: &str) {
        let message = format!("({}) {text}", self.d.name);
        self.b.refuse(self.ctx, self.d.span, message);
    }

    /// A permanent fault of this instance alone.
    fn fault(&mut self, text: &str) {
        self.complain(text);
        self.config_fault.get_or_insert_with(|| text.to_owned());
    }

    fn is_unicast(&self) -> bool {
        !self.d.peers.is_empty()
    }

    fn identity(&mut self) {
        if self.d.vrid.is_none() {
            self.refuse("the virtual router id must be set");
        }
        if self.strict && self.family == Family::V6 && self.version == Version::V2 {
            self.complain("cannot use IPv6 with VRRP version 2; setting version 3");
            self.version = Version::V3;
        }
        let owner = self.priority == 255;
        if self.strict && self.wants_master != owner {
            self.complain("State MASTER must match being address owner");
            self.wants_master = owner;
        }
    }

    fn interface(&mut self) {
        let unicast = self.is_unicast();
        if self.d.vrf.is_some() && (self.d.interface.is_some() || !unicast) {
            self.d.vrf = None;
            self.complain(
                "vrf can only be specified with unicast and without an interface - clearing",
            );
        }
        if self.d.interface.is_none() {
            match self.d.source {
                _ if !unicast => self.refuse("Unknown interface!"),
                None => self.refuse("Unicast instances must have unicast_src_ip or interface"),
                Some(IpAddr::V6(ip)) if ip.segments()[0] & 0xffc0 == 0xfe80 => {
                    self.refuse("Non link-local address required if interface omitted");
                }
                Some(_) => {}
            }
            return;
        }
        let Some(facts) = self.d.facts else { return };
        if !facts.multicast && !unicast {
            let name = self.d.interface.as_deref().unwrap_or_default();
            self.fault(&format!(
                "interface {name} does not support multicast, specify unicast peers - disabling"
            ));
        }
        if self.strict && unicast && facts.multicast {
            self.refuse("Unicast peers are not supported in strict mode");
        }
    }

    fn unicast(&mut self) {
        if self.is_unicast() {
            if self.d.group_address.take().is_some() {
                self.complain("multicast destination specified with unicast - ignoring");
            }
            return;
        }
        if self.d.unicast_fault_no_peer {
            self.fault("Cannot use unicast without any peers - going to fault state");
        } else if self.d.wants_unicast {
            self.complain(
                "A unicast keyword has been specified without any unicast peers. Defaulting to \
                 multicast. This usage is deprecated - please update your configuration.",
            );
        }
        if self.d.unicast_ttl.take().is_some() {
            self.complain("Cannot use unicast_ttl without unicast peers - resetting");
        }
    }

    /// What holds of the keywords of VMACs and ipvlans.
    fn virtual_mac(&mut self) {
        if (self.d.vmac.is_some() || self.d.ipvlan.is_some()) && self.d.interface.is_none() {
            if self.is_unicast() {
                self.complain(
                    "Cannot use VMAC/ipvlan with unicast and no interface - clearing use_vmac",
                );
            } else {
                self.refuse("cannot use VMAC if no interface specified");
            }
            self.d.vmac = None;
            self.d.ipvlan = None;
        }
        if self.d.vmac.is_some() && self.d.facts.is_some_and(|facts| !facts.ethernet) {
            self.fault("vmacs are only supported on Ethernet type interfaces");
            self.d.vmac = None;
        }
        if self.strict && self.d.vmac.as_mut().is_some_and(|vmac| vmac.mac.take().is_some()) {
            self.complain("cannot specify MAC address with strict mode - clearing");
        }
        if self.d.vmac_xmit_base && self.strict {
            self.complain("xmit_base is incompatible with strict mode - resetting");
            self.d.vmac_xmit_base = false;
        } else if self.d.vmac_xmit_base && self.d.vmac.is_none() {
            self.complain("vmac_xmit_base is only valid with a vmac");
            self.d.vmac_xmit_base = false;
        } else if self.d.vmac.is_some() && self.is_unicast() && !self.d.vmac_xmit_base {
            self.complain("unicast with use_vmac requires vmac_xmit_base - setting");
            self.d.vmac_xmit_base = true;
        }
        if (self.d.vmac.is_some() || self.d.ipvlan.is_some()) && self.d.promote_secondaries {
            self.complain("promote_secondaries is automatically set for vmacs - ignoring");
            self.d.promote_secondaries = false;
        }
        if self.d.vmac.is_some() && self.d.ipvlan.take().is_some() {
            self.log("use_ipvlan is ignored beside use_vmac");
        }
        let Some(ipvlan) = &self.d.ipvlan else { return };
        match ipvlan.address {
            Some((ip, _)) => drop(self.d.source.get_or_insert(ip)),
            None if self.family == Family::V4 => self.fault(
                "IPv4 ipvlan requires a source ip address to be configured. setting instance to \
                 fault state",
            ),
            None => {}
        }
    }

    /// Chooses the VMACs and puts the addresses on them: those on the instance's own interface and of its
    /// family on its own, others where that was asked for.
    fn choose_vmacs(&mut self) {
        let elsewhere = self.d.use_vmac_addr;
        let InstanceDraft { name, vrid, interface, vmac, ipvlan, addresses, excluded, .. } =
            &mut self.d;
        let router = vmac::Router {
            name: name.as_str(),
            vrid: vrid.unwrap_or(0),
            family: self.family,
            interface: interface.as_deref().unwrap_or_default(),
        };
        let ipv6 = addresses.iter().chain(excluded.iter()).any(|a| a.ip.is_ipv6());
        if let Some(draft) = vmac.take() {
            self.vmac = Some(vmac::of_instance(self.b, draft, &router, ipv6, self.ctx));
        } else if let Some(draft) = ipvlan.take() {
            self.vmac = Some(vmac::ipvlan_of_instance(self.b, draft, &router, ipv6));
        }
        let mut redundant = Vec::new();
        for address in addresses.iter_mut().chain(excluded) {
            let own = interface.as_deref() == Some(&address.interface)
                && family_of(&address.ip) == self.family;
            match &self.vmac {
                Some(vmac) if own && !vmac.is_ipvlan() => {
                    address.interface.clone_from(&vmac.name);
                    if address.use_vmac {
                        redundant.push(("use_vmac", address.ip, " and vrrp instance"));
                    }
                    continue;
                }
                _ => {}
            }
            let also = elsewhere && !own;
            if also && address.use_vmac {
                redundant.push(("use_vmac_addr", address.ip, ""));
            }
            if also || address.use_vmac {
                let parent = address.interface.clone();
                let made = &mut self.address_vmacs;
                let vmac = vmac::of_address(self.b, made, address, &parent, &router, self.ctx);
                address.interface.clone_from(&vmac.name);
            }
        }
        for (keyword, ip, more) in redundant {
            let text = match more {
                "" => format!("{keyword} specified and use_vmac specified for VIP/eVIP {ip}"),
                more => format!("{keyword} specified for VIP/eVIP {ip}{more}"),
            };
            self.complain(&text);
        }
    }

    fn authentication(&mut self) -> Authentication {
        if self.d.auth_type == AuthType::None {
            // A password without a type says nothing.
            return Authentication::None;
        }
        if self.d.hmac.is_some() {
            self.complain("auth_hmac cannot be combined with authentication, dropping legacy auth");
        } else if self.strict {
            self.complain("Strict mode does not support authentication. Ignoring.");
        } else if self.version == Version::V3 {
            self.complain("VRRP version 3 does not support authentication. Ignoring.");
        } else if let Some(password) = self.d.password {
            return self.authentication_with(password);
        } else {
            self.complain("Authentication specified but no password given. Ignoring");
        }
        Authentication::None
    }

    fn authentication_with(&mut self, password: [u8; 8]) -> Authentication {
        if self.d.auth_type == AuthType::Pass {
            Authentication::Password(password)
        } else if self.family == Family::V6 {
            self.complain("Cannot use AH authentication with IPv6. ignoring");
            Authentication::None
        } else {
            if self.wants_master && self.priority != 255 {
                self.complain(
                    "Initial state master is incompatible with AH authentication - clearing",
                );
                self.wants_master = false;
            }
            Authentication::Ah(password)
        }
    }

    fn hmac(&mut self) -> Option<Rc<HmacSettings>> {
        let draft = self.d.hmac.as_mut()?;
        let (keys, active) = (std::mem::take(&mut draft.keys), draft.active);
        if keys.iter().all(|key| key.id != active) {
            self.complain(&format!(
                "auth_hmac active_key {active} is not defined, disabling extension"
            ));
            return None;
        }
        let (mode, monotonic, window) = (draft.mode, draft.monotonic, draft.window);
        let mode = if self.strict && mode != HmacMode::Enforce {
            self.complain("strict mode requires auth_hmac mode enforce");
            HmacMode::Enforce
        } else {
            mode
        };
        let interval = Duration::from_micros(self.d.advert_interval.unwrap_or(1_000_000));
        let window = window.unwrap_or_else(|| AntiReplay::default_window(interval));
        let anti_replay =
            if monotonic { AntiReplay::Monotonic } else { AntiReplay::Time { window } };
        Some(Rc::new(HmacSettings { keys, active, mode, anti_replay }))
    }

    /// Whole seconds in version 2, centiseconds in version 3.
    fn advert_interval(&mut self) -> Duration {
        let micros = self.d.advert_interval.unwrap_or(1_000_000);
        let seconds = Duration::from_micros(micros).as_secs_f64();
        let micros = match self.version {
            Version::V2 if !micros.is_multiple_of(1_000_000) => {
                self.complain(&format!(
                    "VRRPv2 advertisement interval {seconds:.6}s must be an integer. rounding"
                ));
                ((micros + 500_000) / 1_000_000).max(1) * 1_000_000
            }
            Version::V3 if micros >= 40_960_000 => {
                self.complain(&format!(
                    "VRRPv3 advertisement interval {seconds:.2}s is out of range. Must be less \
                     than 40.96s. Setting to 40.95s"
                ));
                40_950_000
            }
            Version::V3 if !micros.is_multiple_of(10_000) => {
                self.complain(&format!(
                    "VRRPv3 advertisement interval {seconds:.6}s must be in units of 10ms - rounding"
                ));
                ((micros + 5_000) / 10_000 * 10_000).clamp(10_000, 40_950_000)
            }
            _ => micros,
        };
        Duration::from_micros(micros)
    }

    fn preemption(&mut self) {
        if self.d.nopreempt && self.priority == 255 {
            self.complain("nopreempt is incompatible with priority 255. resetting nopreempt");
            self.d.nopreempt = false;
        } else if self.d.nopreempt && self.wants_master {
            self.complain("Warning - nopreempt will not work with initial state MASTER - clearing");
            self.d.nopreempt = false;
        }
        if self.d.preempt_delay != 0 {
            let problem = if self.wants_master {
                "Warning - preempt delay will not work with initial state MASTER - clearing"
            } else if self.strict {
                "preempt_delay is incompatible with strict mode - resetting"
            } else if self.d.nopreempt {
                "preempt_delay is incompatible with nopreempt mode - resetting"
            } else {
                ""
            };
            if !problem.is_empty() {
                self.complain(problem);
                self.d.preempt_delay = 0;
            }
        }
        if self.d.timer_expired_backup.is_some() && !self.d.nopreempt {
            self.complain("expired_timer_backup requires nopreempt - resetting");
            self.d.timer_expired_backup = None;
        }
        if self.strict && self.down_timer_adverts() != 3 {
            self.complain("down_timer_adverts is incompatible with strict mode - resetting");
            self.d.down_timer_adverts = Some(3);
        }
    }

    fn down_timer_adverts(&self) -> u8 {
        self.d.down_timer_adverts.unwrap_or(self.b.globals.defaults.down_timer_adverts)
    }

    fn addresses(&mut self) {
        if self.strict && self.d.no_virtual_ipaddress {
            self.complain(
                "no_virtual_ipaddress and strict mode incompatible, clearing no_virtual_ipaddress",
            );
            self.d.no_virtual_ipaddress = false;
        }
        self.give_interface();
        self.choose_vmacs();
        let first_is_link_local = self.d.addresses.first().is_none_or(|vip| match vip.ip {
            IpAddr::V6(ip) => ip.segments()[0] & 0xffc0 == 0xfe80,
            IpAddr::V4(_) => true,
        });
        if !first_is_link_local && !self.is_unicast() {
            if self.strict {
                self.complain("the first IPv6 VIP address must be link local");
            } else {
                self.log("the first IPv6 VIP address should be link local");
            }
        }
        if self.d.addresses.is_empty() && !self.d.no_virtual_ipaddress {
            if self.strict || self.version == Version::V3 {
                self.refuse("No VIP specified; at least one is required");
            } else {
                self.report(Class::Warning, "No VIP specified; at least one is sensible");
            }
        }
        let most = self.most_addresses();
        let count = self.d.addresses.len();
        if count > most {
            self.complain(&format!(
                "Number of VIPs ({count}) exceeds maximum/space available in packet (max {most} \
                 addresses) - excess moved to eVIPs"
            ));
            let mut excess = self.d.addresses.split_off(most);
            excess.append(&mut self.d.excluded);
            self.d.excluded = excess;
        }
    }

    /// An address without `dev` is put on the instance's interface.
    fn give_interface(&mut self) {
        let InstanceDraft { interface, addresses, excluded, .. } = &mut self.d;
        if let Some(own) = interface {
            for address in addresses.iter_mut().chain(excluded) {
                if address.interface.is_empty() {
                    address.interface.clone_from(own);
                }
            }
            return;
        }
        let homeless = |list: &mut Vec<super::AddressSettings>| {
            let (keep, drop): (Vec<_>, Vec<_>) =
                std::mem::take(list).into_iter().partition(|a| !a.interface.is_empty());
            *list = keep;
            drop
        };
        let vips = homeless(&mut self.d.addresses);
        let excluded = homeless(&mut self.d.excluded);
        for (kind, list) in [("vip", vips), ("evip", excluded)] {
            for address in list {
                self.complain(&format!("no interface for {kind} {} - removing", address.ip));
            }
        }
    }

    /// How many addresses fit a packet, at most what its count can say.
    fn most_addresses(&self) -> usize {
        let mtu = self.d.facts.map_or(1500, |facts| facts.mtu);
        let (ip, address) = if self.family == Family::V4 { (20, 4) } else { (40, 16) };
        let mut headers = 14 + ip + 8;
        if self.family == Family::V4 && self.version == Version::V2 {
            headers += 8;
            if self.d.auth_type == AuthType::Ah {
                headers += 24;
            }
        }
        if self.hmac.as_ref().is_some_and(|hmac| hmac.mode.signs()) {
            headers += 28;
        }
        usize::try_from(mtu.saturating_sub(headers) / address).unwrap_or(255).min(255)
    }

    fn owner_ignores(&mut self) -> bool {
        if self.priority != 255 {
            if self.d.owner_ignore_adverts == Some(true) {
                self.complain("ignoring owner_ignore_adverts since priority is not 255");
            }
            return false;
        }
        if self.strict && self.d.owner_ignore_adverts == Some(false) {
            self.complain("strict_mode with priority 255 requires owner_ignore_adverts");
        }
        self.strict
            || self.d.owner_ignore_adverts.unwrap_or(self.b.globals.defaults.owner_ignore_adverts)
    }

    fn accept(&mut self) -> bool {
        let owner = self.priority == 255;
        let mut accept = owner || self.d.accept.unwrap_or(!self.strict);
        if self.strict && self.version == Version::V2 && accept && !owner {
            self.complain(
                "warning - accept mode for VRRP version 2 does not comply with RFC3768 - resetting",
            );
            accept = false;
        }
        accept
    }

    fn garp(&mut self) -> GarpSettings {
        let g = &self.b.globals;
        let seconds = |s: u32| Duration::from_secs(u64::from(s));
        let (extra, extra_all) = self.d.garp_extra_if.unwrap_or(g.defaults.garp_extra_if);
        let mut garp = GarpSettings {
            delay: seconds(self.d.garp_delay.unwrap_or(g.defaults.garp_delay)),
            repeat: self.d.garp_repeat.unwrap_or(g.defaults.garp_repeat),
            refresh: seconds(self.d.garp_refresh.unwrap_or(g.defaults.garp_refresh)),
            refresh_repeat: self.d.garp_refresh_repeat.unwrap_or(g.defaults.garp_refresh_repeat),
            extra: seconds(extra),
            extra_all,
            lower_prio_delay: Duration::ZERO,
            lower_prio_repeat: 0,
        };
        let delay = self.d.lower_prio_delay.or(g.defaults.lower_prio_delay);
        let repeat = self.d.lower_prio_repeat.or(g.defaults.lower_prio_repeat);
        if !self.strict {
            garp.lower_prio_delay = seconds(delay.unwrap_or(g.defaults.garp_delay));
            garp.lower_prio_repeat = repeat.unwrap_or(g.defaults.garp_repeat);
            return garp;
        }
        if repeat.is_some_and(|n| n != 0) {
            self.complain("Strict mode requires no repeat garps. resetting");
        }
        if delay.is_some_and(|n| n != 0) {
            self.complain("Strict mode requires no repeat garp delay. resetting");
        }
        garp
    }

    fn group_address(&self) -> IpAddr {
        let globals = &self.b.globals.settings;
        let default = match self.family {
            Family::V4 => IpAddr::V4(globals.mcast_group4),
            Family::V6 => IpAddr::V6(globals.mcast_group6),
        };
        self.d.group_address.filter(|ip| family_of(ip) == self.family).unwrap_or(default)
    }

    fn settings(mut self, advert_interval: Duration) -> InstanceSettings {
        let garp = self.garp();
        let accept = self.accept();
        let owner_ignore_adverts = self.owner_ignores();
        let group_address = self.group_address();
        let down_timer_adverts = self.down_timer_adverts();
        let (strict, g, d) = (self.strict, &self.b.globals, self.d);
        let mut notify = d.notify;
        notify.smtp_alert = d.smtp_alert.unwrap_or(self.b.notify.smtp_alert_vrrp());
        let mut settings = InstanceSettings {
            vrid: d.vrid.unwrap_or(0),
            priority: self.priority,
            wants_master: self.wants_master,
            state_master_written: d.state == Some(true),
            version: self.version,
            family: self.family,
            advert_interval,
            down_timer_adverts,
            dont_track_primary: d.dont_track_primary,
            strict,
            nopreempt: d.nopreempt,
            preempt_delay: Duration::from_micros(d.preempt_delay),
            lower_prio_no_advert: d
                .lower_prio_no_advert
                .unwrap_or(strict || g.defaults.lower_prio_no_advert),
            higher_prio_send_advert: d
                .higher_prio_send_advert
                .unwrap_or(!strict && g.defaults.higher_prio_send_advert),
            owner_ignore_adverts,
            timer_expired_backup: d.timer_expired_backup,
            accept,
            skip_check_adv_addr: d.skip_check_adv_addr.unwrap_or(g.defaults.skip_check_adv_addr),
            authentication: self.authentication,
            hmac: self.hmac,
            track_source: d.track_source && d.source.is_some(),
            source: d.source,
            group_address,
            unicast_ttl: d.unicast_ttl,
            check_unicast_source: !d.peers.is_empty()
                && d.check_unicast_source.unwrap_or(g.defaults.check_unicast_source),
            peers: d.peers,
            unicast_checksum: d.unicast_checksum,
            v3_checksum_as_v2: d.v3_checksum_as_v2.unwrap_or(g.defaults.v3_checksum_as_v2),
            config_fault: self.config_fault,
            addresses: d.addresses,
            excluded: d.excluded,
            paths: d.routes.into_iter().chain(d.rules).collect(),
            garp,
            track_interfaces: d.trackers.interfaces,
            track_scripts: d.trackers.scripts,
            track_files: d.trackers.files,
            track_processes: d.trackers.processes,
            track_bfds: d.trackers.bfds,
            notify,
            promote_secondaries: d.promote_secondaries,
            no_addresses: d.no_virtual_ipaddress,
            kernel_rx_buf_size: d.kernel_rx_buf_size,
            debug: d.debug,
            interface: d.interface,
            vmac: self.vmac.map(Box::new),
            vmac_xmit_base: d.vmac_xmit_base,
            use_vmac_addr: d.use_vmac_addr,
            address_vmacs: self.address_vmacs,
            vrf: d.vrf,
            name: d.name,
        };
        if !settings.garp.extra.is_zero() && settings.extra_addresses().next().is_none() {
            settings.garp.extra = Duration::ZERO;
        }
        settings
    }
}
