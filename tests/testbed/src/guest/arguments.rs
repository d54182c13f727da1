//! The arguments of the standard test harness, as far as they mean something here.

/// How many tests run in the guest at a time: they mostly wait.
const AT_ONCE: usize = 4;

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    filters: Vec<String>,
    skip: Vec<String>,
    exact: bool,
    pub(super) list: bool,
    pub(super) show_output: bool,
    pub(super) at_once: usize,
}

impl Arguments {
    /// Reads the words after the program's name.
    pub(super) fn read(words: &[String]) -> Result<Self, String> {
        let mut arguments = Self {
            filters: Vec::new(),
            skip: Vec::new(),
            exact: false,
            list: false,
            show_output: false,
            at_once: AT_ONCE,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (option, mut value) = match word.split_once('=') {
                Some((option, value)) if word.starts_with("--") => (option, Some(value.to_owned())),
                _ => (word.as_str(), None),
            };
            let mut value = || {
                value
                    .take()
                    .or_else(|| words.next().cloned())
                    .ok_or(format!("{option} needs a value"))
            };
            match option {
                "--exact" => arguments.exact = true,
                "--list" => arguments.list = true,
                "--nocapture" | "--no-capture" | "--show-output" => arguments.show_output = true,
                "--skip" => arguments.skip.push(value()?),
                "--test-threads" => {
                    let value = value()?;
                    arguments.at_once = value.parse().map_err(|_| format!("{option}: {value}"))?;
                }
                "--format" | "--color" => drop(value()?),
                "-q" | "--quiet" => {}
                _ if option.starts_with('-') => return Err(format!("unknown option {word}")),
                _ => arguments.filters.push(word.clone()),
            }
        }
        Ok(arguments)
    }

    /// Whether a test is to run.
    pub(super) fn chooses(&self, name: &str) -> bool {
        let fits =
            |filter: &String| if self.exact { name == filter } else { name.contains(filter) };
        (self.filters.is_empty() || self.filters.iter().any(fits)) && !self.skip.iter().any(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str) -> Result<Arguments, String> {
        Arguments::read(&words.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn filters_choose_as_in_the_standard_harness() {
        let arguments = read("table --skip=v6 stop -q --test-threads 2").unwrap();
        assert_eq!(arguments.at_once, 2);
        assert!(arguments.chooses("a::table") && arguments.chooses("stop_flags"));
        assert!(!arguments.chooses("table_v6") && !arguments.chooses("reload"));
        let exact = read("--exact table").unwrap();
        assert!(exact.chooses("table") && !exact.chooses("tables"));
        assert!(read("").unwrap().chooses("anything"));
    }

    #[test]
    fn unknown_options_are_refused() {
        assert!(read("--bench").is_err());
        assert!(read("--skip").is_err());
    }
}
