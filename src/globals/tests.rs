use config::{Class, Diagnostic, Mode, Options, Source};

use super::*;

fn load(text: &str) -> (Globals, Vec<Diagnostic>) {
    let (globals, _, diagnostics) = load_all(text);
    (globals, diagnostics)
}

fn load_all(text: &str) -> (Globals, notify::Settings, Vec<Diagnostic>) {
    let source = Source::FromMemory { name: "keepalived.conf".into(), bytes: text.into() };
    let mut options = Options::new(source, ROOT);
    options.mode = Mode::Test;
    let loaded = config::read(options);
    let mut diagnostics = loaded.diagnostics;
    let mut ctx = Context { diagnostics: &mut diagnostics, mode: Mode::Test };
    let (globals, notify) = read(&loaded.lines, &mut ctx);
    (globals, notify, diagnostics)
}

fn classes(text: &str) -> Vec<Class> {
    load(text).1.iter().filter_map(|d| d.class).collect()
}

#[test]
fn single_lines_of_the_top_level() {
    let (globals, diagnostics) = load(
        "
        use_pid_dir
        instance east
        instance west
        net_namespace blue
        child_wait_time 7
    ",
    );
    assert_eq!(diagnostics.iter().filter_map(|d| d.class).collect::<Vec<_>>(), [Class::General]);
    assert!(globals.use_pid_dir);
    assert_eq!(globals.instance.as_deref(), Some("east"));
    assert_eq!(globals.net_namespace.as_deref(), Some("blue"));
    assert_eq!(globals.child_wait_time, Duration::from_secs(7));
}

#[test]
fn a_script_takes_the_script_user_above_it() {
    let (globals, _) = load(
        "
        global_defs {
            startup_script /bin/true
            script_user nobody
            shutdown_script /bin/false
            shutdown_script /bin/true
        }
    ",
    );
    let uid = |script: &Option<(Script, Duration)>| script.as_ref().map(|(script, _)| script.uid);
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap().uid.as_raw();
    assert_eq!(uid(&globals.startup_script), Some(nix::unistd::getuid().as_raw()));
    assert_eq!(uid(&globals.shutdown_script), Some(nobody));
    assert_eq!(globals.shutdown_script.map(|(s, _)| s.text), Some("/bin/false".into()));
}

#[test]
fn files_and_scheduling() {
    let (globals, diagnostics) = load(
        "
        global_defs {
            umask 022
            reload_check_config
            reload_time_file /run/when
            state_dump_file /tmp/state
            max_auto_priority
            vrrp_rt_priority 150
            vrrp_priority 5
            vrrp_rlimit_rttime 500
            process_name a-name-much-too-long
        }
    ",
    );
    assert_eq!(
        diagnostics.iter().filter_map(|d| d.class).collect::<Vec<_>>(),
        [Class::General, Class::General]
    );
    assert_eq!(globals.umask, Some(0o022));
    assert_eq!(globals.reload_check_config, Some("/dev/null".into()));
    assert_eq!(globals.reload_time_file, Some("/run/when".into()));
    assert_eq!(globals.state_dump_file.as_deref(), Some("/tmp/state"));
    assert_eq!(globals.process_name.as_deref(), Some("a-name-much-too"));
    let scheduling = globals.scheduling;
    assert_eq!((scheduling.max_auto_priority, scheduling.realtime, scheduling.nice), (99, 99, 5));
    assert_eq!(scheduling.rttime, Duration::from_micros(500));
}

#[test]
fn one_defect_each() {
    for (line, class) in [
        ("umask 01000", Class::General),
        ("umask IRUSR IWUSR", Class::General),
        ("reload_time_file relative", Class::General),
        ("reload_time_file /a /b", Class::General),
        ("state_dump_file", Class::General),
        ("min_auto_priority_delay 0", Class::InvalidNumber),
        ("vrrp_priority 40", Class::InvalidNumber),
        ("vrrp_cpu_affinity x", Class::InvalidNumber),
        ("data_use_instance maybe", Class::General),
        ("startup_script_timeout 1001", Class::InvalidNumber),
        ("process_name", Class::MissingParameter),
        ("snmp_socket a b", Class::General),
        ("script_user no-such-user", Class::General),
    ] {
        let found = classes(&format!("global_defs {{\n{line}\n}}\n"));
        assert_eq!(found.first(), Some(&class), "{line}: {found:?}");
    }
}

#[test]
fn keywords_of_our_own_for_mails() {
    use notify::Encryption;
    let read = |text: &str| {
        let (_, notify, diagnostics) = load_all(&format!("global_defs {{\n{text}\n}}"));
        let classes: Vec<_> = diagnostics.iter().filter_map(|d| d.class).collect();
        (notify.mail.encryption, notify.mail.credentials.is_some(), classes)
    };
    assert_eq!(read("smtp_starttls"), (Some(Encryption::Offered), false, vec![]));
    assert_eq!(read("smtp_starttls verify"), (Some(Encryption::Verified), false, vec![]));
    assert_eq!(read("smtp_starttls maybe"), (None, false, vec![Class::General]));
    assert_eq!(read("smtp_auth user \"a word\""), (Some(Encryption::Required), true, vec![]));
    assert_eq!(read("smtp_auth user"), (None, false, vec![Class::General]));
}
