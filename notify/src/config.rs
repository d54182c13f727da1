//! `global_defs` about scripts, FIFOs and mail.

use std::time::Duration;

use config::{Args, Class, Context, Keyword, Line, Row, Table};
use lettre::transport::smtp::authentication::Credentials;

use crate::identity::ScriptDefaults;
use crate::{Identity, Script};

/// What `global_defs` says about scripts, FIFOs and mail.
#[derive(Clone, Default)]
pub struct Settings {
    /// Identity of scripts and script security.
    pub scripts: ScriptDefaults,
    /// `notify_fifo`: events of VRRP and of virtual servers.
    pub fifo: FifoSettings,
    /// `vrrp_notify_fifo`.
    pub vrrp_fifo: FifoSettings,
    /// `lvs_notify_fifo`.
    pub lvs_fifo: FifoSettings,
    /// `use_symlink_paths`.
    pub use_symlink_paths: bool,
    /// `smtp_alert`, if given.
    pub smtp_alert: Option<bool>,
    /// `smtp_alert_vrrp`, if given.
    pub smtp_alert_vrrp: Option<bool>,
    /// `smtp_alert_checker`, if given.
    pub smtp_alert_checker: Option<bool>,
    /// `no_email_faults`.
    pub no_email_faults: bool,
    /// Where mails go, and what they say of themselves.
    pub mail: Mail,
}

/// How mails are sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mail {
    /// `smtp_server`: name or address, and port.
    pub server: Option<(String, u16)>,
    /// `smtp_helo_name`.
    pub helo: Option<String>,
    /// `smtp_connect_timeout`.
    pub timeout: Option<Duration>,
    /// `notification_email_from`.
    pub from: Option<String>,
    /// `notification_email`.
    pub to: Vec<String>,
    /// `smtp_starttls`.
    pub encryption: Option<Encryption>,
    /// `smtp_auth`.
    pub credentials: Option<Credentials>,
}

impl Mail {
    /// The name said in HELO.
    pub fn helo_name(&self) -> String {
        self.helo.clone().or_else(own_name).unwrap_or_else(|| "localhost".into())
    }

    /// Time limit of each step.
    pub fn step_timeout(&self) -> Duration {
        self.timeout.unwrap_or(SMTP_TIMEOUT)
    }

    /// The sender.
    pub fn sender(&self) -> String {
        self.from.clone().unwrap_or_else(|| {
            let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten();
            let user = user.map_or_else(|| "keepalived".into(), |user| user.name);
            format!("{user}@{}", host_name())
        })
    }
}

/// When mails go under TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// If the server offers it; whoever sits between can prevent it.
    Offered,
    /// Always, with whatever certificate the server has.
    Required,
    /// Always, and the certificate must be the server's by the word of a known authority.
    Verified,
}

/// The name of this host, as `router_id` and the sender of mails have it by default.
pub fn host_name() -> String {
    own_name().unwrap_or_else(|| "[unknown]".into())
}

fn own_name() -> Option<String> {
    nix::unistd::gethostname().ok().map(|name| name.to_string_lossy().into_owned())
}

/// Where mail servers listen.
const SMTP_PORT: u16 = 25;
/// Default of `smtp_connect_timeout`.
const SMTP_TIMEOUT: Duration = Duration::from_secs(30);

/// A FIFO and the script that reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FifoSettings {
    /// Where it is, and who owns it.
    pub path: Option<(String, Identity)>,
    /// Started with the path as its last argument.
    pub script: Option<Script>,
}

impl Settings {
    /// Default of `smtp_alert` of instances and sync groups.
    pub fn smtp_alert_vrrp(&self) -> bool {
        self.smtp_alert_vrrp.or(self.smtp_alert).unwrap_or(false)
    }

    /// Default of `smtp_alert` of virtual and real servers.
    pub fn smtp_alert_checker(&self) -> bool {
        self.smtp_alert_checker.or(self.smtp_alert).unwrap_or(false)
    }

    /// Settles what keywords make of each other; call when all of `global_defs` is read.
    pub fn finish(&mut self, ctx: &mut Context<'_>) {
        let required =
            matches!(self.mail.encryption, Some(Encryption::Required | Encryption::Verified));
        if self.mail.credentials.is_some() && !required {
            ctx.log(None, "smtp_auth: passwords are not sent in the clear, so TLS is required");
            self.mail.encryption = Some(Encryption::Required);
        }
        let path = |fifo: &FifoSettings| fifo.path.as_ref().map(|(path, _)| path.clone());
        let global = path(&self.fifo);
        for (name, fifo) in
            [("vrrp_notify_fifo", &mut self.vrrp_fifo), ("lvs_notify_fifo", &mut self.lvs_fifo)]
        {
            if global.is_some() && path(fifo) == global {
                ctx.log(None, format!("{name} is the same as notify_fifo - ignoring it"));
                *fifo = FifoSettings::default();
            }
        }
        let same = path(&self.lvs_fifo).is_some() && path(&self.lvs_fifo) == path(&self.vrrp_fifo);
        if same && self.vrrp_fifo.script.is_some() && self.lvs_fifo.script.take().is_some() {
            ctx.log(
                None,
                "lvs_notify_fifo is the same as vrrp_notify_fifo - ignoring lvs_notify_fifo_script",
            );
        }
    }

