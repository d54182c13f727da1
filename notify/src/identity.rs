//! Who a script runs as: user and group names to numbers, by the rules of `script_user`.
//!
//! A name is looked up once; a configuration with thousands of scripts asks for few users.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CString;
use std::fmt;
use std::rc::Rc;

use config::{Command, Word};
use nix::unistd::{Group, User, getgid, getgrouplist, getuid};

use crate::Script;

/// User, group and supplementary groups of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups to set; `None` leaves only `gid`.
    pub groups: Option<Vec<u32>>,
}

/// Why a script has no identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityError {
    /// No user of that name.
    UnknownUser(String),
    /// No group of that name.
    UnknownGroup(String),
    /// `script_user` named what does not exist.
    BadScriptUser,
    /// `enable_script_security`, no `script_user`, and no user `keepalived_script`.
    NoScriptUser,
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IdentityError::UnknownUser(name) => write!(f, "there is no user '{name}'"),
            IdentityError::UnknownGroup(name) => write!(f, "there is no group '{name}'"),
            IdentityError::BadScriptUser => f.write_str("script_user is not usable"),
            IdentityError::NoScriptUser => write!(
                f,
                "script security is enabled, script_user is not set and there is no user \
                 {DEFAULT_USER}"
            ),
        }
    }
}

impl std::error::Error for IdentityError {}

/// The user scripts run as when none is configured and it exists.
pub const DEFAULT_USER: &str = "keepalived_script";

type Key = (String, Option<String>, bool);

/// The system's users and groups, each name looked up once.
#[derive(Clone, Default)]
pub struct Accounts {
    known: Rc<RefCell<HashMap<Key, Result<Identity, IdentityError>>>>,
}

impl Accounts {
    /// The identity of `user` with `group`, or its primary group. A group written `:NAME` or `:`
    /// asks for the user's supplementary groups too, as `supplementary` does.
    ///
    /// # Errors
    /// When there is no such user or group.
    pub fn find(
        &self,
        user: &str,
        group: Option<&str>,
        supplementary: bool,
    ) -> Result<Identity, IdentityError> {
        let key = (user.to_owned(), group.map(str::to_owned), supplementary);
        if let Some(known) = self.known.borrow().get(&key) {
            return known.clone();
        }
        let found = look_up(user, group, supplementary);
        self.known.borrow_mut().insert(key, found.clone());
        found
    }

    fn exists(&self, user: &str) -> bool {
        self.find(user, None, false).is_ok()
    }
}

fn look_up(
    user: &str,
    group: Option<&str>,
    supplementary: bool,
) -> Result<Identity, IdentityError> {
    let unknown = || IdentityError::UnknownUser(user.to_owned());
    let account = User::from_name(user).ok().flatten().ok_or_else(unknown)?;
    let (group, all) = match group {
        Some(name) => (Some(name.strip_prefix(':').unwrap_or(name)), name.starts_with(':')),
        None => (None, false),
    };
    let gid = match group.filter(|name| !name.is_empty()) {
        None => account.gid,
        Some(name) => Group::from_name(name)
            .ok()
            .flatten()
            .map(|group| group.gid)
            .ok_or_else(|| IdentityError::UnknownGroup(name.to_owned()))?,
    };
    let groups = (all || supplementary).then(|| supplementary_groups(user, gid));
    Ok(Identity { uid: account.uid.as_raw(), gid: gid.as_raw(), groups })
}

fn supplementary_groups(user: &str, gid: nix::unistd::Gid) -> Vec<u32> {
    CString::new(user)
        .ok()
        .and_then(|user| getgrouplist(&user, gid).ok())
        .map(|groups| groups.into_iter().map(nix::unistd::Gid::as_raw).collect())
        .unwrap_or_default()
}

/// `script_user`, and what holds without it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum ScriptUser {
    /// Not configured.
    #[default]
    Unset,
    /// Configured, but there is no such user or group.
    Unusable,
    /// Configured.
    Set { user: String, group: Option<String> },
}

