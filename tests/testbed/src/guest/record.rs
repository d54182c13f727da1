//! What the guest tells the host, over a serial port: one line per event, and a test's output after its line.

use std::io::{self, BufRead, Read, Write};

/// Output of a test beyond this is cut, at its beginning: a failure is at the end.
pub(super) const MAX_LOG: usize = 256 * 1024;

/// One event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// A test has ended.
    Result {
        /// Its name.
        name: String,
        /// Whether it passed.
        passed: bool,
        /// What it printed.
        log: String,
    },
    /// All tests have ended.
    Ended,
}

impl Record {
    /// Writes it.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Result { name, passed, log } => {
                let log = log.as_bytes();
                let log = &log[log.len().saturating_sub(MAX_LOG)..];
                let outcome = if *passed { "passed" } else { "failed" };
                writeln!(out, "{outcome} {} {name}", log.len())?;
                out.write_all(log)?;
            }
            Self::Ended => writeln!(out, "ended")?,
        }
        out.flush()
    }

    /// Reads the next one; `None` at the end of the stream.
    pub(super) fn read(input: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut line = String::new();
        if input.take(4096).read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let bad = || io::Error::other(format!("the guest says {line:?}"));
        if line.trim_end() == "ended" {
            return Ok(Some(Self::Ended));
        }
        let mut words = line.trim_end().splitn(3, ' ');
        let passed = match words.next() {
            Some("passed") => true,
            Some("failed") => false,
            _ => return Err(bad()),
        };
        let length = words.next().and_then(|word| word.parse().ok()).filter(|l| *l <= MAX_LOG);
        let (Some(length), Some(name)) = (length, words.next()) else { return Err(bad()) };
        let mut log = vec![0; length];
        input.read_exact(&mut log)?;
        let log = String::from_utf8_lossy(&log).into_owned();
        Ok(Some(Self::Result { name: name.to_owned(), passed, log }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let result = |passed, log: &str| Record::Result {
            name: "a::b".to_owned(),
            passed,
            log: log.to_owned(),
        };
        let records = [result(true, ""), result(false, "passed 3 x\nno newline"), Record::Ended];
        let mut bytes = Vec::new();
        records.iter().for_each(|record| record.write(&mut bytes).unwrap());
        let mut input = bytes.as_slice();
        for record in records {
            assert_eq!(Record::read(&mut input).unwrap(), Some(record));
        }
        assert_eq!(Record::read(&mut input).unwrap(), None);
    }

    #[test]
    fn a_long_log_keeps_its_end() {
        let log = "x".repeat(MAX_LOG) + "the end";
        let record = Record::Result { name: "a".to_owned(), passed: false, log };
        let mut bytes = Vec::new();
        record.write(&mut bytes).unwrap();
        let Some(Record::Result { log, .. }) = Record::read(&mut bytes.as_slice()).unwrap() else {
            panic!("no result")
        };
        assert!(log.len() == MAX_LOG && log.ends_with("the end"));
    }
}