    fn fifo_of(&mut self, keyword: &str) -> &mut FifoSettings {
        match keyword.split('_').next() {
            Some("vrrp") => &mut self.vrrp_fifo,
            Some("lvs") => &mut self.lvs_fifo,
            _ => &mut self.fifo,
        }
    }
}

type N = Row<Settings>;

const FIFO: Args = Args::Free("PATH [USER [GROUP]]");

/// `global_defs` keywords about scripts, FIFOs and mail.
pub static GLOBALS: Table<Settings> = Table::new(&[
    N::new(
        Keyword::new(
            "script_user",
            Args::Free("USER [GROUP]"),
            "who scripts run as that name nobody",
        )
        .expected()
        .or("keepalived_script if it exists, else the daemon's user"),
        set_script_user,
    ),
    N::new(
        Keyword::new(
            "enable_script_security",
            Args::Flag,
            "refuse scripts run as root that others could change",
        ),
        |n, _, _| n.scripts.security = true,
    ),
    N::new(
        Keyword::new(
            "use_symlink_paths",
            Args::Bool,
            "run scripts by the configured path, not by the resolved one",
        )
        .or("false"),
        |n, l, c| n.use_symlink_paths = l.boolean(c).unwrap_or(n.use_symlink_paths),
    ),
    N::new(
        Keyword::new(
            "set_supplementary_groups",
            Args::Bool,
            "scripts get the supplementary groups of their user",
        )
        .or("false"),
        |n, l, c| {
            let given = l.boolean(c);
            n.scripts.supplementary_groups = given.unwrap_or(n.scripts.supplementary_groups);
        },
    ),
    N::new(
        Keyword::new("notify_fifo", FIFO, "FIFO for events of VRRP and of virtual servers")
            .expected(),
        set_fifo,
    ),
    N::new(
        Keyword::new("notify_fifo_script", Args::Command, "started to read notify_fifo").expected(),
        set_fifo_script,
    ),
    N::new(Keyword::new("vrrp_notify_fifo", FIFO, "FIFO for events of VRRP").expected(), set_fifo),
    N::new(
        Keyword::new("vrrp_notify_fifo_script", Args::Command, "started to read vrrp_notify_fifo")
            .expected(),
        set_fifo_script,
    ),
    N::new(
        Keyword::new("lvs_notify_fifo", FIFO, "FIFO for events of virtual servers").expected(),
        set_fifo,
    ),
    N::new(
        Keyword::new("lvs_notify_fifo_script", Args::Command, "started to read lvs_notify_fifo")
            .expected(),
        set_fifo_script,
    ),
    N::new(
        Keyword::new("notification_email_from", Args::Free("ADDRESS"), "sender of mails")
            .expected(),
        set_sender,
    ),
    N::new(
        Keyword::new("notification_email", Args::Free("ADDRESS…"), "recipients of mails").values(),
        add_recipients,
    ),
    N::new(
        Keyword::new("smtp_server", Args::Free("HOST [PORT]"), "server mails are handed to")
            .required(),
        set_server,
    ),
    N::new(
        Keyword::new("smtp_helo_name", Args::Word { max: 0 }, "name said in HELO")
            .or("the host's name"),
        |n, l, c| n.mail.helo = l.word(c).map(|w| w.text.clone()).or(n.mail.helo.take()),
    ),
    N::new(
        Keyword::new("smtp_connect_timeout", Args::lenient(0, 4294), "time limit of each step")
            .required()
            .or("30")
            .unit("s"),
        set_timeout,
    ),
    N::new(
        Keyword::new(
            "smtp_starttls",
            Args::Free("[required|verify]"),
            "mails go under TLS: if offered, always, or always to a server with a valid certificate",
        ),
        set_encryption,
    ),
    N::new(
        Keyword::new("smtp_auth", Args::Free("USER PASSWORD"), "account at the mail server")
            .required(),
        set_credentials,
    ),
    N::new(Keyword::new("smtp_alert", Args::Bool, "default of every smtp_alert"), |n, l, c| {
        n.smtp_alert = l.boolean(c).or(n.smtp_alert)
    }),
    N::new(
        Keyword::new(
            "smtp_alert_vrrp",
            Args::Bool,
            "default of smtp_alert of instances and groups",
        )
        .or("smtp_alert"),
        |n, l, c| n.smtp_alert_vrrp = l.boolean(c).or(n.smtp_alert_vrrp),
    ),
    N::new(
        Keyword::new(
            "smtp_alert_checker",
            Args::Bool,
            "default of smtp_alert of virtual and real servers",
        )
        .or("smtp_alert"),
        |n, l, c| n.smtp_alert_checker = l.boolean(c).or(n.smtp_alert_checker),
    ),
    N::new(
        Keyword::new("no_email_faults", Args::Flag, "no mail for changes to FAULT"),
        |n, _, _| n.no_email_faults = true,
    ),
]);

