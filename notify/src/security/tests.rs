use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// A directory of root's in the system's sticky one; it goes with the test.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Option<Directory> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        if !nix::unistd::geteuid().is_root() {
            eprintln!("skipped: needs root");
            return None;
        }
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ka-security-{}-{n}", std::process::id()));
        fs::create_dir(&path).unwrap();
        let directory = Directory(path);
        directory.mode("", 0o755);
        Some(directory)
    }

    fn at(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.0.clone() } else { self.0.join(name) }
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.at(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn file(&self, name: &str, mode: u32) {
        fs::write(self.at(name), "#!/bin/sh\n").unwrap();
        self.mode(name, mode);
    }

    fn directory(&self, name: &str, mode: u32) {
        fs::create_dir(self.at(name)).unwrap();
        self.mode(name, mode);
    }

    fn script(&self, name: &str, uid: u32) -> Script {
        let text = self.at(name).to_str().unwrap().to_owned();
        Script { argv: vec![text.clone()], text, uid, gid: uid, groups: None }
    }

    fn check(&self, name: &str, uid: u32) -> Verdict {
        check(&self.script(name, uid))
    }

    /// Which element is to blame, without the directory's own path.
    fn blamed(&self, name: &str) -> Option<String> {
        match self.check(name, 0) {
            Verdict::Insecure { component, .. } => {
                Some(component.strip_prefix(&self.0).unwrap().to_str().unwrap().to_owned())
            }
            _ => None,
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

#[test]
fn roots_own_script_is_fine() {
    let Some(d) = Directory::new() else { return };
    d.file("s", 0o755);
    assert_eq!(d.check("s", 0), Verdict::Ok);
    d.mode("s", 0o775);
    assert_eq!(d.check("s", 0), Verdict::Ok, "writable by the group root");
}

#[test]
fn every_weak_element_is_named() {
    let Some(d) = Directory::new() else { return };
    d.directory("dir", 0o755);
    d.file("dir/s", 0o755);
    assert_eq!(d.blamed("dir/s"), None);
    d.mode("dir/s", 0o757);
    assert_eq!(d.blamed("dir/s").as_deref(), Some("dir/s"));
    d.mode("dir", 0o777);
    assert_eq!(d.blamed("dir/s").as_deref(), Some("dir"));
    d.mode("dir", 0o1777);
    assert_eq!(d.blamed("dir/s").as_deref(), Some("dir/s"), "a sticky directory protects");
    d.mode("dir/s", 0o755);
    assert_eq!(d.blamed("dir/s"), None);
    chown(d.at("dir"), None, Some(7)).unwrap();
    d.mode("dir", 0o1775);
    assert_eq!(d.blamed("dir/s").as_deref(), Some("dir"), "its group is not root's");
    d.mode("dir", 0o755);
    chown(d.at("dir"), Some(7), Some(0)).unwrap();
    assert_eq!(d.blamed("dir/s").as_deref(), Some("dir"));
    let Verdict::Insecure { mode, owner, group, .. } = d.check("dir/s", 0) else { panic!() };
    assert_eq!((mode & 0o7777, owner, group), (0o755, 7, 0));
    let text = d.check("dir/s", 0).to_string();
    assert!(text.contains("mode 0755, owner 7, group 0") && text.contains("chown root:root"));
}

#[test]
fn only_what_runs_as_root_must_be_secure() {
    let Some(d) = Directory::new() else { return };
    d.directory("dir", 0o777);
    d.file("dir/s", 0o755);
    assert_eq!(d.check("dir/s", 7), Verdict::Ok);
    let mut script = d.script("dir/s", 7);
    script.gid = 0;
    assert!(matches!(check(&script), Verdict::Insecure { .. }), "group root is root enough");
    d.mode("dir/s", 0o4755);
    assert!(matches!(d.check("dir/s", 7), Verdict::Insecure { .. }), "it becomes root");
}

#[test]
fn a_symlinked_directory_is_followed_and_judged_by_its_owner() {
    let Some(d) = Directory::new() else { return };
    d.directory("usr", 0o755);
    d.directory("usr/bin", 0o755);
    d.file("usr/bin/s", 0o755);
    symlink("usr/bin", d.at("bin")).unwrap();
    symlink(d.at("usr"), d.at("absolute")).unwrap();
    assert_eq!(d.check("bin/s", 0), Verdict::Ok);
    assert_eq!(d.check("absolute/bin/../bin/./s", 0), Verdict::Ok);
    std::os::unix::fs::lchown(d.at("bin"), Some(7), None).unwrap();
    assert_eq!(d.blamed("bin/s").as_deref(), Some("bin"));
    d.mode("usr", 0o777);
    assert_eq!(d.blamed("absolute/bin/s").as_deref(), Some("usr"), "on the resolved path");
}

#[test]
fn links_in_a_circle_end() {
    let Some(d) = Directory::new() else { return };
    symlink("b", d.at("a")).unwrap();
    symlink("a", d.at("b")).unwrap();
    assert!(matches!(d.check("a", 0), Verdict::NotFound { .. }));
}

#[test]
fn what_the_user_cannot_run_is_not_runnable() {
    let Some(d) = Directory::new() else { return };
    d.directory("dir", 0o755);
    d.file("dir/s", 0o700);
    assert!(matches!(d.check("dir/s", 7), Verdict::NotExecutable { .. }));
    chown(d.at("dir/s"), None, Some(20)).unwrap();
    d.mode("dir/s", 0o710);
    let mut script = d.script("dir/s", 7);
    script.groups = Some(vec![3, 20]);
    assert_eq!(check(&script), Verdict::Ok, "by a supplementary group");
    d.mode("dir/s", 0o644);
    assert!(matches!(d.check("dir/s", 0), Verdict::NotExecutable { .. }), "not even root");
    d.mode("dir/s", 0o755);
    d.mode("dir", 0o700);
    let Verdict::NotFound { component, .. } = d.check("dir/s", 7) else { panic!() };
    assert_eq!(component, d.at("dir"));
    assert!(matches!(d.check("dir", 0), Verdict::NotExecutable { .. }), "a directory");
    assert!(matches!(d.check("dir/s/x", 0), Verdict::NotFound { .. }));
    assert!(matches!(d.check("nothing", 0), Verdict::NotFound { .. }));
}

#[test]
fn a_name_without_a_slash_is_looked_up() {
    let script = |name: &str| Script {
        argv: vec![name.into()],
        text: name.into(),
        uid: 65534,
        gid: 65534,
        groups: None,
    };
    assert!(check(&script("sh")).is_runnable());
    assert!(find_in_path("sh", &script("sh")).unwrap().is_absolute());
    assert!(!check(&script("no-such-command-anywhere")).is_runnable());
    assert!(!check(&script("")).is_runnable());
    assert_eq!(check(&Script { argv: vec!["</x".into()], ..script("< /x") }), Verdict::Ok);
}
