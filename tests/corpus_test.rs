//! The fuzz targets of `fuzz/`, run over their corpus and over random changes of it, so that an
//! ordinary test run covers them. `CORPUS_SEED=7 CORPUS_TIMES=100` runs other random inputs, and a
//! hundred times as many.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

#[path = "../fuzz/src/lib.rs"]
mod targets;

/// Random numbers that are the same in every run (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let len = self.below(most);
        (0..len).map(|_| self.next() as u8).collect()
    }

    /// A few bytes changed, removed, doubled, or exchanged for part of another input.
    fn change(&mut self, input: &[u8], other: &[u8]) -> Vec<u8> {
        let mut changed = input.to_vec();
        for _ in 0..1 + self.below(4) {
            let at = self.below(changed.len() + 1);
            let end = at + self.below(changed.len() - at + 1).min(16);
            match self.below(5) {
                0 if at < changed.len() => changed[at] = self.next() as u8,
                1 => drop(changed.drain(at..end)),
                2 => {
                    let piece = changed[at..end].to_vec();
                    changed.splice(at..at, piece);
                }
                3 => changed.truncate(at),
                _ => {
                    let from = self.below(other.len() + 1);
                    let to = from + self.below(other.len() - from + 1);
                    changed.splice(at..end, other[from..to].iter().copied());
                }
            }
        }
        changed
    }
}

fn corpus(folders: &[&str]) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<_> = folders
        .iter()
        .flat_map(|folder| fs::read_dir(root.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    assert!(paths.len() > 5, "{folders:?}");
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn run(target: fn(&[u8]), corpus: &[Vec<u8>], random: usize) {
    let try_one = |input: &[u8]| {
        let outcome = catch_unwind(AssertUnwindSafe(|| target(input)));
        assert!(outcome.is_ok(), "input: {}", input.escape_ascii());
    };
    corpus.iter().for_each(|input| try_one(input));
    let number = |name| std::env::var(name).map_or(1, |text| text.parse::<u64>().unwrap());
    let mut numbers = Random(0x9e37_79b9_7f4a_7c15 ^ number("CORPUS_SEED"));
    for round in 0..random * number("CORPUS_TIMES") as usize {
        let input = if round % 8 == 0 {
            numbers.bytes(200)
        } else {
            let one = numbers.below(corpus.len());
            let other = numbers.below(corpus.len());
            numbers.change(&corpus[one], &corpus[other])
        };
        try_one(&input);
    }
}

#[test]
fn packet() {
    run(targets::packet, &corpus(&["fuzz/corpus/packet"]), 50_000);
}

#[test]
fn bfd() {
    run(targets::bfd, &corpus(&["fuzz/corpus/bfd"]), 20_000);
}

#[test]
fn http() {
    run(targets::http, &corpus(&["fuzz/corpus/http"]), 5_000);
}

#[test]
fn smtp() {
    run(targets::smtp, &corpus(&["fuzz/corpus/smtp"]), 50_000);
}

#[test]
fn datagram() {
    run(targets::datagram, &corpus(&["fuzz/corpus/datagram"]), 50_000);
}

#[test]
fn number() {
    run(targets::number, &corpus(&["fuzz/corpus/number"]), 50_000);
}

#[test]
fn dbus() {
    run(targets::dbus, &corpus(&["fuzz/corpus/dbus"]), 10_000);
}

#[test]
fn mail() {
    run(targets::mail, &corpus(&["fuzz/corpus/mail"]), 10_000);
}

#[test]
fn answers() {
    run(targets::answers, &corpus(&["fuzz/corpus/answers"]), 50_000);
}

#[test]
fn names() {
    run(targets::names, &corpus(&["fuzz/corpus/names"]), 10_000);
}

#[test]
fn ipvs() {
    run(targets::ipvs, &corpus(&["fuzz/corpus/ipvs"]), 50_000);
}

#[test]
fn netlink() {
    run(targets::netlink, &corpus(&["fuzz/corpus/netlink"]), 50_000);
}

#[test]
fn configuration() {
    let folders =
        ["fuzz/corpus/configuration", "tests/data/configs/samples", "tests/data/configs/defects"];
    run(targets::configuration, &corpus(&folders), 1_500);
}
