//! What a configuration of the simulation says, as text and as the model knows it; and how one
//! becomes the next.

use config::Random;

pub(super) const KINDS: [&str; 4] = ["TCP_CHECK", "SMTP_CHECK", "HTTP_GET", "MISC_CHECK"];
pub(super) const METHODS: [&str; 3] = ["NAT", "DR", "TUN"];
const SCHEDULERS: [&str; 4] = ["rr", "wlc", "sh", "mh"];

/// A number from 0 to one below `bound`.
pub(super) fn below(random: &mut Random, bound: usize) -> usize {
    random.between(0, bound.saturating_sub(1) as u64) as usize
}

/// True so many times in a hundred.
pub(super) fn chance(random: &mut Random, percent: u64) -> bool {
    random.between(0, 99) < percent
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// 10.9.0.N:80.
    Address(u8),
    /// This firewall mark.
    Mark(u8),
    /// The group with this number in [`Plan::groups`].
    Group(usize),
}

#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) services: Vec<Vs>,
    /// Of each group the members: last octets of 10.9.1.N:80, or firewall marks.
    pub(super) groups: Vec<(bool, Vec<u8>)>,
    next: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Vs {
    pub(super) uid: u32,
    pub(super) head: Head,
    pub(super) method: usize,
    pub(super) scheduler: &'static str,
    pub(super) quorum: u32,
    pub(super) hysteresis: u32,
    pub(super) sorry: Option<Stand>,
    pub(super) reals: Vec<Rs>,
}

/// A sorry server.
#[derive(Clone, Debug)]
pub(super) struct Stand {
    pub(super) address: String,
    pub(super) inhibit: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Rs {
    pub(super) address: String,
    /// Its port under NAT is another.
    pub(super) elsewhere: bool,
    pub(super) weight: u32,
    pub(super) inhibit: bool,
    pub(super) checkers: Vec<Ck>,
}

#[derive(Clone, Debug)]
pub(super) struct Ck {
    pub(super) label: u32,
    pub(super) kind: usize,
    pub(super) delay_loop: u64,
    pub(super) retry: u32,
    pub(super) delay_before_retry: u64,
    pub(super) warmup: u64,
    pub(super) alpha: bool,
    pub(super) dynamic: bool,
}

impl Ck {
    pub(super) fn is_script(&self) -> bool {
        KINDS[self.kind] == "MISC_CHECK"
    }
}

impl Vs {
    /// The port of a real server, 0 for none.
    pub(super) fn port(&self, real: &Rs, plan: &Plan) -> u16 {
        match self.head {
            _ if self.is_marked(plan) => 0,
            Head::Address(_) if real.elsewhere && METHODS[self.method] == "NAT" => 8080,
            _ => 80,
        }
    }

    /// The real server that is the sorry server, too.
    fn twin(&self, plan: &Plan) -> Option<&Rs> {
        let sorry = self.sorry.as_ref()?;
        let same = |real: &&Rs| real.address == sorry.address && self.port(real, plan) != 8080;
        self.reals.iter().find(same)
    }

    pub(super) fn is_marked(&self, plan: &Plan) -> bool {
        match self.head {
            Head::Address(_) => false,
            Head::Mark(_) => true,
            Head::Group(n) => plan.groups[n].0,
        }
    }

    fn clamp(&mut self) {
        let all = self.reals.iter().map(|real| real.weight).sum::<u32>();
        self.quorum = self.quorum.clamp(1, all.max(1));
        self.hysteresis = self.hysteresis.min(self.quorum - 1);
    }
}

impl Plan {
    pub(super) fn new(random: &mut Random) -> Plan {
        let groups = vec![(false, vec![1, 2, 3]), (false, vec![4, 5]), (true, vec![1, 2])];
        let mut plan = Plan { services: Vec::new(), groups, next: 1 };
        for _ in 0..2 + below(random, 5) {
            plan.add_service(random);
        }
        plan
    }