/// Who scripts run as that name nobody, and whether doubtful ones run at all.
#[derive(Clone, Default)]
pub struct ScriptDefaults {
    pub(crate) user: ScriptUser,
    /// `enable_script_security`.
    pub security: bool,
    /// `set_supplementary_groups`.
    pub supplementary_groups: bool,
    accounts: Accounts,
}

impl ScriptDefaults {
    /// The identity of scripts that name no user.
    ///
    /// # Errors
    /// When `script_user` is not usable, or is needed and absent.
    pub fn identity(&self) -> Result<Identity, IdentityError> {
        let all = self.supplementary_groups;
        match &self.user {
            ScriptUser::Set { user, group } => self.accounts.find(user, group.as_deref(), all),
            ScriptUser::Unusable => Err(IdentityError::BadScriptUser),
            ScriptUser::Unset if self.accounts.exists(DEFAULT_USER) => {
                self.accounts.find(DEFAULT_USER, None, all)
            }
            ScriptUser::Unset if self.security => Err(IdentityError::NoScriptUser),
            ScriptUser::Unset => {
                Ok(Identity { uid: getuid().as_raw(), gid: getgid().as_raw(), groups: None })
            }
        }
    }

    /// The identity of what may name a user and a group.
    ///
    /// # Errors
    /// When a name is unknown, or there is none and the default is not usable.
    pub fn identity_of(
        &self,
        user: Option<&Word>,
        group: Option<&Word>,
    ) -> Result<Identity, IdentityError> {
        let Some(user) = user else { return self.identity() };
        let group = group.map(|word| word.text.as_str());
        self.accounts.find(&user.text, group, self.supplementary_groups)
    }

    /// A command with its identity. Whether the file may be run is checked later.
    ///
    /// # Errors
    /// As [`ScriptDefaults::identity_of`].
    pub fn script(&self, command: Command) -> Result<Script, IdentityError> {
        let identity = self.identity_of(command.user.as_ref(), command.group.as_ref())?;
        Ok(Script {
            argv: command.argv,
            text: command.text,
            uid: identity.uid,
            gid: identity.gid,
            groups: identity.groups,
        })
    }

    /// Takes `script_user USER [GROUP]`.
    ///
    /// # Errors
    /// When there is no such user or group; scripts that rely on the default then have no identity.
    pub fn set_user(&mut self, user: &str, group: Option<&str>) -> Result<(), IdentityError> {
        self.user = ScriptUser::Unusable;
        self.accounts.find(user, group, false)?;
        self.user = ScriptUser::Set { user: user.into(), group: group.map(Into::into) };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Word {
        Word { text: text.into(), span: config::Span { file: 0, line: 1, column: 0, len: 0 } }
    }

    fn command(user: Option<&str>, group: Option<&str>) -> Command {
        Command {
            text: "/bin/true".into(),
            argv: vec!["/bin/true".into()],
            user: user.map(word),
            group: group.map(word),
        }
    }

    #[test]
    fn a_user_brings_its_primary_group() {
        let script = ScriptDefaults::default().script(command(Some("root"), None)).unwrap();
        assert_eq!((script.uid, script.gid, script.groups), (0, 0, None));
    }

    #[test]
    fn a_colon_asks_for_supplementary_groups() {
        let script = ScriptDefaults::default().script(command(Some("root"), Some(":"))).unwrap();
        assert!(script.groups.is_some_and(|groups| groups.contains(&0)));
    }

    #[test]
    fn unknown_names_are_told_apart() {
        let defaults = ScriptDefaults::default();
        let user = defaults.script(command(Some("no-such-user"), None));
        assert_eq!(user, Err(IdentityError::UnknownUser("no-such-user".into())));
        let group = defaults.script(command(Some("root"), Some("no-such-group")));
        assert_eq!(group, Err(IdentityError::UnknownGroup("no-such-group".into())));
    }

    #[test]
    fn a_bad_script_user_fails_scripts_that_rely_on_it_only() {
        let mut defaults = ScriptDefaults::default();
        assert!(defaults.set_user("no-such-user", None).is_err());
        assert_eq!(defaults.script(command(None, None)), Err(IdentityError::BadScriptUser));
        assert!(defaults.script(command(Some("root"), None)).is_ok());
    }
}