fn set_script_user(n: &mut Settings, line: &Line, ctx: &mut Context<'_>) {
    let Some(user) = line.word(ctx) else { return };
    let group = line.words.get(1).map(|word| word.text.as_str());
    if let Err(error) = n.scripts.set_user(&user.text, group) {
        let message = format!("Error setting global script uid/gid: {error}");
        ctx.report(Class::General, user.span, message);
    }
}

fn set_fifo(n: &mut Settings, line: &Line, ctx: &mut Context<'_>) {
    let Some(path) = line.word(ctx) else { return };
    if n.fifo_of(line.name()).path.is_some() {
        let message = format!("{} already specified - ignoring {}", line.name(), path.text);
        ctx.report(Class::General, path.span, message);
        return;
    }
    match n.scripts.identity_of(line.words.get(1), line.words.get(2)) {
        Ok(owner) => n.fifo_of(line.name()).path = Some((path.text.clone(), owner)),
        Err(error) => ctx.log(
            Some(path.span),
            format!("Failed to set user/group for {}: {error} - ignoring it", line.name()),
        ),
    }
}

fn set_fifo_script(n: &mut Settings, line: &Line, ctx: &mut Context<'_>) {
    let Some(command) = line.command(ctx) else { return };
    if n.fifo_of(line.name()).script.is_some() {
        let message = format!("{} already specified - ignoring {}", line.name(), command.text);
        ctx.report(Class::General, line.span, message);
        return;
    }
    let text = command.text.clone();
    match n.scripts.script(command) {
        Ok(script) => n.fifo_of(line.name()).script = Some(script),
        Err(error) => {
            ctx.log(Some(line.span), format!("{}: {error} - ignoring {text}", line.name()));
        }
    }
}

fn set_sender(n: &mut Settings, line: &Line, ctx: &mut Context<'_>) {
    let Some(sender) = line.word(ctx) else { return };
    if line.words.len() > 1 {
        let message = format!("{}: only the first word is used", line.name());
        ctx.report(Class::General, line.span, message);
    }
    n.mail.from = Some(sender.text.clone());
}

fn add_recipients(n: &mut Settings, line: &Line, ctx: &mut Context<'_>) {
    if line.pooled().next().is_none() {
        ctx.report(Class::General, line.span, "notification_email block is empty");
    }
    n.mail.to.extend(line.pooled().map(|word| word.text.clone()));
}

/// The name is not resolved before something sends mail.
fn set_server(n: &mut Settings, line: &Line, ctx: &mut Context<'_>) {
    let Some(host) = line.word(ctx) else { return };
    let port = match line.words.get(1) {
        Some(port) => config::address::port(port, ctx, "smtp_server port"),
        None => Some(SMTP_PORT),
    };
    n.mail.server = Some((host.text.clone(), port.unwrap_or(SMTP_PORT)));
}

fn set_timeout(n: &mut Settings, line: &Line, ctx: &mut Context<'_>) {
    let Some(seconds) = line.int(ctx).and_then(|seconds| u64::try_from(seconds).ok()) else {
        return;
    };
    if seconds == 0 {
        let message = "smtp_connect_timeout must be greater than 0, setting to 1";
        ctx.report(Class::General, line.span, message);
    }
    n.mail.timeout = Some(Duration::from_secs(seconds.max(1)));
}

fn set_encryption(n: &mut Settings, line: &Line, ctx: &mut Context<'_>) {
    n.mail.encryption = match line.words.first().map(|word| word.text.as_str()) {
        None => Some(Encryption::Offered),
        Some("required") => Some(Encryption::Required),
        Some("verify") => Some(Encryption::Verified),
        Some(word) => {
            let message = format!("Invalid value '{word}' for smtp_starttls");
            return ctx.report(Class::General, line.span, message);
        }
    };
    if !cfg!(feature = "tls") {
        ctx.log(Some(line.span), "smtp_starttls: this build has no TLS");
    }
}

fn set_credentials(n: &mut Settings, line: &Line, ctx: &mut Context<'_>) {
    let Some(user) = line.word(ctx) else { return };
    let Some(password) = line.words.get(1) else {
        return ctx.report(Class::General, line.span, "smtp_auth: the password is missing");
    };
    n.mail.credentials = Some(Credentials::new(user.text.clone(), password.text.clone()));
}