    fn uid(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn add_service(&mut self, random: &mut Random) {
        let head = match below(random, 5) {
            0 => Head::Mark(10 + below(random, 40) as u8),
            1 => Head::Group(below(random, 3)),
            _ => Head::Address(1 + below(random, 250) as u8),
        };
        // Two may share a group of marks, and nothing else.
        let shared = matches!(head, Head::Group(2));
        if !shared && self.services.iter().any(|vs| vs.head == head) {
            return;
        }
        let mut vs = Vs {
            uid: self.uid(),
            head,
            method: below(random, 3),
            scheduler: SCHEDULERS[if shared { 0 } else { below(random, 4) }],
            quorum: 1 + below(random, 8) as u32,
            hysteresis: below(random, 3) as u32,
            sorry: None,
            reals: Vec::new(),
        };
        for _ in 0..1 + below(random, 5) {
            let real = self.real(&vs, random);
            vs.reals.push(real);
        }
        if chance(random, 60) {
            vs.sorry = Some(stand(&vs, random));
        }
        vs.clamp();
        let place = below(random, self.services.len() + 1);
        self.services.insert(place, vs);
    }

    fn real(&mut self, vs: &Vs, random: &mut Random) -> Rs {
        let n = (1..).find(|n| {
            let address = format!("10.{}.{}.{n}", vs.uid / 256, vs.uid % 256);
            vs.reals.iter().all(|real| real.address != address)
        });
        let mut real = Rs {
            address: format!("10.{}.{}.{}", vs.uid / 256, vs.uid % 256, n.unwrap()),
            elsewhere: chance(random, 30),
            weight: 1 + below(random, 9) as u32,
            inhibit: chance(random, 30),
            checkers: Vec::new(),
        };
        for _ in 0..below(random, 4) {
            real.checkers.push(self.checker(random));
        }
        real
    }

    fn checker(&mut self, random: &mut Random) -> Ck {
        Ck {
            label: 1000 + self.uid(),
            kind: below(random, KINDS.len()),
            delay_loop: 20 + below(random, 100) as u64,
            retry: below(random, 4) as u32,
            delay_before_retry: 1 + below(random, 30) as u64,
            warmup: below(random, 60) as u64,
            alpha: chance(random, 20),
            dynamic: chance(random, 60),
        }
    }

    /// Changes something; true when the kernel is asked only for what it can be asked for again.
    pub(super) fn change(&mut self, random: &mut Random) -> bool {
        let mut gentle = true;
        for _ in 0..1 + below(random, 4) {
            gentle &= self.change_one(random);
        }
        for vs in &mut self.services {
            vs.clamp();
        }
        gentle
    }

    fn change_one(&mut self, random: &mut Random) -> bool {
        let what = below(random, 20);
        match what {
            0 => {
                self.add_service(random);
                // Virtual servers of a group are told apart by their order.
                !self.services.iter().any(|vs| vs.head == Head::Group(2))
            }
            1 => {
                let n = below(random, self.services.len());
                if self.services.len() > 1 {
                    self.services.remove(n);
                }
                false
            }
            2 => {
                let n = below(random, self.services.len());
                let vs = self.services.remove(n);
                let place = below(random, self.services.len() + 1);
                self.services.insert(place, vs);
                self.services[place].head != Head::Group(2)
            }
            3 | 4 => {
                let from = below(random, 3);
                self.change_group(from, random);
                false
            }
            _ => {
                let n = below(random, self.services.len());
                let mut vs = self.services[n].clone();
                let gentle = self.change_service(&mut vs, what, random);
                self.services[n] = vs;
                gentle
            }
        }
    }

    /// Lets a member come, go, or pass to the other group of addresses.
    fn change_group(&mut self, n: usize, random: &mut Random) {
        let members = &mut self.groups[n].1;
        if members.len() > 1 && chance(random, 60) {
            let member = members.remove(0);
            if n < 2 && chance(random, 50) {
                self.groups[1 - n].1.push(member);
            }
            return;
        }
        let is_new = |member: &u8| self.groups[n].0 || !self.groups[1 - n].1.contains(member);
        let mut free = (1..60).rev().filter(is_new);
        let member = free.find(|member| !self.groups[n].1.contains(member));
        if self.groups[n].1.len() < 6 {
            self.groups[n].1.extend(member);
        }
    }

    fn change_service(&mut self, vs: &mut Vs, what: usize, random: &mut Random) -> bool {
        let n = below(random, vs.reals.len());
        match what {
            5 | 6 => {
                let place = below(random, vs.reals.len() + 1);
                let real = self.real(vs, random);
                vs.reals.insert(place, real);
            }
            7 => {
                if vs.reals.len() > 1 {
                    vs.reals.remove(n);
                }
                return false;
            }
            8 => vs.reals[n].weight = 1 + below(random, 9) as u32,
            9 => vs.quorum = 1 + below(random, 12) as u32,
            10 => vs.hysteresis = below(random, 4) as u32,
            11 => {
                vs.sorry = chance(random, 70).then(|| stand(vs, random));
                return false;
            }
            12 => {
                if let Some(sorry) = &mut vs.sorry {
                    sorry.inhibit = !sorry.inhibit;
                }
            }
            13 => {
                if !matches!(vs.head, Head::Group(2)) {
                    vs.scheduler = SCHEDULERS[below(random, 4)];
                }
            }
            14 => {
                vs.method = below(random, 3);
                return false;
            }
            15 => vs.reals[n].inhibit = !vs.reals[n].inhibit,
            16 => {
                let checker = self.checker(random);
                let place = below(random, vs.reals[n].checkers.len() + 1);
                vs.reals[n].checkers.insert(place, checker);
            }
            17 => {
                vs.reals[n].checkers.pop();
            }
            18 => vs.reals.reverse(),
            _ => {
                let times = self.checker(random);
                if let Some(checker) = vs.reals[n].checkers.first_mut() {
                    checker.retry = times.retry;
                    if chance(random, 50) {
                        checker.delay_loop = times.delay_loop;
                    }
                }
            }
        }
        true
    }

    pub(super) fn text(&self) -> String {
        let mut text = "global_defs {\nenable_script_security\nscript_user root\n}\n".to_owned();
        for (n, (marks, members)) in self.groups.iter().enumerate() {
            text += &format!("virtual_server_group G{n} {{\n");
            for member in members {
                text += &match marks {
                    true => format!("fwmark {member}\n"),
                    false => format!("10.9.1.{member} 80\n"),
                };
            }
            text += "}\n";
        }
        for vs in &self.services {
            self.push_service(&mut text, vs);
        }
        text
    }

    fn push_service(&self, text: &mut String, vs: &Vs) {
        let marked = vs.is_marked(self);
        *text += &match vs.head {
            Head::Address(n) => format!("virtual_server 10.9.0.{n} 80 {{\n"),
            Head::Mark(n) => format!("virtual_server fwmark {n} {{\n"),
            Head::Group(n) => format!("virtual_server group G{n} {{\n"),
        };
        let protocol = if marked { "" } else { "protocol TCP\n" };
        *text += &format!(
            "{protocol}lb_algo {}\nlb_kind {}\nquorum {}\nhysteresis {}\n",
            vs.scheduler, METHODS[vs.method], vs.quorum, vs.hysteresis
        );
        if let Some(sorry) = &vs.sorry {
            *text += &format!("sorry_server {}", sorry.address);
            *text += if marked { "\n" } else { " 80\n" };
            // That of the real server counts if it is one.
            let inhibit = vs.twin(self).map_or(sorry.inhibit, |real| real.inhibit);
            *text += if inhibit { "sorry_server_inhibit\n" } else { "" };
        }
        for real in &vs.reals {
            *text += &format!("real_server {}", real.address);
            *text += &if marked { String::new() } else { format!(" {}", vs.port(real, self)) };
            *text += &format!(" {{\nsmtp_alert no\nweight {}\n", real.weight);
            *text += if real.inhibit { "inhibit_on_failure\n" } else { "" };
            for checker in &real.checkers {
                push_checker(text, checker);
            }
            *text += "}\n";
        }
        *text += "}\n";
    }
}

fn stand(vs: &Vs, random: &mut Random) -> Stand {
    let address = match vs.reals.first() {
        Some(real) if chance(random, 30) && !real.elsewhere => real.address.clone(),
        _ => format!("10.{}.{}.{}", vs.uid / 256, vs.uid % 256, 200 + below(random, 3)),
    };
    Stand { address, inhibit: chance(random, 40) }
}

fn push_checker(text: &mut String, checker: &Ck) {
    *text += &format!("{} {{\n", KINDS[checker.kind]);
    *text += &match KINDS[checker.kind] {
        "MISC_CHECK" => {
            let dynamic = if checker.dynamic { "misc_dynamic\n" } else { "" };
            format!("misc_path \"/bin/true {}\"\n{dynamic}", checker.label)
        }
        "HTTP_GET" => format!("url {{\npath /\n}}\nconnect_port {}\n", checker.label),
        _ => format!("connect_port {}\n", checker.label),
    };
    *text += &format!(
        "delay_loop {}\nretry {}\ndelay_before_retry {}\nwarmup {}\n",
        checker.delay_loop, checker.retry, checker.delay_before_retry, checker.warmup
    );
    *text += if checker.alpha { "alpha\n}\n" } else { "}\n" };
}

impl Plan {
    /// A configuration without virtual servers.
    pub(super) fn nothing() -> Plan {
        Plan { services: Vec::new(), groups: Vec::new(), next: 0 }
    }
}
